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

enum class Driver : std::uint8_t { kBridge, kMacvlan, kIpvlan, kHost, kNone };
[[nodiscard]] std::string_view name(Driver driver);  ///< Docker's: "bridge", ..., "host", "null"

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
  std::optional<Cidr> subnet;     ///< none: the first free block of the default pools
  std::optional<IpRange> range;   ///< addresses are given out from here; none: the whole subnet
  std::optional<Ip> gateway;      ///< none: the subnet's first usable address
  std::map<std::string, Ip> aux;  ///< addresses kept for others, by name; never given out
};

/// A subnet as it is.
struct Subnet {
  Cidr cidr;
  std::optional<IpRange> range;
  std::optional<Ip> gateway;  ///< none: nobody routes for it, and no address is kept for a gateway
  std::map<std::string, Ip> aux;

  friend bool operator==(const Subnet&, const Subnet&) = default;
};

/// Where a network's addresses come from.
enum class Ipam : std::uint8_t {
  kBerth,  ///< the network's subnets: berth gives them out ("default", netavark's "host-local")
  kDhcp,   ///< a DHCP server on the network's segment
  kNone,   ///< nowhere: interfaces come up without addresses ("null")
};
[[nodiscard]] std::string_view name(Ipam ipam);

/// What a route does with what goes to its destination (ip-route(8)).
enum class RouteKind : std::uint8_t { kUnicast, kBlackhole, kUnreachable, kProhibit };
[[nodiscard]] std::string_view name(RouteKind kind);

/// A route that every sandbox of a network gets.
struct Route {
  Cidr destination;
  RouteKind kind = RouteKind::kUnicast;
  std::optional<Ip> gateway;  ///< of a unicast one; none: the destination is on the link
  std::uint32_t metric = 0;   ///< less is preferred; 0: the network's
  std::string via;  ///< the name of a sandbox that is the gateway: its address on the network

  friend bool operator==(const Route&, const Route&) = default;
};
/// Parses DEST,GATEWAY[,METRIC], DEST,via=SANDBOX[,METRIC] and
/// DEST,blackhole|unreachable|prohibit[,METRIC].
[[nodiscard]] Result<Route> parse_route(std::string_view text);
/// The same in words, for errors.
[[nodiscard]] std::string describe(const Route& route);

/// How endpoints of a network look, whatever its driver.
struct LinkSettings {
  std::uint32_t mtu = 0;      ///< bytes; 0: that of the host's default-route or parent device
  std::string ifname_prefix;  ///< of interfaces in sandboxes; empty: eth
  std::uint32_t metric = 0;   ///< of the routes in sandboxes; 0: the kernel's default
  bool default_route = true;  ///< may a sandbox's default route go by this network
  std::vector<Route> routes;
  int announcements = 3;  ///< how often an address is announced (berth/announce.h): 0 to 3
  int announce_interval_ms = 1000;  ///< between two announcements: 100 to 2000
};

/// What may reach containers by a route to their own addresses, and under whose address they leave
/// (Docker's com.docker.network.bridge.gateway_mode_ipv4 and _ipv6).
enum class GatewayMode : std::uint8_t {
  kNat,             ///< nobody from outside; masqueraded
  kNatUnprotected,  ///< everybody; masqueraded
  kRouted,          ///< everybody, published ports only; under their own addresses
  kIsolated,        ///< not even the host: the bridge has no address (internal networks)
};
[[nodiscard]] std::string_view name(GatewayMode mode);

/// The bridge driver's options, parsed (Docker's com.docker.network.* names in model/options.h).
struct BridgeSettings {
  IfName device;         ///< the bridge device
  bool adopted = false;  ///< it was there before the network: never changed beyond what the network
                         ///< needs, never removed
  bool managed = true;   ///< unmanaged: neither firewall nor sysctls are touched, and the bridge
                         ///< gets no address
  bool icc = true;       ///< may the network's containers talk to each other
  bool masquerade = true;  ///< are they hidden behind the host's address on their way out
  GatewayMode mode4 = GatewayMode::kNat;
  GatewayMode mode6 = GatewayMode::kNat;
  bool inhibit_ipv4 = false;       ///< the bridge gets no IPv4 address; somebody else routes
  std::optional<Ip> host_binding;  ///< where a port is published that names no host address; none:
                                   ///< every address, of both families where the network has both
  std::optional<Ip> snat4, snat6;  ///< leave under this address instead of the outgoing device's
  bool translate6to4 = true;       ///< published on IPv6 too where the container has IPv4 alone
  std::uint16_t vlan = 0;          ///< access VLAN of the ports; 0: no VLAN filtering
  bool port_isolation = false;     ///< ports reach the bridge and nothing else (`isolated on`)
  bool mac_spoof_check = false;    ///< a port sends from its endpoint's MAC address only
  IfName vrf;                      ///< the bridge is a member of it; empty: none
  std::vector<IfName> trusted;     ///< host interfaces that may reach published container ports
                                   ///< directly
};

/// How macvlan's sub-interfaces of one parent talk to one another (ip-link(8), "MACVLAN Type").
enum class MacvlanMode : std::uint8_t { kBridge, kPrivate, kVepa, kPassthru, kSource };
enum class IpvlanMode : std::uint8_t { kL2, kL3, kL3s };
enum class IpvlanFlag : std::uint8_t { kBridge, kPrivate, kVepa };
[[nodiscard]] std::string_view name(MacvlanMode mode);
[[nodiscard]] std::string_view name(IpvlanMode mode);
[[nodiscard]] std::string_view name(IpvlanFlag flag);

/// Options of the drivers that put sub-interfaces on a parent: macvlan and ipvlan.
struct ParentSettings {
  enum class Origin : std::uint8_t {
    kGiven,  ///< it was there before
    kVlan,   ///< berth made it, as VLAN `vlan` of `lower`
    kDummy,  ///< berth made it, because no parent was named: the network is internal
  };
  IfName device;
  Origin origin = Origin::kGiven;
  IfName lower;  ///< of a VLAN: the device below
  std::uint16_t vlan = 0;
  MacvlanMode macvlan_mode = MacvlanMode::kBridge;
  IpvlanMode ipvlan_mode = IpvlanMode::kL2;
  IpvlanFlag ipvlan_flag = IpvlanFlag::kBridge;
  std::vector<Mac> sources;  ///< macvlan source mode: who may send to an endpoint
  std::optional<std::int32_t> broadcast_limit;  ///< netavark's bclim; -1: no broadcast queue
  bool host_access = false;  ///< a sub-interface on the host, by which host and containers talk
  IfName host_device;        ///< its name, where host_access
  std::vector<Cidr> host_addresses;  ///< its addresses with their subnets' prefix lengths, one for
                                     ///< each subnet
};
[[nodiscard]] std::string_view name(ParentSettings::Origin origin);

struct Network {
  std::string id;
  std::string name;
  Driver driver = Driver::kBridge;
  std::int64_t created = 0;
  bool ipv4 = true;
  bool ipv6 = false;
  bool internal = false;     ///< no way out, no way in
  bool attachable = false;   ///< for display: networks of one host always are
  bool predefined = false;   ///< bridge, host, none: always there, cannot be removed
  bool config_only = false;  ///< a template that other networks are made from; takes no endpoints
  std::string config_from;   ///< the template that this one was made from
  Labels labels;
  Labels options;  ///< as given, for display
  Ipam ipam = Ipam::kBerth;
  Labels ipam_options;  ///< as given, for display
  std::vector<Subnet> subnets;
  LinkSettings link;
  BridgeSettings bridge;  ///< of the bridge driver
  ParentSettings parent;  ///< of macvlan and ipvlan
};
/// The driver as Docker names it: a template's is "null", whatever its networks' will be.
[[nodiscard]] std::string_view driver_name(const Network& network);

/// "-p": ports to publish. host_first 0: any free port. The ranges pair up one to one, or a range
/// of host ports offers its first free one to a single container port.
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

/// A published port as it is. host_ip 0.0.0.0: every IPv4 address of the host; [::]: every IPv6
/// one.
struct PortMapping {
  Protocol protocol = Protocol::kTcp;
  Ip host_ip;
  Port host_port = 0;
  Port container_port = 0;
  friend auto operator<=>(const PortMapping&, const PortMapping&) = default;
};

/// What may be asked of one endpoint; what is absent, berth chooses.
struct EndpointOptions {
  std::optional<Ip> ip4, ip6;    ///< none: the first free address of the range
  std::optional<Mac> mac;        ///< none: 02:42 and the IPv4 address
  std::vector<Cidr> link_local;  ///< further addresses, which nobody gives out
  /// Addresses as they are to be, in the network's subnets or not: then berth gives out none. The
  /// first of each family is the endpoint's.
  std::vector<Cidr> addresses;
  std::optional<Ip> gateway4, gateway6;  ///< with `addresses`: the default route goes by it
  std::vector<std::string> aliases;
  std::vector<std::string> links;  ///< NAME[:ALIAS] of other sandboxes, for the hosts file
  IfName ifname;        ///< in the sandbox; empty: the network's prefix and the first free number
  IfName host_ifname;   ///< on the host; empty: veth and 7 hex digits
  int gw_priority = 0;  ///< the default route goes by the endpoint with the highest
  std::uint16_t vlan = 0;  ///< access VLAN of its bridge port; 0: the network's
  Labels driver_options;   ///< Docker's com.docker.network.endpoint.* names

  friend bool operator==(const EndpointOptions&, const EndpointOptions&) = default;
};

/// A link-local address as an interface has it: with the prefix of 169.254.0.0/16 or fe80::/64.
[[nodiscard]] Result<Cidr> parse_link_local(std::string_view text);

struct Endpoint {
  std::string id;
  std::string network_id;
  std::string network_name;
  std::string sandbox_id;
  IfName ifname;                 ///< in the sandbox: eth0
  IfName host_ifname;            ///< on the host: veth and 7 hex digits; empty: there is none
  std::optional<Cidr> address4;  ///< the address with its subnet's prefix length
  std::optional<Cidr> address6;
  std::optional<Ip> gateway4;  ///< none: the network is no way out in that family
  std::optional<Ip> gateway6;
  bool on_link = false;   ///< a default route by it needs no gateway (ipvlan's l3 modes)
  bool default4 = false;  ///< does the sandbox's IPv4 default route go by this endpoint
  bool default6 = false;
  Mac mac;
  std::uint32_t mtu = 0;
  std::vector<std::string> sysctls;  ///< KEY=VALUE in the sandbox, KEY with slashes
  std::vector<Route> routes;         ///< the network's, with gateway and metric as they are here
  std::vector<PortMapping> ports;
  /// Where else `ports` are published: on IPv6 for the IPv4 address, by the translator. Not listed.
  std::vector<PortMapping> translated;
  EndpointOptions asked;  ///< as asked for
};

/// Its addresses on the network: address4, address6, and further ones that were asked for.
[[nodiscard]] std::vector<Cidr> addresses_of(const Endpoint& endpoint);

enum class SandboxKind : std::uint8_t {
  kProcess,    ///< `berth run`: a process and its namespaces; they end with it
  kNamespace,  ///< `berth sandbox create`: a namespace held by a file in --run
  kForeign,    ///< netns:PATH, pid:N: somebody else's namespace
};
[[nodiscard]] std::string_view name(SandboxKind kind);
enum class SandboxState : std::uint8_t { kCreated, kRunning, kExited };
[[nodiscard]] std::string_view name(SandboxState state);

/// What a sandbox's network consists of.
enum class NetworkMode : std::uint8_t {
  kNetworks,   ///< endpoints on networks
  kNone,       ///< a namespace with lo alone
  kHost,       ///< the host's own namespace
  kContainer,  ///< another sandbox's namespace, hosts file and ports
  kPath,       ///< a namespace that somebody else made
};
[[nodiscard]] std::string_view name(NetworkMode mode);

/// A file or directory of the host that a sandbox sees.
struct BindMount {
  std::string source;  ///< absolute, on the host
  std::string target;  ///< absolute, in the sandbox
  bool read_only = false;

  friend bool operator==(const BindMount&, const BindMount&) = default;
};

/// Who a sandbox's process is and what it may do.
struct Confinement {
  std::string user;  ///< USER[:GROUP] of the sandbox's /etc/passwd and /etc/group; empty: root
  std::vector<std::string> cap_add, cap_drop;  ///< from Docker's default set; ALL
  bool privileged = false;  ///< all capabilities, and the kernel's files can be written
  bool no_new_privileges = false;
  bool read_only = false;  ///< the root file system
  bool init = false;       ///< an init of berth's runs the command
  std::vector<BindMount> mounts;
  Labels sysctls;

  friend bool operator==(const Confinement&, const Confinement&) = default;
};

struct Sandbox {
  std::string id;
  std::string name;
  std::string hostname;
  std::string domainname;  ///< of its UTS namespace and its hosts file; empty: none
  SandboxKind kind = SandboxKind::kProcess;
  SandboxState state = SandboxState::kCreated;
  std::string netns_path;         ///< opens the network namespace while it lives
  std::uint64_t netns_inode = 0;  ///< tells it from another one that took the path; 0: the
                                  ///< namespace is not the sandbox's own
  std::vector<std::string> argv;
  std::string rootfs;  ///< empty: the host's file system
  NetworkMode mode = NetworkMode::kNetworks;
  std::string first_network;  ///< the name of the first one that it was started on; empty: none
  std::string shares;         ///< of kContainer: the id of the sandbox whose namespace it is
  std::vector<std::string> extra_hosts;  ///< NAME:IP or NAME:host-gateway, for /etc/hosts
  Labels labels;
  bool auto_remove = false;
  bool tty = false;
  bool log = false;             ///< is there a log file (detached)
  std::int32_t pid = 0;         ///< the process, in the host's pid namespace
  std::uint64_t pid_start = 0;  ///< its start time (proc(5), field 22): a recycled pid differs
  std::int32_t shim_pid = 0;
  std::uint64_t shim_start = 0;
  std::int32_t exit_code = 0;
  std::int64_t created = 0;
  std::int64_t started = 0;
  std::int64_t finished = 0;
  std::vector<std::string> endpoints;  ///< ids, oldest first
  std::vector<PortMapping> ports;  ///< of `run -p`: published by whichever endpoint is the way out
  std::vector<std::string> dns, dns_search, dns_options;  ///< of its resolv.conf; empty: the host's
  std::string entrypoint;                                 ///< runs with argv as its arguments
  std::string workdir;                                    ///< empty: /
  std::vector<std::string> env;                           ///< K=V
  Confinement confinement;
};

/// The predefined network that stands for a sandbox's mode: "host", "none"; else "".
[[nodiscard]] std::string_view predefined_network(const Sandbox& sandbox);
/// Docker's NetworkMode of a sandbox that is on no network: "host", "none", "container:ID" or
/// "ns:PATH"; of others "".
[[nodiscard]] std::string network_mode(const Sandbox& sandbox);

}  // namespace berth
