// Reconcile, and what requests mend on their way: the kernel loses something, berth puts it back.
#include <filesystem>

#include "base/result.h"
#include "engine_fixture.h"

namespace berth::testing {
namespace {

// An instance with a network of each kind and endpoints with ports, as it should be.
class EngineReconcile : public EngineTest {
 protected:
  EngineReconcile() {
    instance.make_network(1);
    instance.make_network(2, [](auto& request) {
      request.options["com.docker.network.bridge.enable_icc"] = "false";
      request.internal = true;
    });
    must(instance->connect(
        {.network = "net1", .target = one.target(), .ports = ports({"7000:70", "53:53/udp"})}));
    must(instance->connect({.network = "net2", .target = one.target()}));
    veth = must(instance->connect({.network = "net1",
                                   .target = two.target(),
                                   .ports = ports({"127.0.0.1:7001:70"})}))
               .host_ifname.str();
    before = picture(instance, {&one, &two});
  }

  // After `damage`, reconcile must put everything back and say what it did.
  void expect_repaired(const std::string& damage, const kernel::Netns* netns = nullptr) {
    run(damage, netns);
    const auto damaged = picture(instance, {&one, &two});
    EXPECT_NE(damaged, before) << damage;
    const auto repairs = must(instance->reconcile());
    EXPECT_FALSE(repairs.empty()) << damage;
    for (const auto& repair : repairs)
      EXPECT_TRUE(repair.status) << repair.what << ": " << repair.status.error().message;
    expect_same(picture(instance, {&one, &two}), before);
    expect_agreement(instance);
  }

  Instance instance;
  TargetNs one, two;
  std::string veth, before;
};

TEST_F(EngineReconcile, FindsNothingWhereNothingIsWrong) {
  EXPECT_TRUE(must(instance->reconcile()).empty());
  expect_same(picture(instance, {&one, &two}), before);
}

TEST_F(EngineReconcile, PutsTheTableBack) {
  expect_repaired("nft flush ruleset");
  expect_repaired("nft flush chain inet berth forward");
  expect_repaired("nft flush map inet berth publish4");
  expect_repaired("nft flush set inet berth bridges");
  expect_repaired(
      "nft delete element inet berth publish4 '{ tcp . 7000 }' && "
      "nft add element inet berth publish4 '{ tcp . 7001 comment \"x y " +
      instance.impl().tag + "\" : 10.1.0.9 . 1 }'");
}

TEST_F(EngineReconcile, PutsLinksBack) {
  expect_repaired("ip link del " + veth);
  expect_repaired("ip link del eth0", &two.netns);
  expect_repaired("ip link del br1");
  expect_repaired("ip link set br1 down");
  expect_repaired("ip link set " + veth + " nomaster");
  expect_repaired("ip link set " + veth + " down");
  expect_repaired("ip link set eth0 down", &two.netns);
}

TEST_F(EngineReconcile, PutsAddressesRoutesAndSysctlsBack) {
  expect_repaired("ip addr del 10.1.0.1/24 dev br1");
  expect_repaired("ip addr flush dev eth0", &two.netns);
  expect_repaired("ip route del default", &two.netns);
  expect_repaired("sysctl -qw net.ipv4.ip_forward=0");
  expect_repaired("sysctl -qw net.ipv4.conf.br1.route_localnet=0");
}

TEST_F(EngineReconcile, PutsMtusBack) {
  expect_repaired("ip link set br1 mtu 1300");
  expect_repaired("ip link set " + veth + " mtu 1300");
  expect_repaired("ip link set eth0 mtu 1300", &two.netns);
}

TEST_F(EngineReconcile, ABridgeKeepsItsMtuWhenItsLastPortGoes) {
  instance.make_network(
      3, [](auto& request) { request.options["com.docker.network.driver.mtu"] = "1400"; });
  TargetNs three;
  must(instance->connect({.network = "net3", .target = three.target()}));
  must(instance->disconnect({.network = "net3", .target = three.target()}));
  expect_agreement(instance);
}

TEST_F(EngineReconcile, SetsLoUpInItsOwnSandboxesOnly) {
  const auto box = must(instance->create_sandbox({.name = "box"}));
  run("nsenter --net=" + box.netns_path + " ip link set lo down && nsenter --net=" + two.path +
      " ip link set lo down");
  engine::Draft change(*instance.impl().store);  // as of `run --network ns:PATH`
  auto joined = must(instance->create_sandbox({.name = "joined"}));
  run("nsenter --net=" + joined.netns_path + " ip link set lo down");
  joined.mode = NetworkMode::kPath;
  change.state.put(joined);
  must(engine::commit(instance.impl(), change));
  const auto repairs = must(instance->reconcile());
  ASSERT_EQ(repairs.size(), 1U);
  EXPECT_NE(repairs[0].what.find("box"), std::string::npos);
  EXPECT_EQ(shell("nsenter --net=" + box.netns_path + " ip -br link show lo up").output.find("lo"),
            0U);
}

TEST_F(EngineReconcile, PortModesFollowBrNetfilter) {
  if (shell("sysctl -n net.bridge.bridge-nf-call-iptables").status != 0)
    GTEST_SKIP() << "this kernel has no br_netfilter";
  const auto isolated = [] {
    return shell("bridge -d link show").output.find("isolated on") != std::string::npos;
  };
  const auto hairpin = [] {
    return shell("bridge -d link show").output.find("hairpin on") != std::string::npos;
  };
  for (const bool on : {true, false, true}) {
    run(fmt::format("sysctl -qw net.bridge.bridge-nf-call-iptables={}", on ? 1 : 0));
    for (const auto& repair : must(instance->reconcile())) must(repair.status);
    EXPECT_EQ(isolated(), !on);
    EXPECT_EQ(hairpin(), on);
    expect_agreement(instance);
  }
}

TEST_F(EngineReconcile, RemovesLinksThatAForcedRemovalLeftAndNoOthers) {
  auto& fault = instance.impl().faults.before_op;
  fault = [](std::size_t) -> Status { return fail(ErrorKind::kKernel, "made up"); };
  EXPECT_FALSE(instance->disconnect({.network = "net1", .target = two.target(), .force = true}));
  fault = nullptr;
  run("ip link show " + veth + " && ip link add veth1234567 master br1 type veth peer name p");
  const auto repairs = must(instance->reconcile());
  for (const auto& repair : repairs) must(repair.status);
  EXPECT_NE(shell("ip link show " + veth).status, 0);
  EXPECT_EQ(shell("ip link show veth1234567").status, 0);
  EXPECT_TRUE(must(instance->reconcile()).empty());
  for (const auto& [key, value] : instance.stored()) EXPECT_FALSE(key.starts_with("left/")) << key;
}

// As of a container that is the host and was started again: the boot is the same, and a new namespace
// gives the first links the same indexes.
TEST_F(EngineReconcile, ALinkOfAnotherNamespaceIsNotTheLeftOne) {
  auto& fault = instance.impl().faults.before_op;
  fault = [](std::size_t) -> Status { return fail(ErrorKind::kKernel, "made up"); };
  EXPECT_FALSE(instance->disconnect({.network = "net1", .target = two.target(), .force = true}));
  fault = nullptr;
  const auto left = json_of("ip -j link show " + veth)[0];
  become_new_host();
  run(fmt::format("ip link add {} index {} address {} type veth peer name p", veth,
                  left["ifindex"].get<int>(), left["address"].get<std::string>()));
  auto engine = instance.open_again();
  for (const auto& repair : must(engine.reconcile()))
    EXPECT_EQ(repair.what.find("left by"), std::string::npos) << repair.what;
  EXPECT_EQ(shell("ip link show " + veth).status, 0);
  for (const auto& error : engine.reset()) ADD_FAILURE() << error.message;
}

TEST_F(EngineReconcile, ALeftLinkThatIsAnothersByNowStays) {
  auto& fault = instance.impl().faults.before_op;
  fault = [](std::size_t) -> Status { return fail(ErrorKind::kKernel, "made up"); };
  EXPECT_FALSE(instance->disconnect({.network = "net1", .target = two.target(), .force = true}));
  fault = nullptr;
  run("ip link del " + veth + " && ip link add " + veth + " type veth peer name p");
  must(instance->reconcile());
  EXPECT_EQ(shell("ip link show " + veth).status, 0);
}

TEST_F(EngineReconcile, LeavesWhatOthersHaveMade) {
  run("nft add element inet berth publish4 '{ tcp . 9999 comment \"theirs 0 00000000\" : 10.1.0.9 "
      ". 1 }' && "
      "nft add element inet berth bridges '{ \"theirs0\" }' && ip link add mine type bridge");
  const auto now = picture(instance, {&one, &two});
  EXPECT_TRUE(must(instance->reconcile()).empty());
  expect_same(picture(instance, {&one, &two}), now);
}

TEST_F(EngineReconcile, PassesOverElementsThatItCannotUnderstand) {
  run("nft add element inet berth masq4 '{ 10.9.0.3-10.9.0.8 }' && "
      "nft add element inet berth pair '{ \"a\" . \"b\" : jump into }'");
  EXPECT_TRUE(must(instance->reconcile()).empty());
  run("ip link del br1");
  for (const auto& repair : must(instance->reconcile())) must(repair.status);
  for (const auto& error : instance->reset()) ADD_FAILURE() << error.message;
}

TEST_F(EngineReconcile, AFileThatCannotBeWrittenDoesNotKeepTheRestFromIt) {
  must(instance->create_sandbox({.name = "box"}));
  const auto sandboxes = instance.config().run + "/sandboxes";
  run("rm -r " + sandboxes + " && touch " + sandboxes + " && nft flush ruleset");
  const auto repairs = must(instance->reconcile());
  ASSERT_FALSE(repairs.empty());
  expect_refused(repairs[0].status, ErrorKind::kKernel, {"sandboxes"});
  EXPECT_EQ(shell("nft get element inet berth bridges '{ br1 }'").status, 0);
}

TEST_F(EngineReconcile, SaysWhatItCannotMendBecauseAnotherHasIt) {
  run("nft delete element inet berth publish4 '{ tcp . 7000 }' && "
      "nft add element inet berth publish4 '{ tcp . 7000 comment \"theirs 0 00000000\" : 10.1.0.9 "
      ". 1 }'");
  const auto repairs = must(instance->reconcile());
  ASSERT_EQ(repairs.size(), 1U);
  EXPECT_NE(repairs[0].what.find(one.target()), std::string::npos);
  expect_refused(repairs[0].status, ErrorKind::kExists, {"7000"});
}

TEST_F(EngineReconcile, CollectsEndpointsWhoseNamespaceIsGone) {
  {
    TargetNs gone;
    must(instance->connect(
        {.network = "net1", .target = gone.target(), .ports = ports({"7002:70"})}));
    const auto box = must(instance->create_sandbox({.name = "box"}));
    must(instance->connect({.network = "net1", .target = "box"}));
    run("umount " + box.netns_path);
  }
  const auto repairs = must(instance->reconcile());
  EXPECT_EQ(repairs.size(), 2U);
  for (const auto& repair : repairs) EXPECT_TRUE(repair.status) << repair.what;
  auto after = picture(instance, {&one, &two});
  expect_same(after.substr(0, after.find("hint/")), before.substr(0, before.find("hint/")));
  expect_agreement(instance);
  EXPECT_EQ(must(instance->sandboxes()).size(), 2U);
}

TEST_F(EngineReconcile, ARequestMendsItsNetworkFirst) {
  TargetNs three, four;
  run("ip link del br1");
  must(instance->connect({.network = "net1", .target = three.target()}));
  run("nft flush ruleset");
  must(
      instance->connect({.network = "net1", .target = four.target(), .ports = ports({"7003:70"})}));
  EXPECT_EQ(shell("nft get element inet berth bridges '{ br1 }'").status, 0);
  must(instance->reconcile());
  expect_agreement(instance);
}

TEST_F(EngineReconcile, ARemovalFindsThingsGoneAlready) {
  run("nft flush ruleset && ip link del br1 && ip link del br2 && ip link del " + veth);
  for (const auto& outcome : instance->remove_networks({{"net1", "net2"}, true}))
    must(outcome.status);
  expect_agreement(instance);
}

TEST_F(EngineReconcile, AfterARestartNetworksAreMadeAgainAndEndpointsForgotten) {
  must(instance->create_sandbox({.name = "box"}));
  auto& store = *instance.impl().store;
  must(store.commit({{"meta/boot", "the one before"}}, store::Durability::kNormal));
  become_new_host();

  auto engine = instance.open_again();
  const auto plan = must(engine.plan(Reconcile{}));
  EXPECT_TRUE(must(engine.sandboxes()).empty());
  EXPECT_FALSE(must(engine.info()).ip_forward_by_berth);
  EXPECT_EQ(shell("ls " + instance.config().run + "/netns").output, "");
  const auto repairs = must(engine.reconcile());
  EXPECT_EQ(repairs.size(), 2U);
  for (const auto& repair : repairs)
    EXPECT_TRUE(repair.status) << repair.what << ": " << repair.status.error().message;
  EXPECT_EQ(ip_forward(), "1");
  EXPECT_EQ(shell("ip link show br1 && ip link show br2").status, 0);
  const auto mended = kernel_state();
  TargetNs target;
  EXPECT_EQ(must(engine.connect(
                     {.network = "net1", .target = target.target(), .ports = ports({"7000:70"})}))
                .address4->ip(),
            ip("10.1.0.2"));
  for (const auto& error : engine.reset()) ADD_FAILURE() << error.message;
  EXPECT_EQ(ip_forward(), "0");

  become_new_host();
  for (const auto& command : plan.commands) run(command);
  expect_same(kernel_state(), mended);
}

TEST_F(EngineReconcile, WhatCannotBeMendedDoesNotKeepTheRestFromIt) {
  auto& store = *instance.impl().store;
  must(store.commit({{"meta/boot", "the one before"}}, store::Durability::kNormal));
  become_new_host();
  run("ip link add br1 type veth peer name other");
  auto engine = instance.open_again();
  const auto repairs = must(engine.reconcile());
  ASSERT_EQ(repairs.size(), 2U);
  expect_refused(repairs[0].status, ErrorKind::kExists, {"net1", "br1", "not this network's"});
  EXPECT_TRUE(repairs[1].status);
  EXPECT_EQ(shell("ip link show br2").status, 0);
}

}  // namespace
}  // namespace berth::testing
