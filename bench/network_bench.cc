// Networks as library calls: what it costs to make one where there are few and where there are many,
// to compare all with the kernel, and to remove them one by one and together.

#include <cstdio>

#include "berth/engine.h"
#include "harness.h"

namespace berth::bench {
namespace {

class Networks {
 public:
  explicit Networks(Engine& engine) : engine_(engine) {}

  // Makes networks until there are `count`; the times of all of them.
  Samples make(int count) {
    Samples times;
    while (static_cast<int>(names_.size()) < count) {
      const auto n = made_++;
      CreateNetwork request{.name = fmt::format("net{}", n)};
      request.subnets.push_back({.subnet = Cidr(Ip::v4(10, static_cast<std::uint8_t>(n / 256 % 256),
                                                       static_cast<std::uint8_t>(n % 256), 0),
                                                24),
                                 .range = {},
                                 .gateway = {},
                                 .aux = {}});
      names_.push_back(request.name);
      times.add(milliseconds([&] { must(engine_.create_network(request)); }));
    }
    return times;
  }
  double reconcile() {
    return milliseconds([&] {
      for (const auto& repair : must(engine_.reconcile())) die(repair.what);
    });
  }
  double remove_one_by_one() {
    return milliseconds([&] {
      for (const auto& name : names_) remove({name});
      names_.clear();
    });
  }
  double remove_together() {
    return milliseconds([&] {
      remove(names_);
      names_.clear();
    });
  }

 private:
  void remove(const std::vector<std::string>& names) {
    for (const auto& outcome : engine_.remove_networks({names, false})) must(outcome.status);
  }

  Engine& engine_;
  std::vector<std::string> names_;
  int made_ = 0;
};

void run_all(const Options& options) {
  auto engine = must(Engine::open(
      {.root = scratch_dir() + "/root", .run = run_dir(), .pools = {}, .program = {}, .shim = {}}));
  Networks networks(engine);
  auto results = Json::array();
  fmt::print("networks as library calls: milliseconds\n{:>6}{:>12}{:>10}{:>12}{:>16}{:>12}\n", "up",
             "create p50", "p99", "reconcile", "rm one by one", "together");
  networks.make(1);  // the table comes with the first one
  for (const int count : options.quick ? std::vector{20} : std::vector{20, 300}) {
    const auto created = networks.make(count);
    const auto reconciled = networks.reconcile();
    const auto one_by_one = networks.remove_one_by_one();
    networks.make(count);
    const auto together = networks.remove_together();
    fmt::print("{:>6}{:>12.2f}{:>10.2f}{:>12.1f}{:>16.0f}{:>12.0f}\n", count, created.median(),
               created.quantile(0.99), reconciled, one_by_one, together);
    std::fflush(stdout);
    results.push_back({{"networks", count},
                       {"create", created.json()},
                       {"reconcile_ms", reconciled},
                       {"remove_one_by_one_ms", one_by_one},
                       {"remove_together_ms", together}});
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
