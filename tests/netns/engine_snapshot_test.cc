// Reads beside the changes of another process: each is of one moment.
#include <csignal>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

class EngineSnapshot : public EngineTest {
 protected:
  EngineSnapshot() { must(connect(other)); }
  Status connect(Engine& engine) const {
    auto done =
        engine.connect({.network = "net1", .target = target.target(), .ports = ports({"7000:70"})});
    return done ? Status{} : std::unexpected(std::move(done).error());
  }
  Status disconnect(Engine& engine) const {
    return engine.disconnect({.network = "net1", .target = target.target()});
  }

  Instance instance;
  Network network = instance.make_network(1);
  TargetNs target;
  Engine other = instance.open_again();
};

TEST_F(EngineSnapshot, KeepsAllReadsOnOneMoment) {
  auto snapshot = must(instance->snapshot());
  must(disconnect(other));
  const auto sandboxes = must(instance->sandboxes());
  ASSERT_EQ(sandboxes.size(), 1U);
  EXPECT_EQ(must(instance->endpoints_of_sandbox(sandboxes[0])).size(), 1U);
  EXPECT_EQ(must(instance->endpoints_of_network(network.id)).size(), 1U);
  EXPECT_EQ(must(instance->info()).endpoints, 1U);
  EXPECT_EQ(must(instance->subnet_use(network))[0].in_use, 1U);
  EXPECT_TRUE(must(instance->unused_networks()).empty());

  snapshot.reset();
  EXPECT_TRUE(must(instance->sandboxes()).empty());
  EXPECT_EQ(must(instance->unused_networks()).size(), 1U);
}

TEST_F(EngineSnapshot, RefusesChangesUntilItEnds) {
  auto snapshot = must(instance->snapshot(target.target()));
  const auto held = "holds a snapshot";
  expect_refused(disconnect(*instance), ErrorKind::kInUse, {held});
  expect_refused(instance->create_network({.name = "more"}), ErrorKind::kInUse, {held});
  expect_refused(instance->stop_sandboxes({{target.target()}})[0].status, ErrorKind::kInUse,
                 {held});
  const auto started = instance->run({.argv = {"true"}});
  ASSERT_FALSE(started);
  expect_refused(started.error().error, ErrorKind::kInUse, {held});
  snapshot.reset();
  must(disconnect(*instance));
}

TEST_F(EngineSnapshot, EndpointsOfASandboxAreThoseThatItHasNow) {
  const auto before = must(instance->create_sandbox({.name = "box"}));
  const auto made = must(other.connect({.network = "net1", .target = "box"}));
  EXPECT_EQ(must(instance->endpoints_of_sandbox(before))[0].id, made.id);
  const auto between = must(instance->sandbox("box"));
  must(other.disconnect({.network = "net1", .target = "box"}));
  EXPECT_TRUE(must(instance->endpoints_of_sandbox(between)).empty());
}

// A read that looks up ids and then what they name meets the change in between sooner or later.
TEST_F(EngineSnapshot, EveryReadIsWholeWhileAnotherProcessChangesWhatItReads) {
  const auto writer = fork();
  if (writer == 0) {
    auto engine = must(Engine::open(instance.config()));
    while (disconnect(engine) && connect(engine)) continue;
    _exit(1);
  }
  const auto read = [&]() -> Status {
    for (int i = 0; i < 1000; ++i) {
      if (const auto users = instance->endpoints_of_network(network.id); !users)
        return std::unexpected(users.error());
      if (const auto use = instance->subnet_use(network); !use) return std::unexpected(use.error());
      if (const auto unused = instance->unused_networks(); !unused)
        return std::unexpected(unused.error());
      if (const auto info = instance->info(); !info) return std::unexpected(info.error());
      if (const auto use = instance->disk_use(); !use) return std::unexpected(use.error());
      if (const auto plan = instance->plan(RemoveNetworks{{"net1"}, true}); !plan)
        return std::unexpected(plan.error());
    }
    return {};
  };
  const auto done = read();
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(waitpid(writer, nullptr, WNOHANG), 0) << "it has stopped changing anything";
  kill(writer, SIGKILL);
  waitpid(writer, nullptr, 0);
}

}  // namespace
}  // namespace berth::testing
