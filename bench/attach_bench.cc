// Attaching a namespace to a bridge network with one published port, as a library call, against the
// raw floor (raw_attach.h), with 10, 100 and 1,000 sandboxes up.
//
// Each round attaches one namespace either way and detaches both again; which goes first changes
// with every round. Both use the same bridge and the same nft table.

#include <fmt/format.h>

#include <cstdio>

#include "berth/engine.h"
#include "harness.h"
#include "raw_attach.h"

namespace berth::bench {
namespace {

constexpr const char* kNetwork = "bench";
constexpr const char* kBridge = "bench0";
constexpr Port kContainerPort = 8080;
constexpr Port kFirstPort = 10000;   // of those that stay, one each
constexpr Port kLibraryPort = 9001;  // of the one that is measured
constexpr Port kRawPort = 9002;

struct Side {
  Samples attach;
  Samples detach;
};

Connect request(const std::string& netns, Port host_port) {
  return {.network = kNetwork,
          .target = "netns:" + netns,
          .options = {},
          .ports = {{.protocol = Protocol::kTcp,
                     .host_ip = {},
                     .host_first = host_port,
                     .host_last = host_port,
                     .container_first = kContainerPort,
                     .container_last = kContainerPort}}};
}

void make_network(Engine& engine) {
  CreateNetwork request{.name = kNetwork};
  request.subnets.push_back({.subnet = must(Cidr::parse("10.99.0.0/16")),
                             .range = must(Cidr::parse("10.99.0.0/17")),
                             .gateway = {},
                             .aux = {}});
  request.options["com.docker.network.bridge.name"] = kBridge;
  must(engine.create_network(request));
}

void measure_round(Engine& engine, RawAttach& raw, bool raw_first, Side& floor, Side& library) {
  const std::string mine = "/run/netns/library";
  const RawEndpoint endpoint{.netns = "/run/netns/raw",
                             .host_link = "vethraw",
                             .address = 0x0a63'8002,  // 10.99.128.2: outside of the range
                             .prefix = 16,
                             .gateway = 0x0a63'0001,
                             .host_port = kRawPort,
                             .container_port = kContainerPort};
  const auto by_hand = [&] { floor.attach.add(milliseconds([&] { raw.attach(endpoint); })); };
  const auto by_library = [&] {
    const auto connect = request(mine, kLibraryPort);
    Result<Endpoint> made;
    library.attach.add(milliseconds([&] { made = engine.connect(connect); }));
    must(std::move(made));
  };
  if (raw_first) by_hand();
  by_library();
  if (!raw_first) by_hand();

  const Disconnect leave{.network = kNetwork, .target = "netns:" + mine};
  if (raw_first) floor.detach.add(milliseconds([&] { raw.detach(endpoint); }));
  library.detach.add(milliseconds([&] { must(engine.disconnect(leave)); }));
  if (!raw_first) floor.detach.add(milliseconds([&] { raw.detach(endpoint); }));
}

void print(const char* what, int up, const Samples& floor, const Samples& library) {
  fmt::print("{:<8}{:>6} up{:>12.3f}{:>10.3f}{:>13.3f}{:>10.3f}{:>8.2f}\n", what, up,
             floor.median(), floor.quantile(0.99), library.median(), library.quantile(0.99),
             library.median() / floor.median());
  std::fflush(stdout);
}

Json results_of(int up, const Side& floor, const Side& library) {
  return {{"sandboxes_up", up},
          {"attach_floor", floor.attach.json()},
          {"attach_library", library.attach.json()},
          {"attach_ratio", library.attach.median() / floor.attach.median()},
          {"detach_floor", floor.detach.json()},
          {"detach_library", library.detach.json()},
          {"detach_ratio", library.detach.median() / floor.detach.median()}};
}

void run_all(const Options& options) {
  auto engine = must(Engine::open(
      {.root = scratch_dir() + "/root", .run = run_dir(), .pools = {}, .program = {}, .shim = {}}));
  make_network(engine);
  RawAttach raw(kBridge);
  for (const char* name : {"library", "raw"}) (void)make_netns(name);
  const int rounds = options.quick ? 20 : 200;
  const std::vector<int> counts = options.quick ? std::vector{10, 100} : std::vector{10, 100, 1000};

  fmt::print("attach and detach, one published port: milliseconds, {} rounds\n", rounds);
  fmt::print("{:<17}{:>12}{:>10}{:>13}{:>10}{:>8}\n", "", "floor p50", "p99", "library p50", "p99",
             "ratio");
  auto results = Json::array();
  int up = 0;
  for (const int count : counts) {
    for (; up < count; ++up)
      must(engine.connect(
          request(make_netns(fmt::format("up{}", up)), static_cast<Port>(kFirstPort + up))));
    Side floor, library;
    for (int round = 0; round < rounds; ++round)
      measure_round(engine, raw, round % 2 == 0, floor, library);
    print("attach", up, floor.attach, library.attach);
    print("detach", up, floor.detach, library.detach);
    results.push_back(results_of(up, floor, library));
  }
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
