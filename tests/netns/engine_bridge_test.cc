// The bridge driver's further options: bridges that were there before, VLANs, guarded ports, VRF.
#include <cctype>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

// What `command` prints inside the target.
Finished shell_in(const TargetNs& target, const std::string& command) {
  return shell(fmt::format("nsenter --net={} {}", target.path, command));
}

class EngineBridge : public EngineTest {
 protected:
  Instance instance;
  TargetNs one, two;

  static bool has_vlans() {
    const bool has = shell("ip link add vl type bridge vlan_filtering 1").status == 0;
    (void)shell("ip link del vl");
    return has;
  }
  static bool reaches(const TargetNs& from, const std::string& address) {
    return shell_in(from, "ping -c 3 -i 0.2 -W 1 " + address).status == 0;
  }
  Endpoint connect(const std::string& network, const TargetNs& target,
                   const EndpointOptions& options = {}) {
    return must(
        instance->connect({.network = network, .target = target.target(), .options = options}));
  }
  Status remove(const std::string& network, bool force = false) {
    return instance->remove_networks({{network}, force}).front().status;
  }
  CreateNetwork on_bridge(const std::string& name, const std::string& mode) {
    CreateNetwork request{.name = name};
    request.options["com.docker.network.bridge.name"] = "br7";
    if (!mode.empty()) request.options["mode"] = mode;
    return request;
  }
};

#define SKIP_WITHOUT_VLANS() \
  if (!has_vlans()) GTEST_SKIP() << "bridges know no VLANs here (CONFIG_BRIDGE_VLAN_FILTERING)"

TEST_F(EngineBridge, AnUnmanagedBridgeIsUsedAndNeverChanged) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge && ip addr add 10.7.0.1/24 dev br7 && "
      "ip link set br7 mtu 1400 up");
  const auto before = kernel_state();
  const auto network = must(instance->create_network(on_bridge("lan", "unmanaged")));
  expect_same(kernel_state(), before);
  EXPECT_EQ(network.subnets[0].cidr, cidr("10.7.0.0/24"));
  EXPECT_EQ(network.subnets[0].gateway, ip("10.7.0.1"));

  const auto endpoint = connect("lan", one);
  EXPECT_EQ(endpoint.address4, cidr("10.7.0.2/24"));
  EXPECT_EQ(endpoint.mtu, 1400U);
  EXPECT_TRUE(reaches(one, "10.7.0.1"));
  EXPECT_EQ(shell("nft list ruleset").output, "");
  EXPECT_EQ(ip_forward(), "0");
  expect_refused(
      instance->connect({.network = "lan", .target = two.target(), .ports = ports({"7000:70"})}),
      ErrorKind::kInvalid, {"lan", "unmanaged"});
  expect_agreement(instance);

  must(remove("lan", true));
  expect_same(kernel_state(), before);
}

TEST_F(EngineBridge, WithoutBerthsAddressesABridgesOwnMakeNoSubnet) {
  run("ip link add br7 type bridge && ip addr add 10.7.0.1/24 dev br7 && ip link set br7 up");
  const auto made = must(instance->create_network(
      {.name = "lan",
       .ipam = "null",
       .options = {{"com.docker.network.bridge.name", "br7"}, {"mode", "unmanaged"}}}));
  EXPECT_TRUE(made.subnets.empty());
}

TEST_F(EngineBridge, AnUnmanagedBridgeMustBeThere) {
  const auto before = picture(instance);
  expect_refused(instance->create_network(on_bridge("lan", "unmanaged")), ErrorKind::kNotFound,
                 {"no bridge br7"});
  CreateNetwork nameless{.name = "lan", .options = {{"mode", "unmanaged"}}};
  expect_refused(instance->create_network(nameless), ErrorKind::kInvalid, {"bridge.name"});
  run("ip link add br7 type veth peer name br7peer");
  expect_refused(instance->create_network(on_bridge("lan", "unmanaged")), ErrorKind::kInvalid,
                 {"br7 is a veth"});
  run("ip link del br7");
  expect_same(picture(instance), before);
}

TEST_F(EngineBridge, AnAdoptedBridgeGivesSubnetAndGatewayAndStaysAsItWas) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge && ip addr add 10.7.0.3/24 dev br7 && "
      "ip link set br7 up");
  const auto before = kernel_state();
  expect_refused(instance->create_network(on_bridge("lan", "")), ErrorKind::kExists,
                 {"br7", "--adopt br7"});
  const auto network = must(instance->create_network({.name = "lan", .adopt = "br7"}));
  EXPECT_EQ(network.subnets[0].cidr, cidr("10.7.0.0/24"));
  EXPECT_EQ(network.subnets[0].gateway, ip("10.7.0.3"));
  EXPECT_EQ(json_of("ip -j -4 addr show br7")[0]["addr_info"].size(), 1U);
  EXPECT_EQ(ip_forward(), "1");
  connect("lan", one);
  EXPECT_TRUE(reaches(one, "10.7.0.3"));
  must(instance->publish({"lan", one.target(), ports({"7000:70"})}));
  expect_agreement(instance);

  must(remove("lan", true));
  expect_same(kernel_state(), before);
}

TEST_F(EngineBridge, AnAdoptedBridgeLosesWhatItGotUnderItsNewName) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge && ip addr add 10.7.0.3/24 dev br7 && "
      "ip link set br7 up");
  const auto before = kernel_state();
  must(instance->create_network({.name = "lan", .adopt = "br7"}));
  run("ip link set br7 name uc");
  expect_refused(instance->connect({.network = "lan", .target = one.target(), .options = {}}),
                 ErrorKind::kNotFound, {"br7", "is called uc now"});
  must(remove("lan"));
  run("ip link set uc name br7");
  expect_same(kernel_state(), before);
}

TEST_F(EngineBridge, AnUnmanagedNetworkMayBeThereBeforeItsBridgeIsAdopted) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge && ip addr add 10.7.0.3/24 dev br7 && "
      "ip link set br7 up");
  must(instance->create_network(on_bridge("lan", "unmanaged")));
  must(instance->create_network({.name = "own", .adopt = "br7"}));
  expect_agreement(instance);
}

TEST_F(EngineBridge, ABridgeThatHasTheGatewaysAddressIsNotTheAdoptedOneUnderAnotherName) {
  run("ip link add br7 type bridge");
  must(instance->create_network(
      {.name = "lan",
       .subnets = {{.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = {}, .aux = {}}},
       .adopt = "br7"}));
  run("ip link del br7; ip link add br8 type bridge; ip addr add 10.7.0.1/24 dev br8; "
      "ip link set br8 up");
  const auto theirs = [] { return shell("ip -br link show br8; ip -br -4 addr show br8").output; };
  const auto before = theirs();
  must(remove("lan"));
  EXPECT_EQ(theirs(), before);
}

TEST_F(EngineBridge, WhatAnAdoptedBridgeLacksItGetsAndLoses) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge");
  const auto before = kernel_state();
  must(instance->create_network(
      {.name = "lan",
       .subnets = {{.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = {}, .aux = {}}},
       .adopt = "br7"}));
  connect("lan", one);
  EXPECT_TRUE(reaches(one, "10.7.0.1"));
  expect_agreement(instance);
  run("ip addr del 10.7.0.1/24 dev br7 && ip link set br7 down");
  EXPECT_FALSE(must(instance->reconcile()).empty());
  EXPECT_TRUE(reaches(one, "10.7.0.1"));
  for (const auto& error : instance->reset()) ADD_FAILURE() << error.message;
  expect_same(kernel_state(), before);
}

TEST_F(EngineBridge, AnAdoptedBridgeThatIsGoneDoesNotKeepItsNetwork) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge");
  must(instance->create_network({.name = "lan", .adopt = "br7"}));
  run("ip link del br7");
  must(remove("lan"));
  expect_agreement(instance);
}

TEST_F(EngineBridge, AGivenBridgeThatVanishesIsNamedUntilItIsBack) {
  const auto bridge =
      "ip link add br7 address 02:00:00:00:00:07 type bridge && "
      "ip addr add 10.7.0.1/24 dev br7 && ip link set br7 up";
  run(bridge);
  must(instance->create_network({.name = "own", .adopt = "br7"}));
  must(instance->create_network(on_bridge("lan", "unmanaged")));
  connect("own", one);
  run("ip link del br7");
  for (const auto* network : {"own", "lan"})
    expect_refused(instance->connect({.network = network, .target = two.target()}),
                   ErrorKind::kNotFound, {network, "its bridge br7 is gone", "or remove"});
  const auto said = must(instance->reconcile());
  ASSERT_EQ(said.size(), 3U) << "both networks, and the endpoint";
  for (const auto& repair : said)
    expect_refused(repair.status, ErrorKind::kNotFound, {"its bridge br7 is gone"});

  run("ip link add br7 type dummy || ip link add br7 type veth peer name other");
  expect_refused(instance->connect({.network = "lan", .target = two.target()}),
                 ErrorKind::kNotFound, {"its bridge br7 is gone"});
  run("ip link del br7");
  run(bridge);
  for (const auto& repair : must(instance->reconcile())) EXPECT_TRUE(repair.status) << repair.what;
  EXPECT_TRUE(reaches(one, "10.7.0.1"));
  expect_agreement(instance);
}

TEST_F(EngineBridge, AdoptionIsRefusedWhereItContradictsItself) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge && ip link add br8 type bridge");
  const auto before = picture(instance);
  auto two_bridges = on_bridge("lan", "");
  two_bridges.adopt = "br8";
  expect_refused(instance->create_network(two_bridges), ErrorKind::kInvalid, {"br7", "br8"});
  auto unmanaged = on_bridge("lan", "unmanaged");
  unmanaged.adopt = "br7";
  expect_refused(instance->create_network(unmanaged), ErrorKind::kInvalid,
                 {"--adopt", "unmanaged"});
  expect_refused(instance->create_network({.name = "lan", .adopt = "br9"}), ErrorKind::kNotFound,
                 {"no bridge br9"});
  auto virtual_router = on_bridge("lan", "unmanaged");
  virtual_router.options["vrf"] = "red";
  expect_refused(instance->create_network(virtual_router), ErrorKind::kInvalid, {"VRF"});
  const Labels of_the_firewall = {{"com.docker.network.bridge.gateway_mode_ipv4", "routed"},
                                  {"com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"},
                                  {"com.docker.network.bridge.trusted_host_interfaces", "lan0"},
                                  {"com.docker.network.host_ipv4", "10.0.0.9"}};
  for (const auto& [option, value] : of_the_firewall) {
    auto request = on_bridge("lan", "unmanaged");
    request.options[option] = value;
    expect_refused(instance->create_network(request), ErrorKind::kInvalid,
                   {option, "unmanaged", "no firewall"});
  }
  expect_same(picture(instance), before);
}

TEST_F(EngineBridge, BesideTheOneThatAdoptedItABridgeTakesUnmanagedNetworks) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge");
  must(instance->create_network({.name = "lan", .adopt = "br7"}));
  auto beside = on_bridge("beside", "unmanaged");
  beside.subnets = {{.subnet = cidr("10.8.0.0/24"), .range = {}, .gateway = {}, .aux = {}}};
  must(instance->create_network(beside));
  expect_refused(instance->create_network({.name = "again", .adopt = "br7"}), ErrorKind::kExists,
                 {"br7", "lan", "mode=unmanaged"});
  instance.make_network(1);
  auto on_berths = on_bridge("onberths", "unmanaged");
  on_berths.options["com.docker.network.bridge.name"] = "br1";
  expect_refused(instance->create_network(on_berths), ErrorKind::kExists, {"br1", "net1"});
  connect("beside", one);
  connect("beside", two);
  EXPECT_TRUE(reaches(one, "10.8.0.3"));
  must(remove("lan"));
  EXPECT_TRUE(reaches(one, "10.8.0.3"));
}

// Its networks share one segment, and so do machines of others'.
TEST_F(EngineBridge, NoAddressIsGivenTwiceOnOneGivenBridge) {
  TargetNs machine, three;
  run("ip link add br7 address 02:00:00:00:00:07 type bridge && ip addr add 10.7.0.1/24 dev br7 && "
      "ip link set br7 up");
  run("ip link add port7 master br7 up type veth peer name nic netns " + machine.path);
  run("ip link set nic up && ip addr add 10.7.0.77/24 dev nic", &machine.netns);
  must(instance->create_network({.name = "lan", .adopt = "br7"}));
  must(instance->create_network(on_bridge("beside", "unmanaged")));
  must(instance->create_network(on_bridge("third", "unmanaged")));
  const auto first = connect("lan", one);
  const auto second = connect("beside", two);
  EXPECT_EQ(first.address4, cidr("10.7.0.2/24"));
  EXPECT_EQ(second.address4, cidr("10.7.0.3/24"));
  EXPECT_NE(first.mac, second.mac);
  const auto before = picture(instance, {&three});
  const auto refuse = [&](const char* network, const char* address,
                          const std::vector<std::string>& said) {
    expect_refused(
        instance->connect(
            {.network = network, .target = three.target(), .options = {.ip4 = ip(address)}}),
        ErrorKind::kInUse, said);
    expect_same(picture(instance, {&three}), before);
  };
  refuse("lan", "10.7.0.3", {"10.7.0.3", two.target()});
  refuse("third", "10.7.0.2", {"10.7.0.2", one.target()});
  for (const auto* network : {"lan", "third"})
    refuse(network, "10.7.0.77", {"10.7.0.77", "in use on the network already"});
  connect("third", three, {.ip4 = ip("10.7.0.78")});
  EXPECT_TRUE(reaches(three, "10.7.0.77"));
  EXPECT_TRUE(reaches(three, "10.7.0.2"));
  expect_agreement(instance, {"port7"});
}

TEST_F(EngineBridge, IsolatedPortsReachTheGatewayAndNotEachOther) {
  instance.make_network(1, [](auto& request) { request.options["port_isolation"] = "true"; });
  connect("net1", one);
  connect("net1", two);
  EXPECT_TRUE(reaches(one, "10.1.0.1"));
  EXPECT_FALSE(reaches(one, "10.1.0.3"));
  expect_agreement(instance);
}

// The same change of address is let through where nobody checks, so the check is what stops it.
TEST_F(EngineBridge, ASpoofedMacAddressGetsNowhere) {
  for (const bool checked : {false, true}) {
    instance.make_network(checked ? 1 : 2, [&](auto& request) {
      request.options["mac_spoof_check"] = checked ? "true" : "false";
    });
    const std::string network = checked ? "net1" : "net2";
    TargetNs from, to;
    const auto own = connect(network, from);
    const auto other = connect(network, to);
    EXPECT_TRUE(reaches(from, other.address4->ip().str()));
    run("ip neigh flush all", &to.netns);
    run("ip link set eth0 address 02:66:66:66:66:66", &from.netns);
    EXPECT_EQ(reaches(from, other.address4->ip().str()), !checked);
    const auto neighbours = shell_in(to, "ip neigh show").output;
    EXPECT_EQ(neighbours.find("02:66:66:66:66:66") == std::string::npos, checked)
        << "a forged ARP request was let through: " << neighbours;
    run("ip link set eth0 address " + own.mac.str(), &from.netns);
    EXPECT_TRUE(reaches(from, other.address4->ip().str()));
    expect_agreement(instance);
    must(remove(network, /*force=*/true));
  }
}

TEST_F(EngineBridge, ReconcileLocksAPortAgain) {
  instance.make_network(1, [](auto& request) { request.options["mac_spoof_check"] = "true"; });
  const auto endpoint = connect("net1", one);
  const auto port = endpoint.host_ifname.str();
  run(fmt::format("bridge link set dev {} locked off; bridge fdb del {} dev {} master", port,
                  endpoint.mac.str(), port));
  EXPECT_FALSE(must(instance->reconcile()).empty());
  EXPECT_TRUE(reaches(one, "10.1.0.1"));
  EXPECT_NE(shell("bridge -d link show dev " + port).output.find("locked on"), std::string::npos);
  expect_agreement(instance);
}

TEST_F(EngineBridge, TheHostsEndHasTheNameThatIsAskedFor) {
  instance.make_network(1);
  EndpointOptions named;
  named.host_ifname = ifname("web0");
  EXPECT_EQ(connect("net1", one, named).host_ifname.str(), "web0");
  EXPECT_EQ(json_of("ip -j link show web0")[0]["master"], "br1");
  const auto before = picture(instance, {&two});
  expect_refused(instance->connect({.network = "net1", .target = two.target(), .options = named}),
                 ErrorKind::kExists, {"web0"});
  expect_same(picture(instance, {&two}), before);
}

// TestIsolated: the bridge has no address at all, and the containers still reach each other.
TEST_F(EngineBridge, AnIsolatedNetworkIsForItsContainersAlone) {
  instance.make_network(1, [](CreateNetwork& request) {
    request.internal = true;
    request.ipv6 = true;
    request.subnets.push_back(
        {.subnet = cidr("fd00:1::/64"), .range = {}, .gateway = {}, .aux = {}});
    request.options["com.docker.network.bridge.gateway_mode_ipv4"] = "isolated";
    request.options["com.docker.network.bridge.gateway_mode_ipv6"] = "isolated";
  });
  EXPECT_EQ(connect("net1", one).address4, cidr("10.1.0.1/24")) << "no gateway keeps the first";
  const auto other = connect("net1", two);
  EXPECT_TRUE(json_of("ip -j -4 addr show br1")[0]["addr_info"].empty());
  EXPECT_EQ(shell("ip -6 addr show br1 scope global").output, "");
  EXPECT_TRUE(reaches(one, other.address4->ip().str()));
  EXPECT_TRUE(reaches(one, other.address6->ip().str()));
  EXPECT_EQ(shell_in(one, "ip route show default").output, "");
  expect_agreement(instance);
  CreateNetwork open{.name = "open"};
  open.options["com.docker.network.bridge.gateway_mode_ipv4"] = "isolated";
  expect_refused(instance->create_network(open), ErrorKind::kInvalid, {"isolated", "--internal"});
}

// TestPointToPoint: a /31 has two addresses, and both are the containers'.
TEST_F(EngineBridge, APointToPointNetworkHasTwoContainers) {
  CreateNetwork request{.name = "link", .internal = true};
  request.subnets = {{.subnet = cidr("10.7.0.0/31"), .range = {}, .gateway = {}, .aux = {}},
                     {.subnet = cidr("fd00:7::/127"), .range = {}, .gateway = {}, .aux = {}}};
  request.options["com.docker.network.bridge.gateway_mode_ipv4"] = "isolated";
  request.options["com.docker.network.bridge.gateway_mode_ipv6"] = "isolated";
  must(instance->create_network(request));
  EXPECT_EQ(connect("link", one).address4, cidr("10.7.0.0/31"));
  EXPECT_EQ(connect("link", two).address4, cidr("10.7.0.1/31"));
  EXPECT_TRUE(reaches(one, "10.7.0.1"));
  EXPECT_TRUE(reaches(two, "10.7.0.0"));
  TargetNs third;
  expect_refused(instance->connect({.network = "link", .target = third.target()}),
                 ErrorKind::kExhausted, {"link"});
}

TEST_F(EngineBridge, WithInhibitIpv4SomebodyElseIsTheGateway) {
  instance.make_network(
      1, [](auto& request) { request.options["com.docker.network.bridge.inhibit_ipv4"] = "true"; });
  EXPECT_TRUE(json_of("ip -j -4 addr show br1")[0]["addr_info"].empty());
  EXPECT_EQ(connect("net1", one).address4, cidr("10.1.0.2/24"));
  EXPECT_EQ(json_of("ip -j route show default", &one.netns)[0]["gateway"], "10.1.0.1");
  run("ip addr add 10.1.0.1/24 dev br1");
  EXPECT_TRUE(reaches(one, "10.1.0.1"));
}

TEST_F(EngineBridge, AVlanThatTheKernelDoesNotKnowIsRefused) {
  if (has_vlans()) GTEST_SKIP() << "this kernel's bridges know VLANs";
  run("ip link add br7 address 02:00:00:00:00:07 type bridge");
  const auto before = picture(instance);
  CreateNetwork request{.name = "lan", .options = {{"vlan", "10"}}};
  expect_refused(instance->create_network(request), ErrorKind::kUnsupported,
                 {"CONFIG_BRIDGE_VLAN_FILTERING"});
  request.adopt = "br7";
  expect_refused(instance->create_network(request), ErrorKind::kUnsupported,
                 {"vlan=10", "CONFIG_BRIDGE_VLAN_FILTERING"});
  instance.make_network(1);
  Connect tagged{.network = "net1", .target = one.target()};
  tagged.options.vlan = 10;
  expect_refused(instance->connect(tagged), ErrorKind::kInvalid, {"VLAN 10", "br1", "net1"});
  must(remove("net1"));
  expect_same(picture(instance), before);
}

TEST_F(EngineBridge, AVlanHasItsGatewayToo) {
  SKIP_WITHOUT_VLANS();
  instance.make_network(1, [](auto& request) { request.options["vlan"] = "10"; });
  connect("net1", one);
  EndpointOptions other;
  other.vlan = 20;
  connect("net1", two, other);
  EXPECT_TRUE(reaches(one, "10.1.0.1"));
  EXPECT_FALSE(reaches(two, "10.1.0.1"));
  EXPECT_FALSE(reaches(one, "10.1.0.3"));
  expect_agreement(instance);
}

TEST_F(EngineBridge, TwoVlansShareAnUnmanagedBridge) {
  SKIP_WITHOUT_VLANS();
  run("ip link add br7 address 02:00:00:00:00:07 type bridge vlan_filtering 1 && ip link set br7 "
      "up");
  TargetNs three;
  for (const auto* vlan : {"10", "20"}) {
    auto request = on_bridge(std::string("vlan") + vlan, "unmanaged");
    request.options["vlan"] = vlan;
    request.subnets = {{.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = {}, .aux = {}}};
    must(instance->create_network(request));
  }
  EndpointOptions at;
  at.ip4 = ip("10.7.0.5");
  connect("vlan10", one, at);
  at.ip4 = ip("10.7.0.6");
  connect("vlan10", two, at);
  at.ip4 = ip("10.7.0.7");
  connect("vlan20", three, at);
  EXPECT_TRUE(reaches(one, "10.7.0.6"));
  EXPECT_FALSE(reaches(one, "10.7.0.7"));
  expect_agreement(instance);
}

TEST_F(EngineBridge, AVrfMustBeThere) {
  CreateNetwork request{.name = "lan", .options = {{"vrf", "red"}}};
  const auto before = picture(instance);
  const auto refused = instance->create_network(request);
  if (shell("ip link add red type vrf table 10").status != 0) {
    expect_refused(refused, ErrorKind::kUnsupported, {"red", "CONFIG_NET_VRF"});
    expect_same(picture(instance), before);
    GTEST_SKIP() << "this kernel has no VRF (CONFIG_NET_VRF)";
  }
  expect_refused(refused, ErrorKind::kNotFound, {"red", "table"});
  run("ip link set red up");
  const auto with_vrf = kernel_state();
  must(instance->create_network(request));
  const auto device = must(instance->network("lan")).bridge.device.str();
  EXPECT_EQ(json_of("ip -j link show " + device)[0]["master"], "red");
  EXPECT_NE(shell("ip route show table 10").output.find(device), std::string::npos);
  connect("lan", one);
  expect_agreement(instance, {"red"});
  must(remove("lan", true));
  expect_same(kernel_state(), with_vrf);
}

}  // namespace
}  // namespace berth::testing
