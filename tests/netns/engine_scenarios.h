// The changes that the tests of faults and of killed processes go through, each in a world that it
// makes for itself.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine_fixture.h"
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
};

struct Scenario {
  std::string name;
  std::function<void(World&)> prepare;
  /// The change, by an engine that may be another process's.
  std::function<Status(World&, Engine&)> act;
  bool removes = false;  ///< once begun it is finished, not taken back
};

[[nodiscard]] const std::vector<Scenario>& scenarios();

inline std::string name_of(const ::testing::TestParamInfo<Scenario>& info) {
  return info.param.name;
}
inline void PrintTo(const Scenario& scenario, std::ostream* out) {
  *out << scenario.name;
}

}  // namespace berth::testing
