// What packets pay on the way to a container: TCP throughput, the time for one byte and its answer,
// and new connections per second, for every kind of network, each against the host's own network in
// the same run.
//
// The host's own network is the way from another machine (a namespace joined to the host's by a
// veth pair) to a server on the host: no bridge, no forwarding, no translation. Every row says from
// where to where it goes. Each round measures every row once, another one first each time; what is
// shown are medians over the rounds.

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "berth/engine.h"
#include "harness.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/netns/netns.h"
#include "kernel/sysctl/sysctl.h"
#include "traffic.h"

namespace berth::bench {
namespace {

constexpr Port kServerPort = 8080;
constexpr Port kPublishedPort = 9001;

constexpr const char* kHostAddress = "10.98.0.1/24";  // on the way to the other machine
constexpr const char* kOutsideAddress = "10.98.0.2/24";
constexpr const char* kHostAddress6 = "fd00:98::1/64";
constexpr const char* kOutsideAddress6 = "fd00:98::2/64";

struct Path {
  std::string name;
  std::string way;  // from where to where
  kernel::Netns client;
  Ip address;
  Port port = kServerPort;
  std::vector<Figures> rounds;
};

Cidr cidr(std::string_view text) {
  return must(Cidr::parse(text));
}

IfName link_name(std::string_view text) {
  return must(IfName::parse(text));
}

// The other machine: joined to the host by a veth pair, its default route by the host.
std::string make_outside() {
  const auto path = make_netns("outside");
  const auto netns = must(kernel::Netns::open(path));
  auto host = must(kernel::Socket::open(NETLINK_ROUTE));
  auto outside = must(kernel::open_socket_in(netns, NETLINK_ROUTE));
  const auto uplink = link_name("uplink0"), eth0 = link_name("eth0");
  must(host.request(kernel::add_veth(
      {.name = uplink, .mac = {}, .peer = {.name = eth0, .mac = {}, .netns_fd = netns.fd()}})));
  must(outside.request(kernel::set_link_up(eth0, true)));
  const auto give = [](kernel::Socket& socket, const IfName& link, const char* v4, const char* v6) {
    const auto index = must(kernel::link_index(socket, link)).value();
    for (const char* address : {v4, v6})
      must(socket.request(kernel::add_address(index, cidr(address))));
    return index;
  };
  (void)give(host, uplink, kHostAddress, kHostAddress6);
  kernel::Route by_host;
  by_host.link_index = give(outside, eth0, kOutsideAddress, kOutsideAddress6);
  by_host.gateway = cidr(kHostAddress).ip();
  must(outside.request(kernel::add_route(by_host)));
  return path;
}

// What the rows lead over, and the servers at their ends.
class Site {
 public:
  explicit Site(const Options& options)
      : engine_(must(Engine::open({.root = scratch_dir() + "/root",
                                   .run = run_dir(),
                                   .pools = {},
                                   .program = options.berth,
                                   .shim = {}}))),
        outside_(make_outside()) {}
  ~Site() {
    servers_.clear();
    for (auto& error : engine_.reset()) fmt::print(stderr, "bench: reset: {}\n", error.message);
  }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  [[nodiscard]] std::vector<Path> paths() {
    std::vector<Path> all;
    const auto add = [&](std::string_view name, Result<Path> path) {
      if (path)
        all.push_back(*std::move(path));
      else
        fmt::print("left out: {}: {}\n", name, path.error().message);
    };
    all.push_back(must(host()));
    add("container", container());
    add("bridge", bridge());
    add("macvlan", macvlan());
    add("routed", routed());
    add("published", published());
    add("published on IPv6", translated());
    return all;
  }

 private:
  Result<Path> host() {
    serve(must(kernel::Netns::current()));
    return path("host", "another machine -> the host", outside_, cidr(kHostAddress).ip());
  }

  // Two sandboxes with one namespace.
  Result<Path> container() {
    const auto idle = [&](const std::string& name, const std::string& mode) -> Result<Sandbox> {
      auto started = engine_.run({.name = name,
                                  .hostname = {},
                                  .domainname = {},
                                  .networks = {{.network = mode, .options = {}}},
                                  .argv = {"/bin/sleep", "1000"},
                                  .detach = true});
      if (!started) return std::unexpected(started.error().error);
      return started->sandbox;
    };
    const auto owner = TRY(idle("owner", "none"));
    const auto sharer = TRY(idle("sharer", "container:owner"));
    serve(TRY(kernel::Netns::open_pid(owner.pid)));
    return Path{"container",
                "sandbox -> another one in its namespace, over lo",
                TRY(kernel::Netns::open_pid(sharer.pid)),
                Ip::v4(127, 0, 0, 1),
                kServerPort,
                {}};
  }

  Result<Path> bridge() {
    TRY(make_network("web", {}, "10.90.0.0/24"));
    web_ = TRY(connect_server("web", {publish(kPublishedPort)}));
    return path("bridge", "sandbox -> bridge -> sandbox", TRY(connect_client("web")),
                web_->address4->ip());
  }

  Result<Path> macvlan() {
    auto socket = TRY(kernel::Socket::open(NETLINK_ROUTE));
    const auto far = link_name("lan0-far");
    TRY(socket.request(kernel::add_veth(
        {.name = link_name("lan0"), .mac = {}, .peer = {.name = far, .mac = {}}})));
    TRY(socket.request(kernel::set_link_up(far, true)));
    TRY(make_network("lan", {{"parent", "lan0"}}, "10.91.0.0/24", "macvlan"));
    const auto server = TRY(connect_server("lan", {}));
    return path("macvlan", "sandbox -> sandbox on the same parent", TRY(connect_client("lan")),
                server.address4->ip());
  }

  Result<Path> routed() {
    TRY(make_network("open", {{"com.docker.network.bridge.gateway_mode_ipv4", "routed"}},
                     "10.92.0.0/24"));
    const auto server = TRY(connect_server("open", {publish(0)}));
    return path("routed", "another machine -> host -> bridge -> sandbox's own address", outside_,
                server.address4->ip());
  }

  Result<Path> published() {
    auto made = path("published", "another machine -> port of the host -> bridge -> sandbox",
                     outside_, cidr(kHostAddress).ip());
    made.port = kPublishedPort;
    return made;
  }

  Result<Path> translated() {
    if (!web_ || web_->translated.empty())
      return fail(ErrorKind::kUnsupported, "this kernel does not allow the translator");
    auto made = path("published on IPv6",
                     "another machine -> IPv6 port of the host -> translator -> bridge -> sandbox "
                     "with IPv4 alone",
                     outside_, cidr(kHostAddress6).ip());
    made.port = kPublishedPort;
    return made;
  }

  static Path path(std::string name, std::string way, const std::string& client, Ip address) {
    return {std::move(name), std::move(way), must(kernel::Netns::open(client)),
            address,         kServerPort,    {}};
  }

  static PortSpec publish(Port host_port) {
    return {.protocol = Protocol::kTcp,
            .host_ip = {},
            .host_first = host_port,
            .host_last = host_port,
            .container_first = kServerPort,
            .container_last = kServerPort};
  }

  void serve(const kernel::Netns& netns) {
    servers_.push_back(std::make_unique<Server>(netns, kServerPort));
  }

  Status make_network(const std::string& name, const Labels& options, std::string_view subnet,
                      const std::string& driver = "bridge") {
    CreateNetwork request{.name = name, .driver = driver};
    request.subnets.push_back({.subnet = cidr(subnet), .range = {}, .gateway = {}, .aux = {}});
    request.options = options;
    TRY(engine_.create_network(request));
    return {};
  }

  Result<Endpoint> connect_server(const std::string& network, const std::vector<PortSpec>& ports) {
    const auto netns = make_netns(network);
    auto endpoint = TRY(engine_.connect(
        {.network = network, .target = "netns:" + netns, .options = {}, .ports = ports}));
    serve(TRY(kernel::Netns::open(netns)));
    return endpoint;
  }

  Result<std::string> connect_client(const std::string& network) {
    const auto netns = make_netns(network + "-client");
    TRY(engine_.connect(
        {.network = network, .target = "netns:" + netns, .options = {}, .ports = {}}));
    return netns;
  }

  Engine engine_;
  std::string outside_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::optional<Endpoint> web_;  // the published server on the bridge
};

// The median over the rounds of one of the figures.
double median(const Path& path, double Figures::* figure) {
  Samples samples;
  for (const auto& round : path.rounds) samples.add(round.*figure);
  return samples.median();
}

struct Column {
  const char* name;
  double Figures::* figure;
};
constexpr Column kThroughput{"throughput_gbit_per_s", &Figures::gigabits_per_second};
constexpr Column kMedianTime{"round_trip_p50_us", &Figures::round_trip_p50};
constexpr Column kTailTime{"round_trip_p99_us", &Figures::round_trip_p99};
constexpr Column kConnections{"connections_per_s", &Figures::connections_per_second};

double ratio(const Path& path, const Path& host, const Column& column) {
  return median(path, column.figure) / median(host, column.figure);
}

void print(const std::vector<Path>& paths) {
  const auto& host = paths.front();
  fmt::print("{:<18}{:>9}{:>7}{:>10}{:>9}{:>7}{:>10}{:>7}\n", "", "Gbit/s", "ratio", "p50 us",
             "p99 us", "ratio", "conn/s", "ratio");
  for (const auto& path : paths)
    fmt::print("{:<18}{:>9.2f}{:>7.2f}{:>10.1f}{:>9.1f}{:>7.2f}{:>10.0f}{:>7.2f}\n", path.name,
               median(path, kThroughput.figure), ratio(path, host, kThroughput),
               median(path, kMedianTime.figure), median(path, kTailTime.figure),
               ratio(path, host, kMedianTime), median(path, kConnections.figure),
               ratio(path, host, kConnections));
  for (const auto& path : paths) fmt::print("{}: {}\n", path.name, path.way);
}

Json results_of(const std::vector<Path>& paths) {
  auto rows = Json::array();
  for (const auto& path : paths) {
    Json row{{"path", path.name}, {"way", path.way}, {"rounds", path.rounds.size()}};
    for (const auto& column : {kThroughput, kMedianTime, kTailTime, kConnections}) {
      row[column.name] = median(path, column.figure);
      row[std::string(column.name) + "_ratio"] = ratio(path, paths.front(), column);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void run_all(const Options& options) {
  using std::chrono::milliseconds;
  const Load load =
      options.quick ? Load{milliseconds(50), 200, 100} : Load{milliseconds(300), 3000, 1000};
  const std::size_t rounds = options.quick ? 3 : 21;
  Site site(options);
  auto paths = site.paths();

  const auto filtered = kernel::read_sysctl("net/bridge/bridge-nf-call-iptables");
  const bool bridge_netfilter = filtered && *filtered != "0";
  fmt::print("TCP, median of {} rounds; bridged frames {} through netfilter\n", rounds,
             bridge_netfilter ? "pass" : "do not pass");
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < paths.size(); ++turn) {
      auto& path = paths[(round + turn) % paths.size()];
      auto figures = measure(path.client, path.address, path.port, load);
      if (!figures) die(fmt::format("{} ({}): {}", path.name, path.way, figures.error().message));
      path.rounds.push_back(*figures);
    }
  }
  print(paths);
  write_results(options, {{"bridge_netfilter", bridge_netfilter}, {"paths", results_of(paths)}});
}

}  // namespace
}  // namespace berth::bench

int main(int argc, char** argv) {
  const auto options = berth::bench::parse_options(argc, argv);
  berth::bench::enter_private_namespaces();
  berth::bench::run_all(options);
}
