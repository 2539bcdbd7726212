// Networks, endpoints and sandboxes as values: what berth knows and reports.
//
//   Network   a segment with subnets and a driver: "mybridge0"
//   Sandbox   a network namespace that berth made or was shown, with or without a process in it
//   Endpoint  the attachment of one sandbox to one network: interface, addresses, published ports
//
// All are plain data; ids are 64 lower-case hex digits, times nanoseconds since the Unix epoch.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/result.h"

namespace berth {

using Labels = std::map<std::string, std::string>;

enum class Driver : std::uint8_t { kBridge, kHost, kNone };
[[nodiscard]] std::string_view name(Driver driver);  ///< "bridge", "host", "null" (Docker's names)

/// Where unasked subnets come from: a prefix that is cut into blocks of one size.
struct AddressPool {
  Cidr base;
  int size = 0;  ///< prefix length of the blocks
  friend bool operator==(const AddressPool&, const AddressPool&) = default;
};
/// Docker's form, "base=172.30.0.0/16,size=24". Both keys are required, in any order.
[[nodiscard]] Result<AddressPool> parse_address_pool(std::string_view text);
/// Refuses a base that cannot be a network's, and a size that does not cut it into subnets.
[[nodiscard]] Status check(const AddressPool& pool);

/// A subnet as asked for: what is absent, berth chooses.
struct SubnetRequest {
  std::optional<Cidr> subnet;        ///< none: the first free block of the default pools
  std::optional<Cidr> range;         ///< addresses are given out from here; none: the whole subnet
  std::optional<Ip> gateway;         ///< none: the subnet's first usable address
  std::map<std::string, Ip> aux;     ///< addresses kept for others, by name; never given out
};

/// A subnet as it is.
struct Subnet {
  Cidr cidr;
  std::optional<Cidr> range;
  Ip gateway;
  std::map<std::string, Ip> aux;

  friend bool operator==(const Subnet&, const Subnet&) = default;
};

/// The bridge driver's options, parsed (Docker's com.docker.network.* names in model/options.h).
struct BridgeSettings {
  IfName device;           ///< the bridge device; made and removed by berth
  bool icc = true;         ///< may the network's containers talk to each other
  bool masquerade = true;  ///< are they hidden behind the host's address on their way out
  Ip host_binding;         ///< where a port is published that names no host address
  std::uint32_t mtu = 0;   ///< bytes; 0: that of the host's default-route device
};

struct Network {
  std::string id;
  std::string name;
  Driver driver = Driver::kBridge;
  std::int64_t created = 0;
  bool internal = false;    ///< no way out, no way in
  bool predefined = false;  ///< bridge, host, none: always there, cannot be removed
  Labels labels;
  Labels options;  ///< as given, for display
  std::vector<Subnet> subnets;
  BridgeSettings bridge;
};

/// "-p": ports to publish. host_first 0: any free port. The ranges pair up one to one, or a range of
/// host ports offers its first free one to a single container port.
struct PortSpec {
  Protocol protocol = Protocol::kTcp;
  std::optional<Ip> host_ip;  ///< none: the network's host_binding
  Port host_first = 0;
  Port host_last = 0;
  Port container_first = 0;
  Port container_last = 0;
};
/// Parses [hostIP:][hostPort[-hostPort]:]containerPort[-containerPort][/tcp|udp|sctp].
[[nodiscard]] Result<PortSpec> parse_port_spec(std::string_view text);

/// A published port as it is. host_ip 0.0.0.0: every address of the host.
struct PortMapping {
  Protocol protocol = Protocol::kTcp;
  Ip host_ip;
  Port host_port = 0;
  Port container_port = 0;
  friend auto operator<=>(const PortMapping&, const PortMapping&) = default;
};

struct Endpoint {
  std::string id;
  std::string network_id;
  std::string network_name;
  std::string sandbox_id;
  IfName ifname;                  ///< in the sandbox: eth0
  IfName host_ifname;             ///< on the host: veth and 7 hex digits
  Ip ip;
  int prefix = 0;
  std::optional<Ip> requested_ip;  ///< --ip, for display
  std::optional<Ip> gateway;      ///< none on an internal network
  bool default_route = false;     ///< does the sandbox's default route go by this endpoint
  Mac mac;
  std::uint32_t mtu = 0;
  std::vector<std::string> aliases;
  std::vector<PortMapping> ports;
};

enum class SandboxKind : std::uint8_t {
  kProcess,    ///< `berth run`: a process and its namespaces; they end with it
  kNamespace,  ///< `berth sandbox create`: a namespace held by a file in --run
  kForeign,    ///< netns:PATH, pid:N: somebody else's namespace
};
enum class SandboxState : std::uint8_t { kCreated, kRunning, kExited };
[[nodiscard]] std::string_view name(SandboxState state);

struct Sandbox {
  std::string id;
  std::string name;
  std::string hostname;
  SandboxKind kind = SandboxKind::kProcess;
  SandboxState state = SandboxState::kCreated;
  std::string netns_path;         ///< opens the network namespace while it lives
  std::uint64_t netns_inode = 0;  ///< tells it from another one that took the path
  std::vector<std::string> argv;
  std::string rootfs;             ///< empty: the host's file system
  std::string host_network;       ///< "host" or "none" where the sandbox has no endpoint by choice
  std::vector<std::string> extra_hosts;  ///< "IP\tNAME" lines for /etc/hosts
  Labels labels;
  bool auto_remove = false;
  bool tty = false;
  bool log = false;               ///< is there a log file (detached)
  std::int32_t pid = 0;           ///< the process, in the host's pid namespace
  std::uint64_t pid_start = 0;    ///< its start time (proc(5), field 22): a recycled pid differs
  std::int32_t shim_pid = 0;
  std::uint64_t shim_start = 0;
  std::int32_t exit_code = 0;
  std::int64_t created = 0;
  std::int64_t started = 0;
  std::int64_t finished = 0;
  std::vector<std::string> endpoints;  ///< ids, oldest first
};

}  // namespace berth
