// Whatever operation of a change fails, and whether the store can be written or not, kernel and
// store are as they were.
#include <sys/resource.h>

#include <csignal>

#include "base/result.h"
#include "engine_scenarios.h"

namespace berth::testing {
namespace {

class EngineFault : public ::testing::TestWithParam<Scenario> {
 protected:
  void SetUp() override {
    if (const auto lacking = GetParam().lacking(); !lacking.empty()) GTEST_SKIP() << lacking;
  }
};

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

// From the moment at which the plan is applied no file may grow beyond what the store's log has
// already: its disk is full, and the sandboxes' small files are elsewhere.
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
    constexpr rlim_t kSmall = 8192;  // bytes
    const rlimit full{kSmall, limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
  };
  const auto done = scenario.act(world, *world.instance);
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, old_handler);
  faults = {};
  ASSERT_FALSE(done);

  if (done.error().message.find("the next command") !=
      std::string::npos) {  // a namespace has ended
    EXPECT_TRUE(scenario.removes);
    const auto held = must(engine::lock_instance(world.instance.impl()));
  } else {
    expect_same(world.look(), before);
  }
  expect_agreement(world.instance);
}

using EngineFiles = EngineTest;

TEST_F(EngineFiles, ThatCannotBeWrittenTakeTheChangeBack) {
  World world;
  auto& instance = world.instance;
  instance.make_network(1);
  const auto sandboxes = instance.config().run + "/sandboxes";
  run("touch " + sandboxes);
  auto before = world.look();
  expect_refused(instance->create_sandbox({.name = "box"}), ErrorKind::kKernel, {"sandboxes"});
  expect_same(world.look(), before);

  run("rm " + sandboxes);
  const auto box = must(instance->create_sandbox({.name = "box"}));
  run("rm -r " + sandboxes);
  before = world.look();
  const auto refused = instance->connect({.network = "net1", .target = "box"});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("hosts"), std::string::npos) << refused.error().message;
  expect_same(world.look(), before);
}

TEST_F(EngineFiles, AForcedDisconnectForgetsWhatTheKernelKeeps) {
  World world;
  world.instance.make_network(1);
  const Connect request{.network = "net1", .target = world.one.target()};
  must(world.instance->connect(request));
  without_capabilities([&] {
    auto unprivileged = world.instance.open_again();
    const Disconnect disconnect{.network = "net1", .target = world.one.target()};
    expect_refused(unprivileged.disconnect(disconnect), ErrorKind::kPermission, {"CAP_"});
    EXPECT_EQ(must(unprivileged.sandboxes()).size(), 1U);
    auto forced = disconnect;
    forced.force = true;
    expect_refused(unprivileged.disconnect(forced), ErrorKind::kPermission,
                   {"completed with errors", "CAP_"});
    EXPECT_TRUE(must(unprivileged.sandboxes()).empty());
  });
}

INSTANTIATE_TEST_SUITE_P(, EngineFault, ::testing::ValuesIn(scenarios()), name_of);

}  // namespace
}  // namespace berth::testing
