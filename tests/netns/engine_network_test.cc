// Networks: made, looked at and removed, alone and beside another instance.
#include <filesystem>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

using EngineNetwork = EngineTest;

CreateNetwork document_000() {
  CreateNetwork request{
      .name = "mybridge0", .subnets = {}, .labels = {{"seed", "000"}}, .options = {}};
  request.subnets.push_back({.subnet = cidr("192.168.100.0/24"),
                             .range = cidr("192.168.100.0/26"),
                             .gateway = ip("192.168.100.1"),
                             .aux = {}});
  request.options["com.docker.network.bridge.name"] = "mybr0";
  return request;
}

Status remove(Instance& instance, const std::string& network, bool force = false) {
  auto outcomes = instance->remove_networks({{network}, force});
  EXPECT_EQ(outcomes.size(), 1U);
  return outcomes.front().status;
}

TEST_F(EngineNetwork, OpeningAnInstanceDoesNotTouchTheHost) {
  const auto before = kernel_state();
  Instance instance;
  expect_same(kernel_state(), before);
  std::vector<std::string> names;
  for (const auto& network : must(instance->networks())) names.push_back(network.name);
  EXPECT_EQ(names, (std::vector<std::string>{"bridge", "host", "none"}));
}

TEST_F(EngineNetwork, Document000IsMadeInspectedAndRemovedWithoutATrace) {
  Instance instance;
  const auto before = picture(instance);
  const auto made = must(instance->create_network(document_000()));

  const auto network = must(instance->network("mybridge0"));
  EXPECT_EQ(network.id, made.id);
  EXPECT_EQ(network.id.size(), 64U);
  EXPECT_EQ(must(instance->network(made.id.substr(0, 12))).name, "mybridge0");
  EXPECT_EQ(network.subnets,
            (std::vector<Subnet>{
                {cidr("192.168.100.0/24"), cidr("192.168.100.0/26"), ip("192.168.100.1"), {}}}));
  EXPECT_EQ(network.bridge.device, ifname("mybr0"));
  EXPECT_EQ(network.labels, (Labels{{"seed", "000"}}));

  const auto link = json_of("ip -j -d link show mybr0")[0];
  EXPECT_EQ(link["linkinfo"]["info_kind"], "bridge");
  EXPECT_EQ(link["mtu"], 1500);
  EXPECT_EQ(link["linkinfo"]["info_data"]["stp_state"], 0);
  const auto address = json_of("ip -j -4 addr show mybr0")[0]["addr_info"][0];
  EXPECT_EQ(address["local"], "192.168.100.1");
  EXPECT_EQ(address["prefixlen"], 24);
  EXPECT_EQ(address["broadcast"], "192.168.100.255");
  EXPECT_EQ(ip_forward(), "1");
  expect_agreement(instance);

  must(remove(instance, "mybridge0"));
  expect_same(picture(instance), before);
}

TEST_F(EngineNetwork, WhatIsNotAskedForIsChosen) {
  Instance instance;
  const auto first = must(instance->create_network({.name = "first"}));
  const auto second = must(instance->create_network({.name = "second"}));
  EXPECT_EQ(first.bridge.device.str(), "br-" + first.id.substr(0, 12));
  EXPECT_EQ(must(instance->network("bridge")).subnets[0].cidr, cidr("172.17.0.0/16"));
  EXPECT_EQ(first.subnets[0].cidr, cidr("172.18.0.0/16"));
  EXPECT_EQ(first.subnets[0].gateway, ip("172.18.0.1"));
  EXPECT_EQ(second.subnets[0].cidr, cidr("172.19.0.0/16"));
}

TEST_F(EngineNetwork, AChosenSubnetOverlapsNoRouteOfTheHost) {
  Instance instance;
  run("ip link add d0 type veth peer name d1 && ip link set d1 up && ip link set d0 up && "
      "ip route add 172.18.5.0/24 dev d0");
  EXPECT_EQ(must(instance->create_network({.name = "n"})).subnets[0].cidr, cidr("172.19.0.0/16"));
}

// The second default route of OpenVPN's --redirect-gateway def1 and of wg-quick's without a table,
// by the tunnel's peer and by the device alone.
TEST_F(EngineNetwork, AFullTunnelVpnLeavesThePoolsFree) {
  run("ip link add tun0 type veth peer name d1 && ip link set d1 up && ip link set tun0 up && "
      "ip addr add 10.8.0.6 peer 10.8.0.5 dev tun0 && ip -6 addr add 2001:db8::2/64 dev tun0 nodad "
      "&& "
      "ip route add 0.0.0.0/1 via 10.8.0.5 && ip route add 128.0.0.0/1 via 10.8.0.5 && "
      "ip route add ::/1 dev tun0 && ip route add 8000::/1 dev tun0");
  Instance instance;
  TargetNs target;
  must(instance->connect({.network = "bridge", .target = target.target()}));
  const auto made = must(instance->create_network({.name = "n", .ipv6 = true}));
  EXPECT_EQ(made.subnets[0].cidr, cidr("172.18.0.0/16"));
  EXPECT_EQ(made.subnets.size(), 2U);
  run("ip route replace 0.0.0.0/1 dev tun0 && ip route replace 128.0.0.0/1 dev tun0");
  EXPECT_EQ(must(instance->create_network({.name = "o"})).subnets[0].cidr, cidr("172.19.0.0/16"));
  const SubnetRequest asked{
      .subnet = cidr("192.168.100.0/24"), .range = {}, .gateway = {}, .aux = {}};
  must(instance->create_network({.name = "p", .subnets = {asked}}));
}

TEST_F(EngineNetwork, WhatTheHostIsLinkedToIsNoPoolsHoweverWideItIs) {
  run("ip link add d0 type veth peer name d1 && ip link set d1 up && ip link set d0 up && "
      "ip addr add 172.16.0.5/12 dev d0 noprefixroute && "
      "ip route add 172.16.0.0/12 dev d0 proto dhcp && ip route add blackhole 192.0.0.0/8 && "
      "ip route add default via 192.168.0.1 dev d0 onlink");
  Instance instance;
  EXPECT_EQ(must(instance->network("bridge")).subnets[0].cidr, cidr("192.168.16.0/20"))
      << "the first block has the default route's gateway";
  const SubnetRequest asked{.subnet = cidr("172.20.0.0/16"), .range = {}, .gateway = {}, .aux = {}};
  expect_refused(instance->create_network({.name = "n", .subnets = {asked}}), ErrorKind::kInvalid,
                 {"172.20.0.0/16", "172.16.0.0/12"});
}

TEST_F(EngineNetwork, AChosenSubnetHasNoNameServerOfTheHost) {
  if (!std::filesystem::exists("/etc/resolv.conf")) GTEST_SKIP() << "no /etc/resolv.conf";
  const auto file = scratch_dir() + "/resolv.conf";
  run("echo nameserver 172.17.0.53 > " + file + " && mount --bind " + file + " /etc/resolv.conf");
  Instance instance;
  run("umount /etc/resolv.conf");
  EXPECT_EQ(must(instance->network("bridge")).subnets[0].cidr, cidr("172.18.0.0/16"));
}

TEST_F(EngineNetwork, TheMtuIsThatOfTheDefaultRoutesDeviceUnlessGiven) {
  run("ip link add d0 mtu 1400 type veth peer name d1 && ip link set d1 up && ip link "
      "set d0 up && "
      "ip addr add 203.0.113.2/24 dev d0 && ip route add default via 203.0.113.1");
  Instance instance;
  instance.make_network(1);
  instance.make_network(
      2, [](auto& request) { request.options["com.docker.network.driver.mtu"] = "9000"; });
  EXPECT_EQ(json_of("ip -j link show br1")[0]["mtu"], 1400);
  EXPECT_EQ(json_of("ip -j link show br2")[0]["mtu"], 9000);
  TargetNs one, two;
  EXPECT_EQ(must(instance->connect({.network = "net1", .target = one.target()})).mtu, 1400U);
  must(instance->connect({.network = "net2", .target = two.target()}));
  EXPECT_EQ(json_of("ip -j link show eth0", &one.netns)[0]["mtu"], 1400);
  EXPECT_EQ(json_of("ip -j link show eth0", &two.netns)[0]["mtu"], 9000);
}

TEST_F(EngineNetwork, BridgeGetsItsDeviceWithItsFirstEndpoint) {
  Instance instance;
  TargetNs target;
  EXPECT_NE(shell("ip link show berth0").status, 0);
  const auto endpoint = must(instance->connect({.network = "bridge", .target = target.target()}));
  EXPECT_EQ(shell("ip link show berth0").status, 0);
  EXPECT_EQ(endpoint.address4->ip(), ip("172.17.0.2"));
  EXPECT_EQ(ip_forward(), "1");
  expect_agreement(instance);
  expect_refused(remove(instance, "bridge", true), ErrorKind::kInvalid, {"bridge", "predefined"});
}

// What was made for the first sandbox goes with the last one: berth0, the table, the translator,
// forwarding.
TEST_F(EngineNetwork, NothingIsLeftAfterTheLastSandboxOnBridge) {
  Instance instance;
  const auto nothing = kernel_state();
  TargetNs one, two;
  const auto connect = [&](TargetNs& target, const std::string& port) {
    must(instance->connect(
        {.network = "bridge", .target = target.target(), .ports = ports({port})}));
  };
  for (int round = 0; round < 2; ++round) {
    connect(one, "8080:80");
    connect(two, "8081:80");
    must(instance->disconnect({.network = "bridge", .target = one.target()}));
    EXPECT_EQ(shell("ip link show berth0").status, 0);
    expect_agreement(instance);
    must(instance->disconnect({.network = "bridge", .target = two.target()}));
    expect_same(kernel_state(), nothing);
  }
}

TEST_F(EngineNetwork, ForwardingIsSwitchedOffOnlyByWhoSwitchedItOn) {
  Instance instance;
  instance.make_network(1, [](auto& request) { request.internal = true; });
  EXPECT_EQ(ip_forward(), "0") << "an internal network needs none";
  instance.make_network(2);
  instance.make_network(3);
  EXPECT_EQ(ip_forward(), "1");
  EXPECT_TRUE(must(instance->info()).ip_forward_by_berth);
  must(remove(instance, "net2"));
  EXPECT_EQ(ip_forward(), "1") << "net3 needs it";
  must(remove(instance, "net3"));
  EXPECT_EQ(ip_forward(), "0");

  run("sysctl -qw net.ipv4.ip_forward=1");
  instance.make_network(4);
  EXPECT_FALSE(must(instance->info()).ip_forward_by_berth);
  must(remove(instance, "net4"));
  EXPECT_EQ(ip_forward(), "1") << "it was on before";
}

TEST_F(EngineNetwork, TheAdministratorsRulesOutliveTheLastNetwork) {
  Instance instance;
  instance.make_network(1);
  run("nft add rule inet berth user ip saddr 192.0.2.66 drop");
  must(remove(instance, "net1"));
  EXPECT_NE(shell("nft list chain inet berth user").output.find("192.0.2.66"), std::string::npos);
  instance.make_network(1);
  EXPECT_NE(shell("nft list chain inet berth user").output.find("192.0.2.66"), std::string::npos);
  EXPECT_TRUE(instance->reset().empty());
  EXPECT_NE(shell("nft list chain inet berth user").output.find("192.0.2.66"), std::string::npos);
}

TEST_F(EngineNetwork, ForcedRemovalDetachesTheUsersAndMovesTheirDefaultRoute) {
  Instance instance;
  TargetNs target;
  instance.make_network(1);
  instance.make_network(2);
  must(instance->connect(
      {.network = "net1", .target = target.target(), .ports = ports({"7000:70"})}));
  must(instance->connect({.network = "net2", .target = target.target()}));
  expect_refused(remove(instance, "net1"), ErrorKind::kInUse, {"net1", target.target(), "--force"});
  must(remove(instance, "net1", true));
  expect_agreement(instance);
  EXPECT_EQ(json_of("ip -j route show default", &target.netns)[0]["gateway"], "10.2.0.1");
  must(remove(instance, "nowhere", true));
  expect_refused(remove(instance, "nowhere"), ErrorKind::kNotFound, {"nowhere"});
}

TEST_F(EngineNetwork, SeveralAreRemovedInOneChange) {
  Instance instance;
  const auto before = picture(instance);
  for (int number = 1; number <= 6; ++number) instance.make_network(number);
  must(instance->create_network({.name = "template", .config_only = true}));
  must(instance->create_network({.name = "derived", .config_from = "template"}));
  TargetNs target;
  must(instance->connect({.network = "net2", .target = target.target()}));
  int changes = 0;
  instance.impl().faults.at = [&](std::string_view step) { changes += step == "recorded" ? 1 : 0; };
  const auto removed = [&](const std::vector<std::string>& names, bool force = false) {
    std::vector<std::string> said;
    for (const auto& [name, status] : instance->remove_networks({names, force}))
      said.push_back(name + (status ? "" : ": " + status.error().message));
    return said;
  };
  using Strings = std::vector<std::string>;
  const auto nowhere = removed({"nowhere"}).front();
  EXPECT_EQ(removed({"net1", "net2", "nowhere", "bridge", "template", "net3", "derived"}),
            (Strings{"net1",
                     "net2: network net2 is in use by " + target.target() +
                         ": disconnect them first, or use --force",
                     nowhere, "bridge: network bridge is predefined and cannot be removed",
                     "template: network template is the template of derived: remove that first",
                     "net3", "derived"}));
  EXPECT_EQ(changes, 1);
  expect_agreement(instance);
  // The same network twice, and one that must be left alone: each by itself.
  run("ip link del br4 && ip link add br4 type bridge");
  const auto said = removed({"net4", "net5", "net5", "template"});
  EXPECT_NE(said[0].find("net4: completed with errors"), std::string::npos) << said[0];
  EXPECT_EQ(said[1], "net5");
  EXPECT_NE(said[2].find("net5: "), std::string::npos) << said[2];
  EXPECT_EQ(said[3], "template");
  run("ip link del br4");
  changes = 0;
  EXPECT_EQ(removed({"net6", "net2", "nowhere"}, true), (Strings{"net6", "net2", "nowhere"}));
  EXPECT_EQ(changes, 1);
  expect_same(picture(instance), before);
}

TEST_F(EngineNetwork, WhatOneOfSeveralCannotLoseIsToldOfThatOne) {
  Instance instance;
  for (int number = 1; number <= 3; ++number) instance.make_network(number);
  const auto before = picture(instance);
  instance.impl().faults.before_op = [](std::size_t) -> Status {
    return std::unexpected(Error{ErrorKind::kKernel, "no", EIO});
  };
  for (const auto& outcome : instance->remove_networks({{"net1", "net2", "net3"}, false}))
    EXPECT_FALSE(outcome.status) << outcome.reference;
  expect_same(picture(instance), before);
}

TEST_F(EngineNetwork, ResetLeavesNothingOfTheInstance) {
  const auto before = kernel_state();
  Instance instance;
  TargetNs target;
  const auto target_before = kernel_state(&target.netns);
  const auto& config = instance.config();
  instance.make_network(1);
  must(instance->connect(
      {.network = "net1", .target = target.target(), .ports = ports({"7000:70"})}));
  must(instance->create_sandbox({.name = "box"}));
  must(instance->connect({.network = "bridge", .target = "box", .ports = ports({"53:53/udp"})}));
  for (const auto& error : instance->reset()) ADD_FAILURE() << error.message;
  expect_same(kernel_state(), before);
  expect_same(kernel_state(&target.netns), target_before);
  EXPECT_FALSE(std::filesystem::exists(config.root));
  EXPECT_FALSE(std::filesystem::exists(config.run));
}

TEST_F(EngineNetwork, AnEngineOpenedBeforeAResetIsTold) {
  Instance instance;
  auto stale = instance.open_again();
  EXPECT_TRUE(instance->reset().empty());
  const auto fresh = instance.open_again();
  const auto before = kernel_state();
  expect_refused(stale.create_network({.name = "n"}), ErrorKind::kNotFound, {"reset"});
  expect_same(kernel_state(), before);
}

TEST_F(EngineNetwork, BridgeGetsItsSubnetLaterWhereThePoolsHaveNone) {
  const auto base = scratch_dir() + "/exhausted";
  const Config config{
      .root = base + "/root", .run = base + "/run", .pools = {{cidr("10.99.0.0/24"), 24}}};
  run("ip route add blackhole 10.99.0.0/25");
  auto engine = must(Engine::open(config));
  EXPECT_TRUE(must(engine.network("bridge")).subnets.empty());
  EXPECT_EQ(must(engine.networks()).size(), 3U);
  EXPECT_TRUE(must(engine.disk_use()).subnets.empty());
  TargetNs target;
  const Connect request{.network = "bridge", .target = target.target()};
  expect_refused(engine.connect(request), ErrorKind::kExhausted, {"network bridge"});
  run("ip route del blackhole 10.99.0.0/25");
  EXPECT_EQ(must(engine.connect(request)).address4->ip(), ip("10.99.0.2"));
  EXPECT_EQ(must(engine.network("bridge")).subnets.size(), 1U);
  for (const auto& error : engine.reset()) ADD_FAILURE() << error.message;
}

}  // namespace
}  // namespace berth::testing
