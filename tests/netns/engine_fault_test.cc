// Whatever operation of a change fails, and whether the store can be written or not, kernel and
// store are as they were.
#include <sys/resource.h>

#include <csignal>

#include "base/result.h"
#include "engine_scenarios.h"

namespace berth::testing {
namespace {

class EngineFault : public ::testing::TestWithParam<Scenario> {};

TEST_P(EngineFault, AnyOperationFailsAndNothingHasChanged) {
  const auto& scenario = GetParam();
  World world;
  scenario.prepare(world);
  const auto before = world.look();
  auto& faults = world.instance.impl().faults;
  std::size_t position = 0;
  for (bool failed = true; failed; ++position) {
    failed = false;
    faults.before_op = [&](std::size_t at) -> Status {
      if (at != position) return {};
      failed = true;
      return fail(ErrorKind::kKernel, "operation {} was made to fail", at);
    };
    const auto done = scenario.act(world, *world.instance);
    EXPECT_EQ(done.has_value(), !failed) << "operation " << position;
    if (!failed) break;
    expect_refused(done, ErrorKind::kKernel,
                   {fmt::format("operation {} was made to fail", position)});
    expect_same(world.look(), before);
    ASSERT_FALSE(HasFailure()) << "operation " << position;
  }
  EXPECT_GE(position, 1U);
  faults = {};
  expect_agreement(world.instance);
}

// From the moment at which the plan is applied no file may grow: the disk is full.
TEST_P(EngineFault, TheStoreCannotBeWrittenOnceThePlanIsApplied) {
  const auto& scenario = GetParam();
  World world;
  scenario.prepare(world);
  const auto before = world.look();
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  auto& faults = world.instance.impl().faults;
  faults.at = [&](std::string_view step) {
    if (step != "applied") return;
    const rlimit none{0, limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
  };
  const auto done = scenario.act(world, *world.instance);
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, old_handler);
  faults = {};
  ASSERT_FALSE(done);

  // The journal could not be written either: the next command settles it.
  {
    const auto held = must(world.instance.impl().lock());
  }
  if (scenario.removes) {
    EXPECT_NE(done.error().message.find("the next command"), std::string::npos)
        << done.error().message;
  } else {
    expect_same(world.look(), before);
  }
  expect_agreement(world.instance);
}

INSTANTIATE_TEST_SUITE_P(, EngineFault, ::testing::ValuesIn(scenarios()), name_of);

}  // namespace
}  // namespace berth::testing
