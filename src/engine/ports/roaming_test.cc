#include "engine/ports/roaming.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace berth::engine {
namespace {

const Ip kAny4;
const Ip kAny6 = Ip::parse("::").value();
const Ip kLoopback6 = Ip::parse("::1").value();

Attached attached(const std::string& name, bool v4, bool v6) {
  Attached made;
  made.network.name = name;
  if (v4) made.endpoint.address4 = Cidr::parse("10.1.0.2/24").value();
  if (v6) made.endpoint.address6 = Cidr::parse("fd01::2/64").value();
  made.endpoint.default4 = v4;
  made.endpoint.default6 = v6;
  return made;
}

using Ports = std::vector<PortMapping>;

PortMapping tcp(const Ip& ip, Port host, Port container = 80) {
  return {Protocol::kTcp, ip, host, container};
}
const Ports kBoth = {tcp(kAny4, 8080), tcp(kAny6, 8080)};

Ports sorted(Ports ports) {
  std::ranges::sort(ports);
  return ports;
}

Ports asked(std::string_view spec, const Published& published, const Network& network = {}) {
  return asked_ports({parse_port_spec(spec).value()}, network, published);
}

TEST(AskedPortsTest, WhatNamesNoAddressAsksForBothFamilies) {
  EXPECT_EQ(asked("8080:80", {{tcp(kAny6, 8080)}, {}}), kBoth);
  EXPECT_EQ(asked("80", {{tcp(kAny4, 41000)}, {tcp(kLoopback6, 41000)}}),
            (Ports{tcp(kAny4, 41000), tcp(kAny6, 41000)}));
  EXPECT_EQ(asked("127.0.0.1:8080:80", {{tcp(Ip::v4(127, 0, 0, 1), 8080)}, {}}),
            (Ports{tcp(Ip::v4(127, 0, 0, 1), 8080)}));
  Network bound;
  bound.bridge.host_binding = Ip::v4(127, 0, 0, 1);
  EXPECT_EQ(asked("8080:80", {}, bound), (Ports{tcp(Ip::v4(127, 0, 0, 1), 8080)}));
}

TEST(AskedPortsTest, NumbersAreThoseThatWereGivenOrNeedNoChoice) {
  EXPECT_EQ(asked("8000-8009:80", {{tcp(kAny4, 8003)}, {}}),
            (Ports{tcp(kAny4, 8003), tcp(kAny6, 8003)}));
  // On a routed network none was needed.
  EXPECT_EQ(asked("8080:80", {{tcp(kAny4, 0)}, {}}), kBoth);
  EXPECT_EQ(asked("80", {{tcp(kAny4, 0)}, {}}), (Ports{tcp(kAny4, 0), tcp(kAny6, 0)}));
  // Two that were drawn for one port of the container.
  const auto spec = parse_port_spec("80").value();
  EXPECT_EQ(asked_ports({spec, spec}, {}, {{tcp(kAny4, 1), tcp(kAny4, 2)}, {}}),
            (Ports{tcp(kAny4, 1), tcp(kAny6, 1), tcp(kAny4, 2), tcp(kAny6, 2)}));
}

TEST(DistributeTest, EachFamilyGoesByItsOwnDefaultRoute) {
  std::vector all{attached("four", true, false), attached("six", false, true)};
  distribute(all, kBoth, /*translate=*/true);
  EXPECT_EQ(all[0].endpoint.ports, Ports{tcp(kAny4, 8080)});
  EXPECT_EQ(all[0].endpoint.translated, Ports{tcp(kLoopback6, 8080)});
  EXPECT_EQ(all[1].endpoint.ports, Ports{tcp(kAny6, 8080)});
  EXPECT_TRUE(all[1].endpoint.translated.empty());

  all.pop_back();  // the IPv6 network is left: the translator takes its place
  distribute(all, kBoth, true);
  EXPECT_EQ(all[0].endpoint.ports, Ports{tcp(kAny4, 8080)});
  EXPECT_EQ(sorted(all[0].endpoint.translated), sorted({tcp(kLoopback6, 8080), tcp(kAny6, 8080)}));
  distribute(all, kBoth, false);
  EXPECT_TRUE(all[0].endpoint.translated.empty());
}

TEST(DistributeTest, WhatNeedsNoDefaultRouteIsOpenOnEveryRoutedNetwork) {
  std::vector all{attached("nat", true, true), attached("routed", true, true)};
  all[1].endpoint.default4 = all[1].endpoint.default6 = false;
  all[1].network.bridge.mode4 = all[1].network.bridge.mode6 = GatewayMode::kRouted;
  distribute(all, kBoth, false);
  EXPECT_EQ(all[0].endpoint.ports, kBoth);
  EXPECT_EQ(all[1].endpoint.ports, (Ports{tcp(kAny4, 0), tcp(kAny6, 0)}));
}

TEST(DistributeTest, PortsOfOneConnectionStayThere) {
  std::vector all{attached("one", true, false), attached("two", true, false)};
  all[0].endpoint.default4 = false;
  all[0].endpoint.ports = {tcp(kAny4, 8080), tcp(kAny4, 9090, 90)};
  distribute(all, {tcp(kAny4, 8080)}, false);
  EXPECT_EQ(all[0].endpoint.ports, Ports{tcp(kAny4, 9090, 90)});
  EXPECT_EQ(all[1].endpoint.ports, Ports{tcp(kAny4, 8080)});
}

TEST(DistributeTest, ConnectionsPortsOfTheSameNumbersStayThere) {
  std::vector all{attached("one", true, false), attached("two", true, false)};
  all[0].endpoint.default4 = false;
  all[0].endpoint.ports = {tcp(kAny6, 8080)};
  all[0].endpoint.translated = {tcp(kLoopback6, 8080)};
  const auto local = tcp(Ip::v4(127, 0, 0, 1), 8080);
  distribute(all, {local}, true);
  EXPECT_EQ(all[0].endpoint.translated, Ports{tcp(kLoopback6, 8080)});
  EXPECT_EQ(all[1].endpoint.ports, Ports{local});
}

TEST(DistributeTest, WithoutADefaultRouteTheFirstThatCanPublishDoes) {
  std::vector all{attached("net1", true, false), attached("net2", true, true)};
  for (auto& each : all) each.endpoint.default4 = each.endpoint.default6 = false;
  all[1].endpoint.asked.gw_priority = 1;
  distribute(all, kBoth, true);
  EXPECT_EQ(all[1].endpoint.ports, kBoth);
  EXPECT_TRUE(all[0].endpoint.ports.empty());

  all[1].network.internal = true;
  distribute(all, kBoth, true);
  EXPECT_EQ(all[0].endpoint.ports, Ports{tcp(kAny4, 8080)});
  EXPECT_EQ(sorted(all[0].endpoint.translated), sorted({tcp(kLoopback6, 8080), tcp(kAny6, 8080)}));
  EXPECT_TRUE(all[1].endpoint.ports.empty());
}

TEST(DistributeTest, PortsWaitWhileTheWayOutPublishesNothing) {
  std::vector all{attached("lan", true, false), attached("web", true, false)};
  all[0].network.driver = Driver::kMacvlan;
  all[1].endpoint.default4 = false;
  distribute(all, kBoth, true);
  for (const auto& each : all) EXPECT_TRUE(each.endpoint.ports.empty());
}

TEST(DistributeTest, NoEndpointThatPublishesNothingGetsAny) {
  for (const auto& draft : std::vector<std::function<void(Network&)>>{
           [](Network& network) { network.internal = true; },
           [](Network& network) { network.bridge.managed = false; },
           [](Network& network) { network.driver = Driver::kMacvlan; },
           [](Network& network) { network.bridge.mode4 = GatewayMode::kIsolated; }}) {
    std::vector all{attached("net", true, false)};
    draft(all[0].network);
    distribute(all, kBoth, true);
    EXPECT_TRUE(all[0].endpoint.ports.empty());
    EXPECT_TRUE(all[0].endpoint.translated.empty());
  }
}

TEST(DistributeTest, AnAddressOfIPv6LeadsToIPv4WhereThereIsNoOther) {
  const auto address = Ip::parse("fd00:99::1").value();
  std::vector all{attached("four", true, false)};
  distribute(all, {tcp(address, 8080)}, true);
  EXPECT_EQ(all[0].endpoint.ports, Ports{tcp(address, 8080)});
  all.push_back(attached("six", false, true));
  distribute(all, {tcp(address, 8080)}, true);
  EXPECT_TRUE(all[0].endpoint.ports.empty());
  EXPECT_EQ(all[1].endpoint.ports, Ports{tcp(address, 8080)});
}

}  // namespace
}  // namespace berth::engine
