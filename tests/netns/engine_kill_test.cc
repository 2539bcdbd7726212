// kill -9 at every step of a change and before each of its operations: the next process takes back
// what made something and finishes what removed something.
#include <csignal>

#include "engine_scenarios.h"

namespace berth::testing {
namespace {

class EngineKill : public ::testing::TestWithParam<Scenario> {
 protected:
  void SetUp() override {
    if (const auto lacking = GetParam().lacking(); !lacking.empty()) GTEST_SKIP() << lacking;
  }

  // Has a child process go through the scenario with `faults`; false if it was killed on the way.
  static bool survives(const Scenario& scenario, World& world, const engine::Faults& faults) {
    const auto child = fork();
    if (child == 0) {
      auto engine = Engine::open(world.instance.config());
      if (!engine) _exit(2);
      EngineAccess::instance(*engine).faults = faults;
      _exit(scenario.act(world, *engine) ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      return true;
    }
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return false;
  }

  // Goes through the scenario with `faults`, in the last world if it is as it was, and looks at
  // what the next process makes of it. `recorded`: the change is done by the time of the kill.
  bool dies_and_is_settled(const engine::Faults& faults, bool recorded = false) {
    const auto& scenario = GetParam();
    if (!world_ || scenario.removes) {
      world_ = std::make_unique<World>();
      scenario.prepare(*world_);
      before_ = world_->look();
      stored_before_ = world_->instance.stored();
    }
    const bool killed = !survives(scenario, *world_, faults);
    {
      const auto held = must(engine::lock_instance(world_->instance.impl()));
      // Files of a sandbox that has no record: reconcile removes them once they are old enough.
      engine::remove_stray_files(world_->instance.impl(), std::chrono::seconds(0));
    }
    if (scenario.removes || recorded || !killed) {
      EXPECT_NE(world_->instance.stored(), stored_before_);
      expect_agreement(world_->instance);
    } else {
      expect_same(world_->look(), before_);
    }
    return killed;
  }

 private:
  std::unique_ptr<World> world_;
  std::string before_;
  std::map<std::string, std::string> stored_before_;
};

TEST_P(EngineKill, AtAnyStep) {
  for (const std::string_view step : {"journalled", "applied", "named", "recorded"}) {
    SCOPED_TRACE(step);
    engine::Faults faults;
    faults.at = [&](std::string_view at) {
      if (at == step) raise(SIGKILL);
    };
    EXPECT_TRUE(dies_and_is_settled(faults, step == "recorded"));
  }
}

TEST_P(EngineKill, BeforeAnyOperation) {
  bool killed = true;
  for (std::size_t position = 0; killed && !HasFailure(); ++position) {
    SCOPED_TRACE(position);
    engine::Faults faults;
    faults.before_op = [&](std::size_t at) -> Status {
      if (at == position) raise(SIGKILL);
      return {};
    };
    killed = dies_and_is_settled(faults);
  }
}

INSTANTIATE_TEST_SUITE_P(, EngineKill, ::testing::ValuesIn(scenarios()), name_of);

using EngineRollback = EngineTest;

// Killed with the plan in the journal: what has the plan's names by now is somebody else's.
TEST_F(EngineRollback, LeavesAloneWhatOthersMadeMeanwhile) {
  World world;
  auto& instance = world.instance;
  instance.make_network(1);
  const auto die_journalled = [&](const std::function<Status(Engine&)>& act) {
    const auto child = fork();
    if (child == 0) {
      auto engine = must(Engine::open(instance.config()));
      EngineAccess::instance(engine).faults.at = [](std::string_view) { raise(SIGKILL); };
      (void)act(engine);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
  };
  die_journalled([](Engine& engine) -> Status {
    CreateNetwork request{.name = "new", .options = {{"com.docker.network.bridge.name", "brx"}}};
    (void)engine.create_network(request);
    return {};
  });
  run("ip link add brx type bridge");
  {
    const auto held = must(engine::lock_instance(instance.impl()));
  }
  EXPECT_EQ(shell("ip link show brx").status, 0);

  for (const auto* theirs : {"type bridge", "type veth peer name other"}) {
    die_journalled([&](Engine& engine) -> Status {
      Connect request{.network = "net1", .target = world.one.target(), .options = {}};
      request.options.host_ifname = ifname("port1");
      (void)engine.connect(request);
      return {};
    });
    run("ip link add port1 " + std::string(theirs));
    {
      const auto held = must(engine::lock_instance(instance.impl()));
    }
    run("ip link del port1");
  }

  die_journalled([&](Engine& engine) -> Status {
    (void)engine.connect(
        {.network = "net1", .target = world.one.target(), .ports = ports({"7000:70"})});
    return {};
  });
  run("nft add element inet berth publish4 '{ tcp . 7000 comment \"theirs 0 00000000\" : 10.1.0.9 "
      ". 1 }'");
  {
    const auto held = must(engine::lock_instance(instance.impl()));
  }
  EXPECT_EQ(shell("nft get element inet berth publish4 '{ tcp . 7000 }'").status, 0);
}

// Killed while it was switching forwarding on.
class EngineSwitch : public EngineTest {
 protected:
  static void die(Instance& instance, const std::string& step) {
    const auto child = fork();
    if (child == 0) {
      auto engine = must(Engine::open(instance.config()));
      EngineAccess::instance(engine).faults.at = [&](std::string_view at) {
        if (at == step) raise(SIGKILL);
      };
      (void)engine.create_network({.name = "new"});
      _exit(0);
    }
    waitpid(child, nullptr, 0);
  }
  static void settle(Instance& instance) {
    const auto held = must(engine::lock_instance(instance.impl()));
  }
};

TEST_F(EngineSwitch, ItIsSwitchedBack) {
  Instance instance;
  die(instance, "applied");
  EXPECT_EQ(ip_forward(), "1");
  settle(instance);
  EXPECT_EQ(ip_forward(), "0");
}

TEST_F(EngineSwitch, NotWhereSomebodyElseDidIt) {
  Instance instance;
  die(instance, "journalled");
  run("sysctl -qw net.ipv4.ip_forward=1");
  settle(instance);
  EXPECT_EQ(ip_forward(), "1");
}

TEST_F(EngineRollback, ComesWithWhoeverOpensTheInstanceNext) {
  World world;
  const auto before = world.look();
  const auto child = fork();
  if (child == 0) {
    auto engine = must(Engine::open(world.instance.config()));
    EngineAccess::instance(engine).faults.at = [](std::string_view step) {
      if (step == "applied") raise(SIGKILL);
    };
    (void)engine.create_network({.name = "new"});
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  (void)must(world.instance.open_again().networks());
  expect_same(world.look(), before);
}

// What was dropped unread after a restart of the machine is what was there then.
TEST_F(EngineRollback, ComesAfterARestartThatLeftADamagedRecordToo) {
  Instance instance;
  must(instance.impl().store->commit({{"sandbox/0000", "[]"}, {"meta/boot", "the one before"}},
                                     store::Durability::kNormal));
  const auto child = fork();
  if (child == 0) {
    auto engine = must(Engine::open(instance.config()));
    EngineAccess::instance(engine).faults.at = [](std::string_view step) {
      if (step == "applied") raise(SIGKILL);
    };
    (void)engine.create_network({.name = "new"});
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  EXPECT_EQ(json_of("ip -j link show type bridge").size(), 1U);
  (void)instance.open_again();
  EXPECT_EQ(json_of("ip -j link show type bridge").size(), 0U);
}

// Whoever may not settle the journal must not drop it.
TEST_F(EngineRollback, WaitsForSomebodyWithTheCapability) {
  World world;
  const auto before = world.look();
  const auto child = fork();
  if (child == 0) {
    auto engine = must(Engine::open(world.instance.config()));
    EngineAccess::instance(engine).faults.at = [](std::string_view step) {
      if (step == "applied") raise(SIGKILL);
    };
    (void)engine.create_sandbox({.name = "new"});
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  without_capabilities([&] {
    auto unprivileged = world.instance.open_again();
    expect_refused(unprivileged.create_sandbox({.name = "x"}), ErrorKind::kPermission,
                   {"half-done", "CAP_SYS_ADMIN"});
  });
  {
    const auto held = must(engine::lock_instance(world.instance.impl()));
  }
  expect_same(world.look(), before);
}

}  // namespace
}  // namespace berth::testing
