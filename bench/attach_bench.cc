// Attaching a namespace as a library call, against the raw floor (raw_attach.h): to one network of
// each kind, with many ports, and to four networks, with 10 sandboxes up; and to a bridge network
// with one published port with 10, 100 and 1,000 up.
//
// Each round attaches one namespace either way and detaches both again; which goes first changes
// with every round. Both use the same device and the same nft table. Before a row is measured, what
// the kernel has after either way is compared: the floor makes what berth makes, no less and no
// more. To four networks both attach one after another: berth by four calls of Engine::connect, as
// it has no one request for a namespace that others made.

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <cstdio>
#include <ranges>

#include "berth/engine.h"
#include "harness.h"
#include "kernel/netlink/link.h"
#include "kernel_objects.h"
#include "raw_attach.h"

namespace berth::bench {
namespace {

constexpr Port kContainerPort = 8080;
constexpr Port kFirstPort = 10000;   // of those that stay, one each
constexpr Port kLibraryPort = 9001;  // of the one that is measured, and those above
constexpr Port kRawPort = 9101;
constexpr int kUp = 10;

constexpr const char* kLibraryNetns = "/run/netns/library";
constexpr const char* kRawNetns = "/run/netns/raw";

struct Segment {
  std::string name;    // of the network
  std::string device;  // its bridge, or the parent of its macvlans
  Driver driver = Driver::kBridge;
  std::vector<Cidr> subnets;
};

// What one attach consists of. The default route goes by the first segment, which also publishes
// the ports.
struct Row {
  std::string name;
  std::vector<Segment> segments;
  int ports = 0;
  std::vector<int> sandboxes_up;
};

struct Side {
  Samples attach;
  Samples detach;
};

// The library gives out addresses from the lower half of a subnet; the floor has one of the upper.
Cidr library_range(const Cidr& subnet) {
  return {subnet.ip(), subnet.prefix() + 1};
}
Cidr raw_address(const Cidr& subnet) {
  const auto& first = subnet.ip();
  const auto upper_half = Uint128{1} << (first.bits() - subnet.prefix() - 1);
  return {Ip::from_number(first.family(), first.number() + upper_half + 2), subnet.prefix()};
}
Ip gateway_of(const Cidr& subnet) {
  return Ip::from_number(subnet.ip().family(), subnet.ip().number() + 1);
}

void make_network(Engine& engine, const Segment& segment) {
  CreateNetwork request{.name = segment.name, .driver = std::string(name(segment.driver))};
  for (const auto& subnet : segment.subnets)
    request.subnets.push_back(
        {.subnet = subnet, .range = library_range(subnet), .gateway = {}, .aux = {}});
  const bool macvlan = segment.driver == Driver::kMacvlan;
  request.options[macvlan ? "parent" : "com.docker.network.bridge.name"] = segment.device;
  must(engine.create_network(request));
}

// A macvlan's parent needs a carrier: the end of a veth pair whose other end is up.
void make_parent(const std::string& name) {
  auto socket = must(kernel::Socket::open(NETLINK_ROUTE));
  const auto parent = must(IfName::parse(name));
  const auto other = must(IfName::parse(name + "-far"));
  must(socket.request(
      kernel::add_veth({.name = parent, .mac = {}, .peer = {.name = other, .mac = {}}})));
  must(socket.request(kernel::set_link_up(other, true)));
}

// ---- the library --------------------------------------------------------------------------------

std::vector<Connect> requests(const Row& row, const std::string& netns, Port host_port, int ports) {
  std::vector<Connect> all;
  for (const auto& segment : row.segments)
    all.push_back(
        {.network = segment.name, .target = "netns:" + netns, .options = {}, .ports = {}});
  for (int i = 0; i < ports; ++i) {
    const auto host = static_cast<Port>(host_port + i);
    const auto container = static_cast<Port>(kContainerPort + i);
    all.front().ports.push_back({.protocol = Protocol::kTcp,
                                 .host_ip = {},
                                 .host_first = host,
                                 .host_last = host,
                                 .container_first = container,
                                 .container_last = container});
  }
  return all;
}

void attach(Engine& engine, const std::vector<Connect>& requests) {
  for (const auto& each : requests) must(engine.connect(each));
}

// The last first, so that no default route has to move.
void detach(Engine& engine, const std::vector<Connect>& requests) {
  for (const auto& each : requests | std::views::reverse)
    must(engine.disconnect({.network = each.network, .target = each.target}));
}

// ---- the floor ----------------------------------------------------------------------------------

std::vector<RawEndpoint> raw_endpoints(const Row& row) {
  std::vector<RawEndpoint> all;
  for (std::size_t i = 0; i < row.segments.size(); ++i) {
    const auto& segment = row.segments[i];
    const bool macvlan = segment.driver == Driver::kMacvlan;
    RawEndpoint endpoint{.kind = macvlan ? RawEndpoint::Kind::kMacvlan : RawEndpoint::Kind::kVeth,
                         .netns = kRawNetns,
                         .ifname = fmt::format("eth{}", i),
                         .device = static_cast<int>(if_nametoindex(segment.device.c_str())),
                         .host_link = fmt::format("vethraw{}", i),
                         .v4 = {},
                         .v6 = {},
                         .ports = {}};
    for (const auto& subnet : segment.subnets) {
      const RawAddress address{raw_address(subnet),
                               i == 0 ? std::optional(gateway_of(subnet)) : std::nullopt};
      if (subnet.ip().is_v4())
        endpoint.v4 = address;
      else
        endpoint.v6 = address;
    }
    all.push_back(std::move(endpoint));
  }
  for (int i = 0; i < row.ports; ++i)
    all.front().ports.push_back(
        {static_cast<Port>(kRawPort + i), static_cast<Port>(kContainerPort + i)});
  return all;
}

void attach(RawAttach& raw, const std::vector<RawEndpoint>& endpoints) {
  for (const auto& each : endpoints) raw.attach(each);
}

void detach(RawAttach& raw, const std::vector<RawEndpoint>& endpoints) {
  for (const auto& each : endpoints | std::views::reverse) raw.detach(each);
}

// ---- measuring ----------------------------------------------------------------------------------

// What `how.attach` adds to the kernel, on the host and in the namespace.
template <typename How, typename What>
KernelObjects objects_of(How& how, const What& what, const std::string& netns) {
  const auto host = host_objects();
  const auto inside = objects_in(netns);
  attach(how, what);
  auto objects = added(inside, objects_in(netns));
  for (const auto& [object, count] : added(host, host_objects()))
    objects["host: " + object] = count;
  detach(how, what);
  return objects;
}

void check_same_objects(const Row& row, Engine& engine, const std::vector<Connect>& requests,
                        RawAttach& raw, const std::vector<RawEndpoint>& endpoints) {
  const auto library = objects_of(engine, requests, kLibraryNetns);
  const auto floor = objects_of(raw, endpoints, kRawNetns);
  if (library != floor)
    die(fmt::format("{}: the floor does not make what berth makes:\nberth\n{}floor\n{}", row.name,
                    text(library), text(floor)));
}

void print(const std::string& what, int up, const Samples& floor, const Samples& library) {
  fmt::print("{:<24}{:>6} up{:>12.3f}{:>10.3f}{:>13.3f}{:>10.3f}{:>8.2f}\n", what, up,
             floor.median(), floor.quantile(0.99), library.median(), library.quantile(0.99),
             library.median() / floor.median());
  std::fflush(stdout);
}

Json results_of(const Row& row, int up, const Side& floor, const Side& library) {
  return {{"row", row.name},
          {"sandboxes_up", up},
          {"attach_floor", floor.attach.json()},
          {"attach_library", library.attach.json()},
          {"attach_ratio", library.attach.median() / floor.attach.median()},
          {"detach_floor", floor.detach.json()},
          {"detach_library", library.detach.json()},
          {"detach_ratio", library.detach.median() / floor.detach.median()}};
}

Json measure(const Row& row, int up, Engine& engine, RawAttach& raw, int rounds) {
  const auto requested = requests(row, kLibraryNetns, kLibraryPort, row.ports);
  const auto endpoints = raw_endpoints(row);
  raw.refresh();
  check_same_objects(row, engine, requested, raw, endpoints);
  Side floor, library;
  // `by_hand` and `by_library` in the order of this round.
  const auto both = [](bool raw_first, const auto& by_hand, const auto& by_library) {
    if (raw_first) by_hand();
    by_library();
    if (!raw_first) by_hand();
  };
  for (int round = 0; round < rounds; ++round) {
    const bool raw_first = round % 2 == 0;
    both(
        raw_first, [&] { floor.attach.add(milliseconds([&] { attach(raw, endpoints); })); },
        [&] { library.attach.add(milliseconds([&] { attach(engine, requested); })); });
    both(
        raw_first, [&] { floor.detach.add(milliseconds([&] { detach(raw, endpoints); })); },
        [&] { library.detach.add(milliseconds([&] { detach(engine, requested); })); });
  }
  print(row.name + ": attach", up, floor.attach, library.attach);
  print(row.name + ": detach", up, floor.detach, library.detach);
  return results_of(row, up, floor, library);
}

// The networks of a row are there for its measurements alone.
void measure_row(const Row& row, Engine& engine, RawAttach& raw, int rounds, Json& results) {
  RemoveNetworks all{.networks = {}, .force = true};
  for (const auto& segment : row.segments) {
    make_network(engine, segment);
    all.networks.push_back(segment.name);
  }
  int up = 0;
  for (const int count : row.sandboxes_up) {
    for (; up < count; ++up)
      attach(engine, requests(row, make_netns(fmt::format("{}-{}", row.segments[0].name, up)),
                              static_cast<Port>(kFirstPort + up), std::min(row.ports, 1)));
    results.push_back(measure(row, up, engine, raw, rounds));
  }
  for (const auto& outcome : engine.remove_networks(all)) must(outcome.status);
}

std::vector<Row> rows(bool quick) {
  const auto subnet = [](std::string_view text) { return must(Cidr::parse(text)); };
  const auto bridge = [&](const std::string& name, std::vector<Cidr> subnets) {
    return Segment{name, name + "0", Driver::kBridge, std::move(subnets)};
  };
  std::vector<Row> all;
  all.push_back({"10 ports", {bridge("ports", {subnet("10.98.0.0/16")})}, 10, {kUp}});
  all.push_back(
      {"dual stack", {bridge("dual", {subnet("10.97.0.0/16"), subnet("fd00:97::/64")})}, 1, {kUp}});
  all.push_back(
      {"4 networks",
       {bridge("net-a", {subnet("10.93.0.0/16")}), bridge("net-b", {subnet("10.94.0.0/16")}),
        bridge("net-c", {subnet("10.95.0.0/16")}), bridge("net-d", {subnet("10.96.0.0/16")})},
       1,
       {kUp}});
  all.push_back(
      {"macvlan", {{"lan", "lan0", Driver::kMacvlan, {subnet("10.92.0.0/16")}}}, 0, {kUp}});
  // Last: what a thousand sandboxes leave in the kernel's caches would be in the way of the others.
  all.push_back({"1 port",
                 {bridge("bench", {subnet("10.99.0.0/16")})},
                 1,
                 quick ? std::vector{kUp, 100} : std::vector{kUp, 100, 1000}});
  return all;
}

void run_all(const Options& options) {
  auto engine = must(Engine::open(
      {.root = scratch_dir() + "/root", .run = run_dir(), .pools = {}, .program = {}, .shim = {}}));
  RawAttach raw;
  for (const char* name : {"library", "raw"}) (void)make_netns(name);
  make_parent("lan0");
  const int rounds = options.quick ? 20 : 200;

  fmt::print("attach and detach: milliseconds, {} rounds\n", rounds);
  fmt::print("{:<33}{:>12}{:>10}{:>13}{:>10}{:>8}\n", "", "floor p50", "p99", "library p50", "p99",
             "ratio");
  auto results = Json::array();
  for (const auto& row : rows(options.quick)) measure_row(row, engine, raw, rounds, results);
  write_results(options, results);
  for (auto& error : engine.reset()) fmt::print(stderr, "bench: reset: {}\n", error.message);
}

}  // namespace
}  // namespace berth::bench

int main(int argc, char** argv) {
  const auto options = berth::bench::parse_options(argc, argv);
  berth::bench::enter_private_namespaces();
  berth::bench::run_all(options);
}
