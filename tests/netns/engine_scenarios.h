// The changes that the tests of faults and of killed processes go through, each in a world that it
// makes for itself.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine_fixture.h"
#include "fake_sandbox.h"
#include "translator/translator.h"

namespace berth::testing {

/// An instance and two targets on a host of their own.
struct World {
  struct Host {
    Host() { become_new_host(); }
  };
  [[nodiscard]] std::string look() {
    const auto there = translator::is_there(must(kernel::Socket::open(NETLINK_ROUTE)));
    return picture(instance, {&one, &two}) + (must(there) ? "with a translator\n" : "");
  }

  Host host;  // first: the instance belongs to it
  Instance instance;
  TargetNs one, two;
  std::optional<FakeSandbox> guest;  ///< in the namespace of a sandbox of berth's
};

struct Scenario {
  std::string name;
  std::function<void(World&)> prepare;
  /// The change, by an engine that may be another process's.
  std::function<Status(World&, Engine&)> act;
  bool removes = false;  ///< once begun it is finished, not taken back
  std::string needs{};   ///< a kind of device that not every kernel has

  /// What this kernel lacks for it, in words; empty: nothing.
  [[nodiscard]] std::string lacking() const;
};

[[nodiscard]] const std::vector<Scenario>& scenarios();
// Parts of it, each in its file.
[[nodiscard]] std::vector<Scenario> bridge_scenarios();
[[nodiscard]] std::vector<Scenario> ipv6_scenarios();
[[nodiscard]] std::vector<Scenario> parent_scenarios();

template <typename T>
Status status_of(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

/// Connects the target to net<number>.
inline void connect(World& world, TargetNs& target, int network,
                    const std::vector<std::string>& specs = {}) {
  must(world.instance->connect({.network = fmt::format("net{}", network),
                                .target = target.target(),
                                .ports = ports(specs)}));
}

inline std::string name_of(const ::testing::TestParamInfo<Scenario>& info) {
  return info.param.name;
}
inline void PrintTo(const Scenario& scenario, std::ostream* out) {
  *out << scenario.name;
}

}  // namespace berth::testing
