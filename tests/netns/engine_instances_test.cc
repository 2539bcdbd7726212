// One instance of berth to a network namespace: what a second one may do there, and what is left of
// one that is lost.
#include <sys/wait.h>

#include <csignal>
#include <filesystem>

#include "engine/sandboxes/files.h"
#include "engine_fixture.h"

namespace berth::testing {
namespace {

class EngineInstances : public EngineTest {
 protected:
  static CreateNetwork request(int number) {
    return {.name = fmt::format("net{}", number),
            .subnets = {{.subnet = cidr(fmt::format("10.{}.0.0/24", number)),
                         .range = {},
                         .gateway = {},
                         .aux = {}}}};
  }
  // Refused, with the root of who has the namespace, and nothing is changed.
  void expect_ones(Result<Network> made) {
    expect_refused(made, ErrorKind::kInUse,
                   {"network namespace", one.config().root, "berth system reset --foreign"});
  }

  std::string nothing = kernel_state();
  Instance one, two;
  TargetNs a, b;
};

TEST_F(EngineInstances, TheSecondOneIsRefusedWithTheRootOfTheFirst) {
  one.make_network(1);
  const auto before = picture(two, {&b});
  expect_ones(two->create_network(request(2)));
  expect_refused(two->connect({.network = "bridge", .target = b.target()}), ErrorKind::kInUse,
                 {one.config().root});
  expect_same(picture(two, {&b}), before);
  expect_agreement(one);
}

TEST_F(EngineInstances, TheSecondOneReadsAndPlans) {
  one.make_network(1);
  EXPECT_EQ(must(two->networks()).size(), 3U);
  EXPECT_TRUE(must(two->sandboxes()).empty());
  EXPECT_TRUE(must(two->reconcile()).empty());
  auto config = two.config();
  config.only_plan = true;
  auto planner = must(Engine::open(config));
  EXPECT_FALSE(must(planner.plan(request(2))).commands.empty());
}

TEST_F(EngineInstances, TheNamespaceIsFreeAfterTheLastNetwork) {
  one.make_network(1);
  must(one->remove_networks({{"net1"}})[0].status);
  two.make_network(2);
  expect_agreement(two);
  const auto made = one->create_network(request(1));
  expect_refused(made, ErrorKind::kInUse, {two.config().root});
  for (const auto& error : two->reset()) ADD_FAILURE() << error.message;
  expect_same(kernel_state(), nothing);
}

// A rule of the administrator's keeps the table, and not the namespace.
TEST_F(EngineInstances, TheNamespaceIsFreeThoughTheTableStays) {
  one.make_network(1);
  run("nft add rule inet berth user iifname @bridges counter");
  must(one->remove_networks({{"net1"}})[0].status);
  two.make_network(2);
  expect_agreement(two);
}

TEST_F(EngineInstances, ReconcileClaimsTheNamespaceAgain) {
  one.make_network(1);
  run("nft flush ruleset");
  EXPECT_FALSE(must(one->reconcile()).empty());
  expect_agreement(one);
  expect_ones(two->create_network(request(2)));
}

TEST_F(EngineInstances, WhoLostTheNamespaceMeanwhileRepairsNothingInIt) {
  one.make_network(1);
  run("nft flush ruleset");
  two.make_network(2);
  expect_refused(one->reconcile(), ErrorKind::kInUse, {two.config().root});
  expect_agreement(two, {"br1"});
  must(one->remove_networks({{"net1"}})[0].status);
  run("nft get element inet berth instance '{ root }'");
}

TEST_F(EngineInstances, ALongRootIsNamedByItsEnd) {
  auto config = two.config();
  config.root += "/" + std::string(100, 'r') + "/the-end";
  auto first = must(Engine::open(config));
  must(first.create_network(request(2)));
  EXPECT_TRUE(must(first.reconcile()).empty());
  expect_refused(one->create_network(request(1)), ErrorKind::kInUse, {"...", "rrr/the-end"});
}

TEST_F(EngineInstances, AnElementThatAPersonAddedIsNamed) {
  one.make_network(1);
  run("nft add element inet berth publish4 '{ tcp . 7001 : 10.1.0.9 . 80 }'");
  expect_refused(
      one->connect({.network = "net1", .target = b.target(), .ports = ports({"7001:80"})}),
      ErrorKind::kExists, {"7001", "publish4"});
}

TEST_F(EngineInstances, ALongNameLeavesRoomForTheTag) {
  must(one->create_network({.name = std::string(128, 'n')}));
  EXPECT_TRUE(must(one->reconcile()).empty());
  for (const auto& error : one->reset()) ADD_FAILURE() << error.message;
  EXPECT_EQ(ip_forward(), "0");
  expect_same(kernel_state(), nothing);
}

TEST_F(EngineInstances, ForwardingThatWasOnWithoutThemStaysOn) {
  run("sysctl -qw net.ipv4.ip_forward=1");
  one.make_network(1);
  for (const auto& error : one->reset()) ADD_FAILURE() << error.message;
  EXPECT_EQ(ip_forward(), "1");
}

TEST_F(EngineInstances, TheSwitchIsRememberedWhereTheTableWasFlushed) {
  one.make_network(1);
  run("nft flush ruleset");
  must(one->reconcile());
  for (const auto& error : one->reset()) ADD_FAILURE() << error.message;
  EXPECT_EQ(ip_forward(), "0");
}

TEST_F(EngineInstances, LeaveTheFilesOfOneAnotherAlone) {
  auto config = two.config();
  config.run = one.config().run;
  auto sharing = must(Engine::open(config));
  const auto box = must(one->create_sandbox({.name = "box"}));
  const auto files = "ls " + one.config().run + "/sandboxes/" + box.id;
  const auto before = shell(files).output;
  EXPECT_NE(before.find("hosts"), std::string::npos);
  engine::remove_stray_files(EngineAccess::instance(sharing), std::chrono::seconds(0));
  for (const auto& error : sharing.reset()) ADD_FAILURE() << error.message;
  EXPECT_EQ(shell(files).output, before);
}

// Who was to write it into the file was killed.
TEST_F(EngineInstances, TakeAwayFilesThatHaveNobodysName) {
  const auto directory = one.config().run + "/sandboxes/" + std::string(64, 'a');
  run("mkdir -p " + directory + " && touch " + directory + "/instance");
  engine::remove_stray_files(one.impl(), std::chrono::seconds(0));
  EXPECT_FALSE(std::filesystem::exists(directory));
}

}  // namespace
}  // namespace berth::testing
