// The engine: everything berth does, as requests with results.
//
// Theory of operation: an Engine belongs to one instance (a store in `root`, handles in `run`) and
// acts in the network namespace that its process is in. A request is planned from the stored state,
// journalled, applied to the kernel as a whole and recorded, all under the instance lock, so that
// any number of processes may use one instance at the same time. What fails is undone; what a
// killed process left half-done, the next request of any process rolls back (or finishes, if it
// removed).
//
//   auto engine = Engine::open({});
//   auto network = engine->create_network({.name = "web"});
//   auto endpoint = engine->connect({.network = "web", .target = "netns:/run/netns/blue"});
//
// plan(request) tells what a request would do, and changes nothing.
// Threading: an Engine is used by one thread at a time, always from the network namespace in which it
// was first used; several Engines are independent.
#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "berth/announce.h"
#include "berth/event.h"
#include "berth/network.h"
#include "berth/result.h"

namespace berth {

struct Config {
  std::string root = "/var/lib/berth";  ///< directory of the store, made (0700) where missing
  std::string run = "/run/berth";       ///< directory of the lock, namespace handles and logs
  std::vector<AddressPool> pools;       ///< where unasked subnets come from; empty: Docker's
  std::string docker_host = "unix:///var/run/docker.sock";  ///< where docker:NAME is asked for
  std::string program;     ///< the berth program; empty: this process's own
  std::string shim;        ///< the berth-shim program; empty: beside `program`
  bool only_plan = false;  ///< make nothing, not even a store: an instance that is none yet is
                           ///< planned for as a new one, in memory
};

/// A target of connect and the like: a sandbox's name, id or id prefix; "netns:PATH"; "pid:N"; a
/// container of somebody else's runtime: "docker:NAME", "podman:NAME", "oci:ID", "oci:FILE" with the
/// state that an OCI runtime keeps or prints, "oci:-" with that on standard input.
using Target = std::string;

struct CreateNetwork {
  std::string name;
  std::string driver = "bridge";
  std::vector<SubnetRequest> subnets;  ///< a family without one: from the pools, where it is wanted
  bool ipv4 = true;
  std::optional<bool> ipv6;  ///< none: if an IPv6 subnet is given
  bool internal = false;
  bool attachable = false;
  bool config_only = false;  ///< keep it as a template: nothing is made
  std::string config_from;   ///< take subnets and options from this template
  std::string ipam;          ///< default, dhcp or null (none); empty: default
  Labels ipam_options;
  Labels labels;
  Labels options;  ///< Docker's com.docker.network.* names, netavark's, and berth's own
  std::vector<Route> routes;
  bool ignore_existing = false;  ///< a network of that name is right as it is, whatever it is like
  std::string adopt;  ///< a bridge that is there already and becomes the network's: its addresses
                      ///< give subnet and gateway, and it outlives the network
};

/// Changes what can be changed of a network that is in use.
struct UpdateNetwork {
  std::string network;
  Labels add_labels;                       ///< replaces values of labels that are there
  std::vector<std::string> remove_labels;  ///< keys; one that is not there is fine
};

struct RemoveNetworks {
  std::vector<std::string> networks;  ///< names, ids or id prefixes
  bool force = false;                 ///< detach who still uses them; what is not there is fine
};

/// With ports alone, of a target that is on the network already: as Publish.
struct Connect {
  std::string network;
  Target target;
  EndpointOptions options;
  std::vector<PortSpec> ports;
};

struct Disconnect {
  std::string network;
  Target target;
  bool force = false;           ///< go on past errors of the kernel and forget the endpoint
  std::optional<Ip> address{};  ///< with an empty `network`: the endpoint that has it; neither: the
                                ///< target's only one
};

/// Publishes ports of an endpoint that is there already, or takes them back. An empty `network`: that
/// of the target's only endpoint.
struct Publish {
  std::string network;
  Target target;
  std::vector<PortSpec> ports;
};
struct Unpublish {
  std::string network;
  Target target;
  std::vector<PortMapping> ports;
};

struct CreateSandbox {
  std::string name;      ///< empty: made up
  std::string hostname;  ///< empty: the first 12 digits of the id
};

/// One of the networks that a sandbox starts on.
struct Attachment {
  std::string network;
  EndpointOptions options;
};
/// Parses what `run --network` takes: a name or mode; podman's NAME:KEY=VALUE,...; Docker's
/// name=NAME,KEY=VALUE,... (a field in double quotes may hold commas). The keys are those of both:
/// ip, ip6, mac (mac-address), alias, link-local-ip, ifname (interface_name), host_ifname
/// (host_interface_name), gw-priority, link and driver-opt=K=V.
[[nodiscard]] Result<Attachment> parse_attachment(std::string_view text);

struct RunProcess {
  std::string name;        ///< empty: made up
  std::string hostname;    ///< empty: the first 12 digits of the id; of mode host, the host's
  std::string domainname;  ///< empty: none
  /// Network names; or one of host, none, container:NAME and ns:PATH alone. Empty: bridge.
  std::vector<Attachment> networks;
  std::vector<PortSpec> ports;         ///< published by the endpoint that the default route goes by
  std::vector<std::string> add_hosts;  ///< NAME:IP, IP may be host-gateway
  std::vector<std::string> dns, dns_search, dns_options;  ///< empty: the host's
  Labels labels;
  std::string rootfs;      ///< empty: the host's file system
  std::string workdir;     ///< empty: /
  std::string entrypoint;  ///< a program that argv are the arguments of; empty: argv is all
  std::vector<std::string> argv;
  std::vector<std::string>
      env;  ///< K=V; the whole environment, but for HOME and HOSTNAME if missing
  Confinement confinement;
  bool detach = false;
  bool tty = false;
  bool open_stdin = false;
  bool auto_remove = false;
};

struct RemoveSandboxes {
  std::vector<Target> targets;
  bool force = false;  ///< kill what runs; what is not there is fine
};

/// SIGTERM (or `signal`), and after `timeout` SIGKILL, for all at once.
struct StopSandboxes {
  std::vector<Target> targets;
  std::chrono::seconds timeout{10};
  int signal = SIGTERM;
};

/// Compares what should be with what is, and repairs it.
struct Reconcile {};

/// Removes everything that the instance made. `foreign`: instead of that, what another instance made
/// in this network namespace whose store is lost.
struct Reset {
  bool foreign = false;
};

/// How one of several things went, under the name it was asked for by.
struct Outcome {
  std::string reference;
  Status status;
};

/// A plan as a person sees it.
struct PlanText {
  std::vector<std::string> commands;  ///< shell commands in order (ip, bridge, nft, sysctl, ...)
  std::string json;                   ///< the typed operations
};

/// A process that run() has started. A foreground one must be waited for; for a detached one
/// dropping the object is right.
class RunningProcess {
 public:
  virtual ~RunningProcess() = default;
  /// Forwards signals and waits until the process has ended and everything of it is cleaned up.
  /// Its exit code, 128 + N when signal N killed it.
  virtual int wait() = 0;
};
struct Started {
  Sandbox sandbox;
  std::unique_ptr<RunningProcess> process;
};
/// Why run() could not: `exit_code` follows docker run: 125 berth itself, 126 the command cannot be
/// executed, 127 it was not found.
struct RunError {
  Error error;
  int exit_code = 125;
};

struct Info {
  std::string version;
  std::string root, run;
  std::string kernel;
  std::uint64_t netns_inode = 0;
  std::size_t networks = 0, sandboxes = 0, running = 0, endpoints = 0, ports = 0;
  bool ip_forward = false;
  bool ip_forward_by_berth = false;
};

/// One difference that reconcile found, and whether it was mended.
struct Repair {
  std::string what;
  Status status;
};

/// Addresses of one subnet. Numbers beyond 2^64-1 are given as that.
struct SubnetUse {
  std::string network;
  Cidr subnet;
  std::uint64_t in_use = 0;     ///< by endpoints
  std::uint64_t reserved = 0;   ///< nobody's to have: network, broadcast, gateway, auxiliary ones
  std::uint64_t available = 0;  ///< of the range, for endpoints that ask for none in particular
};
struct DiskUse {
  std::uint64_t store_bytes = 0;
  std::uint64_t log_bytes = 0;
  std::vector<SubnetUse> subnets;
};

/// While it lives, all that its engine reads is of one moment, and what would change the instance is
/// refused. It must end before the engine does.
using Snapshot = std::shared_ptr<const void>;

/// For a DHCP client that an engine has started: notes what the environment says of `event`
/// (udhcpc's names for both) and gives it to the endpoint. Acts in the host's network namespace,
/// which the client has kept, wherever the caller is.
[[nodiscard]] Status record_dhcp_event(const Config& config, std::string_view event);

class Engine {
 public:
  /// Opens the instance, making its directories and its predefined networks where they are missing.
  [[nodiscard]] static Result<Engine> open(Config config);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  // Networks. References are names, ids or unique prefixes of ids.
  [[nodiscard]] Result<Network> create_network(const CreateNetwork& request);
  [[nodiscard]] Result<Network> update_network(const UpdateNetwork& request);
  [[nodiscard]] std::vector<Outcome> remove_networks(const RemoveNetworks& request);
  [[nodiscard]] Result<std::vector<Network>> networks();  ///< by name
  /// Those that somebody made and nobody is connected to, without templates: what prune removes.
  [[nodiscard]] Result<std::vector<Network>> unused_networks();
  [[nodiscard]] Result<std::vector<SubnetUse>> subnet_use(const Network& network);
  [[nodiscard]] Result<Network> network(const std::string& reference);
  [[nodiscard]] Result<std::vector<Endpoint>> endpoints_of_network(const std::string& network_id);

  // Endpoints.
  [[nodiscard]] Result<Endpoint> connect(const Connect& request);
  [[nodiscard]] Status disconnect(const Disconnect& request);
  [[nodiscard]] Result<Endpoint> publish(const Publish& request);
  [[nodiscard]] Result<Endpoint> unpublish(const Unpublish& request);
  /// What is to be said of these endpoints, just made, to their neighbours: see announce().
  [[nodiscard]] Result<std::vector<Announcement>> announcements(
      std::span<const Endpoint> endpoints);

  // Sandboxes.
  [[nodiscard]] Result<Sandbox> create_sandbox(const CreateSandbox& request);
  [[nodiscard]] std::expected<Started, RunError> run(const RunProcess& request);
  /// Returns when the processes are gone and what they leave is taken down.
  [[nodiscard]] std::vector<Outcome> stop_sandboxes(const StopSandboxes& request);
  [[nodiscard]] std::vector<Outcome> remove_sandboxes(const RemoveSandboxes& request);
  [[nodiscard]] Result<std::vector<Sandbox>> sandboxes();  ///< newest first; dead ones collected
  [[nodiscard]] Result<Sandbox> sandbox(const Target& target);
  /// Those that it has now, oldest first, whichever it had when `sandbox` was read.
  [[nodiscard]] Result<std::vector<Endpoint>> endpoints_of_sandbox(const Sandbox& sandbox);
  /// The files that a sandbox's /etc/hosts, hostname and resolv.conf come from, and its log.
  [[nodiscard]] std::string sandbox_file(const Sandbox& sandbox, std::string_view name) const;
  /// Records that a process sandbox ended: its shim calls this through the berth program.
  [[nodiscard]] Status sandbox_exited(const std::string& id, int exit_code);

  // The instance.
  /// For several reads that belong together: one alone is of one moment anyway. What has ended
  /// without a word is collected first: of all sandboxes, or of what `target` names.
  [[nodiscard]] Result<Snapshot> snapshot();
  [[nodiscard]] Result<Snapshot> snapshot(const Target& target);
  [[nodiscard]] Result<Info> info();
  [[nodiscard]] Result<DiskUse> disk_use();
  /// Compares what should be with what is and repairs it; what it found, mended or not.
  [[nodiscard]] Result<std::vector<Repair>> reconcile();
  /// Removes everything that this instance made: sandboxes, networks, table, store.
  [[nodiscard]] std::vector<Error> reset();
  /// The same, also where the store cannot be read: then what it described is found without it.
  [[nodiscard]] static std::vector<Error> reset(const Config& config);
  /// Removes what another instance made in this network namespace whose store is lost; an error
  /// where that is still there.
  [[nodiscard]] Status reset_foreign();

  /// Calls `handler` with each event of the changes that this engine makes from now on, on the thread
  /// that makes the change and under the instance's lock: it must not use the engine.
  void on_event(std::function<void(const Event&)> handler);

  // What the request would do.
  using Request = std::variant<CreateNetwork, UpdateNetwork, RemoveNetworks, Connect, Disconnect,
                               Publish, Unpublish, CreateSandbox, RunProcess, StopSandboxes,
                               RemoveSandboxes, Reconcile, Reset>;
  [[nodiscard]] Result<PlanText> plan(const Request& request);

  class Impl;

 private:
  friend struct EngineAccess;  // src/engine/access.h: for tests that inject faults
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth
