// macvlan and ipvlan networks against the real kernel: a veth is the parent, and its other end a
// machine on the segment.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

// A host whose lan0 is on a segment with one other machine, 192.168.7.1.
class EngineParent : public EngineTest {
 protected:
  EngineParent() {
    run("ip link add lan0 mtu 1450 type veth peer name lan1 mtu 1450 netns " + machine.path);
    run("ip link set lan0 up");
    run("ip link set lan1 up && ip addr add 192.168.7.1/24 dev lan1 && "
        "ip addr add fd07::1/64 dev lan1 nodad",
        &machine.netns);
  }

  static CreateNetwork request(const std::string& name, const Labels& options = {},
                               const std::string& driver = "macvlan") {
    CreateNetwork lan{.name = name, .driver = driver, .subnets = {}, .labels = {}};
    lan.subnets.push_back(
        {.subnet = cidr("192.168.7.0/24"), .range = {}, .gateway = {}, .aux = {}});
    lan.options = options;
    lan.options.try_emplace("parent", "lan0");
    return lan;
  }
  Network make(const CreateNetwork& lan) { return must(instance->create_network(lan)); }
  Endpoint connect(const std::string& network, TargetNs& target, EndpointOptions options = {}) {
    return must(instance->connect(
        {.network = network, .target = target.target(), .options = std::move(options)}));
  }

  static bool answers(const std::string& address, const kernel::Netns* netns) {
    bool answered = false;
    const auto ping = [&]() -> Status {
      answered = shell("ping -c 3 -i 0.2 -W 1 " + address).status == 0;
      return {};
    };
    if (netns == nullptr)
      must(ping());
    else
      must(kernel::run_status_in(*netns, ping));
    return answered;
  }
  static nlohmann::json link(const std::string& name, const kernel::Netns* netns = nullptr) {
    return json_of("ip -j -d link show dev " + name, netns)[0];
  }
  static bool kernel_has(const std::string& kind) {
    auto route = must(kernel::Socket::open(NETLINK_ROUTE));
    return must(kernel::has_link_kind(route, kind));
  }

  TargetNs machine;
  Instance instance;
};

TEST_F(EngineParent, MacvlanContainersTalkToEachOtherAndToTheSegment) {
  make(request("lan"));
  TargetNs one, two;
  const auto first = connect("lan", one);
  const auto second = connect("lan", two);
  EXPECT_EQ(first.address4->str(), "192.168.7.2/24");
  EXPECT_EQ(second.address4->str(), "192.168.7.3/24");
  EXPECT_EQ(first.mtu, 1450U);
  EXPECT_TRUE(first.host_ifname.empty());
  const auto eth0 = link("eth0", &one.netns);
  EXPECT_EQ(eth0["linkinfo"]["info_kind"], "macvlan");
  EXPECT_EQ(eth0["linkinfo"]["info_data"]["mode"], "bridge");
  EXPECT_EQ(eth0["address"], first.mac.str());
  EXPECT_EQ(eth0["mtu"], 1450);
  EXPECT_TRUE(answers("192.168.7.3", &one.netns));
  EXPECT_TRUE(answers("192.168.7.1", &one.netns));
  EXPECT_EQ(json_of("ip -j route show default", &one.netns)[0]["gateway"], "192.168.7.1");
  EXPECT_FALSE(answers("192.168.7.2", nullptr)) << "without host_access";
  expect_agreement(instance);
}

TEST_F(EngineParent, NothingIsLeftAfterDisconnectAndRemove) {
  const auto before = picture(instance, {&machine});
  make(request("lan", {{"host_access", "true"}}));
  TargetNs one;
  const auto target_before = kernel_state(&one.netns);
  connect("lan", one);
  must(instance->disconnect({.network = "lan", .target = one.target()}));
  expect_same(kernel_state(&one.netns), target_before);
  must(instance->remove_networks({{"lan"}, false})[0].status);
  expect_same(picture(instance, {&machine}), before);
}

TEST_F(EngineParent, MacvlanModes) {
  for (const std::string mode : {"private", "vepa", "passthru"}) {
    make(request(mode, {{"macvlan_mode", mode}}));
    TargetNs one;
    connect(mode, one);
    EXPECT_EQ(link("eth0", &one.netns)["linkinfo"]["info_data"]["mode"], mode);
    EXPECT_EQ(answers("192.168.7.1", &one.netns), true) << mode;
    must(instance->remove_networks({{mode}, true})[0].status);
  }
  make(request("source", {{"macvlan_mode", "source"}, {"macvlan_sources", "02:00:00:00:00:07"}}));
  TargetNs one;
  connect("source", one);
  const auto details =
      json_of("ip -j -d link show dev eth0", &one.netns)[0]["linkinfo"]["info_data"];
  EXPECT_EQ(details["mode"], "source");
  EXPECT_NE(details.dump().find("02:00:00:00:00:07"), std::string::npos) << details.dump();
}

TEST_F(EngineParent, PassthruTakesTheWholeParent) {
  make(request("whole", {{"macvlan_mode", "passthru"}}));
  expect_refused(instance->create_network(request("other")), ErrorKind::kInUse,
                 {"network other", "lan0", "whole", "passthru"});
  TargetNs one, two;
  expect_refused(instance->connect({.network = "whole",
                                    .target = one.target(),
                                    .options = {.mac = must(Mac::parse("02:00:00:00:00:07"))}}),
                 ErrorKind::kInvalid, {"whole", "passthru", "MAC address of lan0"});
  const auto mac = connect("whole", one).mac.str();
  EXPECT_EQ(link("eth0", &one.netns)["address"], mac);
  EXPECT_EQ(link("lan0")["address"], mac);
  expect_refused(instance->connect({.network = "whole", .target = two.target()}), ErrorKind::kInUse,
                 {"whole", "lan0", one.target()});
  must(instance->remove_networks({{"whole"}, true})[0].status);
  make(request("shared"));
  expect_refused(instance->create_network(request("late", {{"macvlan_mode", "passthru"}})),
                 ErrorKind::kInUse, {"network late", "shared", "passthru"});
}

TEST_F(EngineParent, OneThatSomebodyElseHasTakenIsRefusedWhenTheKernelSaysSo) {
  make(request("lan"));
  run("ip link add link lan0 name other type macvlan mode passthru");
  TargetNs one;
  const auto before = picture(instance, {&one});
  expect_refused(instance->connect({.network = "lan", .target = one.target()}), ErrorKind::kInUse,
                 {"lan0", "passthru"});
  expect_same(picture(instance, {&one}), before);
}

// IPAM: networks of one parent are on one segment, whatever their subnets are called.
TEST_F(EngineParent, NoAddressIsGivenTwiceOnOneParent) {
  auto small = request("small");
  small.subnets[0] = {.subnet = cidr("192.168.7.0/29"),
                      .range = {},
                      .gateway = Ip::v4(192, 168, 7, 3),
                      .aux = {{"printer", Ip::v4(192, 168, 7, 4)}}};
  make(request("large"));
  make(small);
  TargetNs a, b, c, d;
  EXPECT_EQ(connect("large", a).address4->ip().str(), "192.168.7.2");
  EXPECT_EQ(connect("small", b).address4->ip().str(), "192.168.7.5") << "1: the other's gateway";
  EXPECT_EQ(connect("large", c).address4->ip().str(), "192.168.7.6");
  expect_refused(
      instance->connect(
          {.network = "small", .target = d.target(), .options = {.ip4 = Ip::v4(192, 168, 7, 6)}}),
      ErrorKind::kInUse, {"192.168.7.6", c.target()});
  expect_refused(
      instance->connect(
          {.network = "large", .target = d.target(), .options = {.ip4 = Ip::v4(192, 168, 7, 4)}}),
      ErrorKind::kInUse, {"192.168.7.4", "printer", "small"});
  expect_refused(instance->connect({.network = "small", .target = d.target()}),
                 ErrorKind::kExhausted, {"small"});
  must(instance->disconnect({.network = "large", .target = a.target()}));
  EXPECT_EQ(connect("small", d).address4->ip().str(), "192.168.7.2") << "free again";
}

TEST_F(EngineParent, HostAndContainersTalkByTheHostsOwnSubInterface) {
  run("ip addr add 192.168.7.10/24 dev lan0");
  auto lan = request("lan", {{"host_access", "true"}});
  lan.ipv6 = true;
  lan.subnets.push_back({.subnet = cidr("fd07::/64"), .range = {}, .gateway = {}, .aux = {}});
  const auto made = make(lan);
  ASSERT_EQ(made.parent.host_addresses.size(), 2U);
  EXPECT_EQ(made.parent.host_addresses[0].str(), "192.168.7.2/24");
  TargetNs one;
  const auto endpoint = connect("lan", one);
  EXPECT_EQ(endpoint.address4->ip().str(), "192.168.7.3") << "after the host's";
  EXPECT_TRUE(answers("192.168.7.3", nullptr));
  EXPECT_TRUE(answers(endpoint.address6->ip().str(), nullptr));
  EXPECT_TRUE(answers("192.168.7.2", &one.netns));
  EXPECT_TRUE(answers(made.parent.host_addresses[1].ip().str(), &one.netns));
  EXPECT_TRUE(answers("192.168.7.1", nullptr)) << "the host's own way to the segment";
  EXPECT_TRUE(answers("192.168.7.1", &one.netns));
  // The segment knows the host by its parent's MAC address, not by its sub-interface's.
  EXPECT_TRUE(answers("192.168.7.10", &machine.netns));
  EXPECT_EQ(json_of("ip -j neigh show 192.168.7.10", &machine.netns)[0]["lladdr"],
            link("lan0")["address"]);
  expect_agreement(instance);

  const auto shim = made.parent.host_device.str();
  run("ip link del " + shim);
  auto repairs = must(instance->reconcile());
  EXPECT_EQ(repairs.size(), 2U) << "the network's and the endpoint's part";
  EXPECT_TRUE(answers("192.168.7.3", nullptr));
  run("ip route del 192.168.7.3/32 dev " + shim);
  EXPECT_EQ(must(instance->reconcile()).size(), 1U);
  must(instance->disconnect({.network = "lan", .target = one.target()}));
  EXPECT_TRUE(json_of("ip -j route show dev " + shim).empty());
}

// One device is one segment, whatever it is called.
TEST_F(EngineParent, AParentIsKnownByItsOtherNames) {
  run("ip link property add dev lan0 altname uplink && ip link add stacked link lan0 type macvlan");
  make(request("lan"));
  const auto other = make(request("other", {{"parent", "uplink"}}));
  EXPECT_EQ(other.parent.device.str(), "lan0");
  TargetNs one, two;
  EXPECT_NE(connect("lan", one).address4, connect("other", two).address4);
  expect_refused(instance->create_network(
                     request("alone", {{"parent", "uplink"}, {"macvlan_mode", "passthru"}})),
                 ErrorKind::kInUse, {"lan0", "lan"});
  expect_refused(instance->create_network(request("more", {{"parent", "stacked"}})),
                 ErrorKind::kInvalid, {"stacked", "macvlan of lan0", "give lan0"});
}

TEST_F(EngineParent, EveryAddressOfAnAttachmentIsReachedByTheHost) {
  make(request("lan", {{"host_access", "true"}}));
  TargetNs one;
  EndpointOptions given;
  given.addresses = {cidr("192.168.7.50/24"), cidr("192.168.7.51/24")};
  connect("lan", one, given);
  EXPECT_TRUE(answers("192.168.7.50", nullptr));
  EXPECT_TRUE(answers("192.168.7.51", nullptr));
  expect_agreement(instance);
  must(instance->disconnect({.network = "lan", .target = one.target()}));
  EXPECT_EQ(shell("ip route show | grep 192.168.7.5").status, 1);
}

TEST_F(EngineParent, AShimThatIsDownIsSetUpAgain) {
  const auto lan = make(request("lan", {{"host_access", "true"}}));
  run("ip link set " + lan.parent.host_device.str() + " down");
  TargetNs one;
  const auto endpoint = connect("lan", one);
  EXPECT_TRUE(answers(endpoint.address4->ip().str(), nullptr));
}

TEST_F(EngineParent, TheWayToTheHostOutlivesTheFirstOfTwoNetworks) {
  run("ip addr add 192.168.7.10/24 dev lan0");
  auto lan = request("lan", {{"host_access", "true"}});
  lan.subnets[0].range = cidr("192.168.7.64/26");
  auto more = request("more", {{"host_access", "true"}});
  more.subnets[0].range = cidr("192.168.7.128/26");
  make(lan);
  make(more);
  TargetNs one;
  connect("lan", one);
  connect("more", one);
  EXPECT_TRUE(answers("192.168.7.10", &one.netns));
  must(instance->disconnect({.network = "lan", .target = one.target()}));
  EXPECT_TRUE(answers("192.168.7.10", &one.netns));
  connect("lan", one);
  must(instance->disconnect({.network = "more", .target = one.target()}));
  EXPECT_TRUE(answers("192.168.7.10", &one.netns));
  expect_agreement(instance);
}

TEST_F(EngineParent, TheHostsAddressCanBeChosen) {
  auto lan = request("lan", {{"host_access", "true"}});
  lan.subnets[0].aux = {{"host", Ip::v4(192, 168, 7, 200)}};
  EXPECT_EQ(make(lan).parent.host_addresses[0].str(), "192.168.7.200/24");
  expect_agreement(instance);
}

TEST_F(EngineParent, TheHostsAddressIsNoneThatANeighbourHas) {
  run("ip addr add 192.168.7.2/24 dev lan1 && ip addr add 192.168.7.3/24 dev lan1", &machine.netns);
  EXPECT_EQ(make(request("lan", {{"host_access", "true"}})).parent.host_addresses[0].str(),
            "192.168.7.4/24");
  expect_agreement(instance);
}

TEST_F(EngineParent, TwoNetworksWithIPv6AloneReachTheHostOnOneParent) {
  for (const std::string subnet : {"fd91::/64", "fd92::/64"}) {
    auto lan = request("lan" + subnet.substr(2, 2), {{"host_access", "true"}});
    lan.ipv4 = false;
    lan.subnets = {{.subnet = cidr(subnet), .range = {}, .gateway = {}, .aux = {}}};
    make(lan);
  }
  TargetNs one, two;
  EXPECT_TRUE(answers(connect("lan91", one).address6->ip().str(), nullptr));
  EXPECT_TRUE(answers(connect("lan92", two).address6->ip().str(), nullptr));
  expect_agreement(instance);
}

TEST_F(EngineParent, WhatIsAvailableIsWhatIsGivenOut) {
  run("ip addr add 192.168.7.3/24 dev lan0");
  auto lan = request("lan", {{"host_access", "true"}});  // which takes .2
  lan.subnets[0].range = cidr("192.168.7.0/29");
  const auto made = make(lan);
  auto other = request("beside");
  other.subnets[0].aux = {{"printer", ip("192.168.7.4")}};
  make(other);
  TargetNs a, b, c;
  EXPECT_EQ(connect("beside", a).address4->str(), "192.168.7.5/24");
  const auto use = [&] { return must(instance->subnet_use(made)).at(0); };
  EXPECT_EQ(use().in_use, 0U);
  EXPECT_EQ(use().available, 2U) << "192.168.7.6 and .7";
  EXPECT_EQ(use().reserved, 6U) << "0, 255, the gateway, .2, .3 and .4";
  connect("lan", b);
  EXPECT_EQ(use().in_use, 1U);
  connect("lan", c);
  EXPECT_EQ(use().available, 0U);
  TargetNs d;
  expect_refused(instance->connect({.network = "lan", .target = d.target()}), ErrorKind::kExhausted,
                 {"lan"});
}

// A sub-interface cannot ask its parent, so no probe would tell.
TEST_F(EngineParent, TheHostsOwnAddressesAreNobodyElses) {
  run("ip addr add 192.168.7.2/24 dev lan0 && ip addr add fd07::2/64 dev lan0 nodad");
  auto lan = request("lan", {{"host_access", "true"}});
  lan.ipv6 = true;
  lan.subnets.push_back({.subnet = cidr("fd07::/64"), .range = {}, .gateway = {}, .aux = {}});
  auto chosen = lan;
  chosen.name = "chosen";
  chosen.subnets[0].aux = {{"host", ip("192.168.7.2")}};
  const auto before = picture(instance);
  expect_refused(instance->create_network(chosen), ErrorKind::kInUse,
                 {"192.168.7.2", "the host", "lan0"});
  run("ip addr add 192.168.7.77/24 dev lan1", &machine.netns);
  chosen.subnets[0].aux = {{"host", ip("192.168.7.77")}};
  expect_refused(instance->create_network(chosen), ErrorKind::kInUse,
                 {"192.168.7.77", "in use on the network already"});
  expect_same(picture(instance), before);

  const auto made = make(lan);
  EXPECT_EQ(made.parent.host_addresses[0].str(), "192.168.7.3/24");
  EXPECT_EQ(made.parent.host_addresses[1].str(), "fd07::3/64");
  chosen.subnets[0].aux = {{"host", ip("192.168.7.3")}};
  expect_refused(instance->create_network(chosen), ErrorKind::kInUse, {"192.168.7.3", "the host"});
  TargetNs one, two;
  for (const auto& options :
       {EndpointOptions{.ip4 = ip("192.168.7.2")}, EndpointOptions{.ip6 = ip("fd07::2")},
        EndpointOptions{.addresses = {cidr("192.168.7.2/24")}}})
    expect_refused(
        instance->connect({.network = "lan", .target = one.target(), .options = options}),
        ErrorKind::kInUse, {"taken by the host, on lan0"});
  const auto first = connect("lan", one);
  EXPECT_EQ(first.address4->str(), "192.168.7.4/24");
  EXPECT_EQ(first.address6->str(), "fd07::4/64");
  EXPECT_TRUE(answers("192.168.7.4", nullptr));
  expect_agreement(instance);
}

// An address that the host had when others were given out is free when the subnet has no other.
TEST_F(EngineParent, AnAddressThatTheHostLetsGoIsGivenOut) {
  run("ip addr add 192.168.7.2/24 dev lan0");
  auto lan = request("lan");
  lan.subnets[0].range = cidr("192.168.7.2/31");
  make(lan);
  TargetNs one, two;
  EXPECT_EQ(connect("lan", one).address4->str(), "192.168.7.3/24");
  expect_refused(instance->connect({.network = "lan", .target = two.target()}),
                 ErrorKind::kExhausted, {"lan"});
  run("ip addr del 192.168.7.2/24 dev lan0");
  EXPECT_EQ(connect("lan", two).address4->str(), "192.168.7.2/24");
}

TEST_F(EngineParent, AMacAddressThatTheSegmentHasIsRefusedAtOnce) {
  const auto lan = make(request("lan", {{"host_access", "true"}}));
  make(request("beside"));
  TargetNs one, two;
  const auto mac = connect("lan", one).mac;
  const auto before = picture(instance, {&two});
  const auto refuse = [&](const std::string& taken, const std::vector<std::string>& said) {
    for (const auto* network : {"lan", "beside"})
      expect_refused(instance->connect({.network = network,
                                        .target = two.target(),
                                        .options = {.mac = must(Mac::parse(taken))}}),
                     ErrorKind::kInUse, said);
    expect_same(picture(instance, {&two}), before);
  };
  refuse(mac.str(), {mac.str(), "taken by " + one.target()});
  refuse(link("lan0")["address"], {"the host's lan0"});
  const auto shim = lan.parent.host_device.str();
  refuse(link(shim)["address"], {"the host's " + shim});
}

// What a namespace that ends has is waited for; somebody else's is not waited for again and again.
TEST_F(EngineParent, AMacAddressOfAnothersSubInterfaceIsNamedAfterOneWait) {
  make(request("lan"));
  run("ip link add link lan0 name other address 02:00:00:00:00:07 type macvlan mode bridge && "
      "ip link set other up");
  TargetNs one;
  const auto begin = std::chrono::steady_clock::now();
  expect_refused(instance->connect({.network = "lan",
                                    .target = one.target(),
                                    .options = {.mac = must(Mac::parse("02:00:00:00:00:07"))}}),
                 ErrorKind::kInUse, {"02:00:00:00:00:07", "lan0", "give another one"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(EngineParent, HostAccessIsRefusedWhereTheKernelKeepsSubInterfacesApart) {
  const auto with = [&](Labels options) {
    options["host_access"] = "true";
    return request("lan", options);
  };
  expect_refused(instance->create_network(with({{"macvlan_mode", "private"}})), ErrorKind::kInvalid,
                 {"host_access", "mode bridge"});
  auto internal = with({});
  internal.internal = true;
  expect_refused(instance->create_network(internal), ErrorKind::kInvalid,
                 {"host_access", "internal"});
}

TEST_F(EngineParent, AnAddressOfANeighbourIsRefused) {
  auto lan = request("lan");
  lan.ipv6 = true;
  lan.subnets.push_back({.subnet = cidr("fd07::/64"), .range = {}, .gateway = {}, .aux = {}});
  make(lan);
  run("ip link set lan1 address 02:42:c0:a8:07:4d && "  // as Docker and berth make it of the address
      "ip addr add 192.168.7.77/24 dev lan1 && ip addr add fd07::77/64 dev lan1 nodad",
      &machine.netns);
  const auto mac = link("lan1", &machine.netns)["address"].get<std::string>();
  TargetNs one;
  const auto before = picture(instance, {&one});
  for (const auto& options : {EndpointOptions{.ip4 = Ip::v4(192, 168, 7, 77)},
                              EndpointOptions{.ip6 = must(Ip::parse("fd07::77"))}}) {
    expect_refused(
        instance->connect({.network = "lan", .target = one.target(), .options = options}),
        ErrorKind::kInUse, {"in use on the network already", mac});
    expect_same(picture(instance, {&one}), before);
  }
  connect("lan", one, {.ip4 = Ip::v4(192, 168, 7, 78), .ip6 = must(Ip::parse("fd07::78"))});
  EXPECT_TRUE(answers("192.168.7.1", &one.netns));
  EXPECT_TRUE(answers("fd07::1", &one.netns));
}

TEST_F(EngineParent, ThatIsDownTakesContainersAllTheSame) {
  run("ip link set lan0 down");
  make(request("lan"));
  TargetNs one;
  connect("lan", one, {.ip4 = Ip::v4(192, 168, 7, 20)});
  run("ip link set lan0 up");
  EXPECT_TRUE(answers("192.168.7.1", &one.netns));
}

TEST_F(EngineParent, ThatVanishesIsNamedUntilItIsBack) {
  make(request("lan", {{"host_access", "true"}}));
  TargetNs one, two;
  connect("lan", one);
  run("ip link del lan0");
  const auto said = must(instance->reconcile());
  ASSERT_EQ(said.size(), 2U);
  for (const auto& repair : said)
    expect_refused(repair.status.error(), ErrorKind::kNotFound, {"network lan", "lan0 is gone"});
  expect_refused(instance->connect({.network = "lan", .target = two.target()}),
                 ErrorKind::kNotFound, {"network lan", "lan0 is gone"});

  run("ip link add lan0 mtu 1450 type veth peer name lan1 netns " + machine.path +
      " && ip link set lan0 up");
  run("ip link set lan1 mtu 1450 up && ip addr add 192.168.7.1/24 dev lan1", &machine.netns);
  for (const auto& repair : must(instance->reconcile()))
    EXPECT_TRUE(repair.status) << repair.what << ": " << repair.status.error().message;
  EXPECT_TRUE(answers("192.168.7.1", &one.netns));
  EXPECT_TRUE(answers("192.168.7.3", nullptr));

  run("ip link del lan0");
  must(instance->disconnect({.network = "lan", .target = one.target()}));
  must(instance->remove_networks({{"lan"}, false})[0].status);
  expect_agreement(instance, {});
}

TEST_F(EngineParent, ThatIsNoneIsRefused) {
  const auto before = picture(instance);
  const auto refuse = [&](const std::string& parent, ErrorKind kind,
                          const std::vector<std::string>& said) {
    expect_refused(instance->create_network(request("lan", {{"parent", parent}})), kind, said);
    expect_same(picture(instance), before);
  };
  refuse("lo", ErrorKind::kInvalid, {"network lan", "parent lo"});
  refuse("nic7", ErrorKind::kNotFound, {"network lan", "parent nic7"});
  refuse("nic7.50", ErrorKind::kNotFound, {"network lan", "nic7.50", "nic7"});
  refuse("lan0.4095", ErrorKind::kInvalid, {"lan0.4095", "1 to 4094"});
  refuse("lan0.x", ErrorKind::kInvalid, {"lan0.x", "1 to 4094"});
}

TEST_F(EngineParent, ThatIsABridgePortIsRefused) {
  run("ip link add br9 type bridge && ip link set lan0 master br9");
  expect_refused(instance->create_network(request("lan")), ErrorKind::kInvalid,
                 {"parent lan0", "bridge br9"});
}

TEST_F(EngineParent, CannotCarryALargerMtu) {
  expect_refused(
      instance->create_network(request("lan", {{"com.docker.network.driver.mtu", "1451"}})),
      ErrorKind::kInvalid, {"1451", "1450", "lan0"});
  make(request("lan", {{"com.docker.network.driver.mtu", "1400"}}));
  TargetNs one;
  connect("lan", one);
  EXPECT_EQ(link("eth0", &one.netns)["mtu"], 1400);
}

TEST_F(EngineParent, InternalWithAParentHasNoWayOut) {
  auto lan = request("lan");
  lan.internal = true;
  make(lan);
  TargetNs one, two;
  EXPECT_FALSE(connect("lan", one).gateway4);
  const auto second = connect("lan", two);
  EXPECT_TRUE(json_of("ip -j route show default", &one.netns).empty());
  EXPECT_TRUE(answers(second.address4->ip().str(), &one.netns));
}

TEST_F(EngineParent, ANamespaceThatIsGoneFreesItsAddressInTime) {
  for (const std::string mode : {"passthru", "bridge"}) {
    const auto name = "of-" + mode;
    make(request(name, {{"macvlan_mode", mode}}));
    EndpointOptions options;
    if (mode == "bridge") options.mac = must(Mac::parse("02:00:00:00:00:07"));
    for (int i = 0; i < 5; ++i) {
      TargetNs one;
      connect(name, one, options);
    }
    must(instance->remove_networks({{name}, true})[0].status);
  }
}

// What the kernel lacks is refused in a sentence that says so, before anything changes.
TEST_F(EngineParent, KindsThatTheKernelLacks) {
  const auto before = picture(instance);
  struct Case {
    std::string kind;
    CreateNetwork lan;
  };
  auto without_parent = request("lan");
  without_parent.options.clear();
  std::string lacking;
  for (const auto& [kind, lan] :
       {Case{"dummy", without_parent}, Case{"vlan", request("lan", {{"parent", "lan0.50"}})},
        Case{"ipvlan", request("lan", {}, "ipvlan")}}) {
    if (kernel_has(kind)) continue;
    lacking += " " + kind;
    expect_refused(instance->create_network(lan), ErrorKind::kUnsupported,
                   {"network lan", "kernel has no " + kind + " devices"});
    expect_same(picture(instance), before);
  }
  if (lacking.empty()) GTEST_SKIP() << "this kernel has dummy, vlan and ipvlan devices";
}

TEST_F(EngineParent, WithoutOneTheNetworkIsInternalOnADummy) {
  if (!kernel_has("dummy")) GTEST_SKIP() << "this kernel has no dummy devices";
  auto lan = request("lan");
  lan.options.clear();
  const auto made = make(lan);
  EXPECT_EQ(made.parent.device.str(), "dm-" + made.id.substr(0, 12));
  EXPECT_TRUE(made.internal);
  TargetNs one, two;
  connect("lan", one);
  const auto second = connect("lan", two);
  EXPECT_TRUE(answers(second.address4->ip().str(), &one.netns));
  must(instance->remove_networks({{"lan"}, true})[0].status);
  expect_agreement(instance);
}

TEST_F(EngineParent, AVlanIsMadeWithTheFirstNetworkAndGoesWithTheLast) {
  if (!kernel_has("vlan")) GTEST_SKIP() << "this kernel has no VLAN devices";
  make(request("one", {{"parent", "lan0.50"}}));
  auto other = request("two", {{"parent", "lan0.50"}});
  other.subnets[0].subnet = cidr("192.168.8.0/24");
  make(other);
  EXPECT_EQ(link("lan0.50")["linkinfo"]["info_data"]["id"], 50);
  must(instance->remove_networks({{"one"}, false})[0].status);
  EXPECT_EQ(link("lan0.50")["linkinfo"]["info_kind"], "vlan");
  must(instance->remove_networks({{"two"}, false})[0].status);
  EXPECT_TRUE(json_of("ip -j link show type vlan").empty());
}

TEST_F(EngineParent, IpvlanModes) {
  if (!kernel_has("ipvlan")) GTEST_SKIP() << "this kernel has no ipvlan devices";
  for (const std::string mode : {"l2", "l3", "l3s"}) {
    make(request(mode, {{"ipvlan_mode", mode}}, "ipvlan"));
    TargetNs one, two;
    const auto first = connect(mode, one);
    const auto second = connect(mode, two);
    EXPECT_EQ(first.on_link, mode != "l2");
    EXPECT_EQ(first.gateway4.has_value(), mode == "l2");
    EXPECT_TRUE(answers(second.address4->ip().str(), &one.netns)) << mode;
    must(instance->remove_networks({{mode}, true})[0].status);
  }
}

}  // namespace
}  // namespace berth::testing
