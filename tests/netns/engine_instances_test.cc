// Two instances of berth in one network namespace.
#include <sys/wait.h>

#include <csignal>
#include <filesystem>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

class EngineInstances : public EngineTest {
 protected:
  EngineInstances() {
    nothing = kernel_state();
    one.make_network(1);
    two.make_network(2);
  }
  Result<Endpoint> connect(Instance& to, TargetNs& target, const std::string& port) {
    const auto* network = &to == &one ? "net1" : "net2";
    return to->connect({.network = network, .target = target.target(), .ports = ports({port})});
  }
  static void reset(Instance& instance) {
    for (const auto& error : instance->reset()) ADD_FAILURE() << error.message;
  }

  std::string nothing;
  Instance one, two;
  TargetNs a, b;
};

TEST_F(EngineInstances, SeeEachOthersPorts) {
  must(connect(one, a, "127.0.0.1:7000:80"));
  must(one->publish({"net1", a.target(), ports({"7001:80"})}));
  const auto before = picture(two, {&b});
  const auto holder = a.target();
  for (const auto* spec : {"7000:80", "127.0.0.1:7000:80", "7001:80", "10.2.0.1:7001:80"})
    expect_refused(connect(two, b, spec), ErrorKind::kInUse,
                   {std::string(spec).substr(std::string(spec).find(":80") - 4, 4), holder,
                    "not of this instance"});
  expect_same(picture(two, {&b}), before);
  EXPECT_EQ(must(connect(two, b, "7000-7003:80")).ports[0].host_port, 7002);
  must(two->publish({"net2", b.target(), ports({"10.2.0.1:7000:80", "7000:80/udp"})}));
}

TEST_F(EngineInstances, KnowOfEachOtherUntilOneIsLeft) {
  const auto known = [] { return shell("nft get element inet berth shared '{ instances }'").status == 0; };
  EXPECT_TRUE(known());
  reset(one);
  two.make_network(3);
  must(two->remove_networks({{"net3"}})[0].status);
  EXPECT_FALSE(known());
}

TEST_F(EngineInstances, ThePortsOfOneWithoutAnotherAreItsOwnAffair) {
  reset(two);
  must(connect(one, a, "127.0.0.1:7000:80"));
  run("nft add element inet berth publish4 '{ tcp . 7001 : 10.1.0.9 . 80 }'");
  expect_refused(connect(one, b, "7001:80"), ErrorKind::kInUse, {"7001", "somebody"});
}

TEST_F(EngineInstances, TheLastOneSwitchesForwardingOffWhoeverSwitchedItOn) {
  reset(one);
  EXPECT_EQ(ip_forward(), "1");
  EXPECT_TRUE(must(two->info()).ip_forward_by_berth);
  reset(two);
  EXPECT_EQ(ip_forward(), "0");
  expect_same(kernel_state(), nothing);
}

TEST_F(EngineInstances, TheOneThatSwitchedItMayGoLast) {
  reset(two);
  EXPECT_EQ(ip_forward(), "1");
  reset(one);
  EXPECT_EQ(ip_forward(), "0");
  expect_same(kernel_state(), nothing);
}

TEST_F(EngineInstances, ForwardingThatWasOnWithoutThemStaysOn) {
  must(one->remove_networks({{"net1"}})[0].status);
  must(two->remove_networks({{"net2"}})[0].status);
  EXPECT_EQ(ip_forward(), "0");
  run("sysctl -qw net.ipv4.ip_forward=1");
  one.make_network(1);
  two.make_network(2);
  reset(one);
  reset(two);
  EXPECT_EQ(ip_forward(), "1");
}

TEST_F(EngineInstances, TheSwitchIsRememberedWhereTheTableWasFlushed) {
  run("nft flush ruleset");
  must(one->reconcile());
  must(two->reconcile());
  expect_agreement(one, {"br2"});
  reset(one);
  reset(two);
  EXPECT_EQ(ip_forward(), "0");
}

TEST_F(EngineInstances, ALongNameLeavesRoomForTheTag) {
  reset(two);
  must(one->create_network({.name = std::string(128, 'n')}));
  EXPECT_TRUE(must(one->reconcile()).empty());
  reset(one);
  EXPECT_EQ(ip_forward(), "0");
  expect_same(kernel_state(), nothing);
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

TEST_F(EngineInstances, TheSecondOnesDefaultNetworkSaysWhoHasItsDevice) {
  must(one->connect({.network = "bridge", .target = a.target()}));
  expect_refused(two->connect({.network = "bridge", .target = b.target()}), ErrorKind::kExists,
                 {"network bridge", "berth0", "of network bridge of another instance",
                  "berth network create"});
}

// Two bridges of one name and address, each of an instance that has lost its own or never had it.
class EngineSameBridge : public EngineTest {
 protected:
  Instance one, two;
  TargetNs a, b;

  static void connect(Instance& instance, const TargetNs& target, const std::string& port) {
    must(instance->connect(
        {.network = "bridge", .target = target.target(), .ports = ports({port})}));
  }
  // Everything of the second instance is as it should be.
  void expect_two_unharmed() {
    EXPECT_TRUE(must(two->reconcile()).empty());
    EXPECT_EQ(shell("ip link show berth0").status, 0);
  }
};

TEST_F(EngineSameBridge, IsLeftWhenTheOneThatLostItsOwnGoes) {
  connect(one, a, "7000:80");
  run("nft flush ruleset; ip link del berth0");
  connect(two, b, "7001:80");
  const auto repairs = must(one->reconcile());
  ASSERT_FALSE(repairs.empty());
  expect_refused(repairs[0].status, ErrorKind::kExists, {"berth0", "somebody else's"});
  bool told = false;
  for (const auto& error : one->reset())
    told = told || error.message.find("berth0 is somebody else's") != std::string::npos;
  EXPECT_TRUE(told);
  expect_two_unharmed();
}

TEST_F(EngineSameBridge, IsLeftWhenTheOneThatNeverMadeItsOwnIsSettled) {
  const auto child = fork();
  if (child == 0) {
    auto engine = must(Engine::open(one.config()));
    EngineAccess::instance(engine).faults.at = [](std::string_view) { raise(SIGKILL); };
    (void)engine.connect({.network = "bridge", .target = a.target()});
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  connect(two, b, "7001:80");
  { const auto held = must(engine::lock_instance(one.impl())); }
  expect_two_unharmed();
}

TEST_F(EngineSameBridge, IsNotTakenForTheOwnOneUnderAnotherName) {
  for (auto* instance : {&one, &two}) {
    if (instance == &two) run("ip link del br1");
    CreateNetwork request{.name = "net", .internal = true};
    request.options = {{"com.docker.network.bridge.name", instance == &one ? "br1" : "br2"}};
    request.subnets.push_back(
        {.subnet = cidr("10.9.0.0/24"), .range = {}, .gateway = {}, .aux = {}});
    must((*instance)->create_network(request));
  }
  must(one->remove_networks({{"net"}, false})[0].status);
  EXPECT_TRUE(must(two->reconcile()).empty());
  EXPECT_EQ(shell("ip link show br2").status, 0);
}

}  // namespace
}  // namespace berth::testing
