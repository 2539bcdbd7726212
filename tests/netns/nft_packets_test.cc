// berth's table judged by real packets: who reaches what, and under which address.
//
// Everything is tried with IPv4 and IPv6, and each twice: with bridged packets left to the bridge,
// and with br_netfilter handing them to nft as well (net.bridge.bridge-nf-call-iptables, which
// docker and Kubernetes switch on). What the bridge driver must do differently in the two cases is
// in SetUp.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "firewall/intents.h"
#include "firewall/table.h"
#include "nft_lan.h"
#include "nft_shell.h"

namespace berth {
namespace {

using testing::Lan;

constexpr const char* kBridgeNetfilter = "/proc/sys/net/bridge";

enum class BridgedPackets { kLeftToTheBridge, kSeenByNft };

struct Way {
  Ip::Family family;
  BridgedPackets bridged;
};

Ip parse(const std::string& ip) {
  return Ip::parse(ip).value();
}

class PacketsTest : public ::testing::TestWithParam<Way> {
 protected:
  static void SetUpTestSuite() { lan_ = std::make_unique<Lan>(); }
  static void TearDownTestSuite() { lan_.reset(); }

  void SetUp() override {
    const bool seen = GetParam().bridged == BridgedPackets::kSeenByNft;
    if (std::filesystem::exists(kBridgeNetfilter)) {
      for (const char* what : {"iptables", "ip6tables"}) {
        lan_->run("host", fmt::format("echo {} > {}/bridge-nf-call-{}", seen ? 1 : 0,
                                      kBridgeNetfilter, what));
      }
    } else if (seen) {
      GTEST_SKIP() << "this kernel has no br_netfilter";
    }
    // With br_netfilter, what DNAT turns back into its own bridge takes the bridge's way and not
    // the IP stack's: it must be let out where it came in, and between ports.
    std::string commands;
    for (const char network : Lan::kNetworks) {
      for (const int i : {1, 2}) {
        const bool isolated = !seen && network == 'd';
        commands += fmt::format("bridge link set dev veth-{}{} hairpin {} isolated {}; ", network,
                                i, seen ? "on" : "off", isolated ? "on" : "off");
      }
    }
    lan_->run("host", commands + "nft flush ruleset");
    auto connection = nft::Connection::open().value();
    ASSERT_TRUE(firewall::ensure_table(connection));
    add(elements());
  }

  static void add(std::vector<nft::Element> elements) {
    auto connection = nft::Connection::open().value();
    nft::Batch batch{std::string(firewall::kTable)};
    batch.add_elements(elements);
    const auto added = connection.commit(std::move(batch));
    ASSERT_TRUE(added) << added.error().message;
  }

  // What the networks are (nft_lan.h) and which ports are published.
  static std::vector<nft::Element> elements() {
    std::vector<nft::Element> all;
    const auto network = [&](const char* name, firewall::NetworkIntent intent) {
      intent.bridge = bridge(name);
      intent.subnets = {Lan::subnet(name, Ip::Family::kV4), Lan::subnet(name, Ip::Family::kV6)};
      for (auto& element : firewall::network_elements(intent)) all.push_back(std::move(element));
    };
    network("a", {});
    network("b", {.masquerade = false, .masquerade6 = false});
    network("i", {.internal = true});
    network("d", {.icc = false});
    network("r", {.mode4 = GatewayMode::kRouted, .mode6 = GatewayMode::kRouted});
    network("u", {.mode4 = GatewayMode::kNatUnprotected, .mode6 = GatewayMode::kNatUnprotected});
    for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
      const auto publish = [&](Port port, const std::optional<std::string>& host_ip,
                               const char* node, Protocol protocol = Protocol::kTcp) {
        all.push_back(firewall::publish_element(
                          {.protocol = protocol,
                           .host_ip = host_ip ? std::optional(parse(*host_ip)) : std::nullopt,
                           .host_port = port,
                           .to = parse(Lan::address(node, family)),
                           .to_port = Lan::kPort})
                          .value());
      };
      const std::string loopback = family == Ip::Family::kV4 ? "127.0.0.1" : "::1";
      publish(8001, {}, "a1");
      publish(8001, {}, "a1", Protocol::kUdp);
      publish(8002, loopback, "a1");
      publish(8003, {}, "b1");
      publish(8004, {}, "d2");
      publish(8005, {}, "i1");
      publish(8006, Lan::address("host", family), "a2");
      publish(8006, {}, "a1");
      if (family == Ip::Family::kV6) {  // what every address of IPv4 includes
        publish(8001, loopback, "a1");
        publish(8001, loopback, "a1", Protocol::kUdp);
        publish(8004, loopback, "d2");
        publish(8006, loopback, "a1");
      }
      all.push_back(
          firewall::open_element({.to = parse(Lan::address("r1", family)), .to_port = Lan::kPort})
              .value());
    }
    return all;
  }

  static IfName bridge(const std::string& network) {
    return IfName::parse("br-" + network).value();
  }

  // In the family that is tried.
  [[nodiscard]] static bool v4() { return GetParam().family == Ip::Family::kV4; }
  [[nodiscard]] static std::string at(const std::string& node) {
    return Lan::address(node, GetParam().family);
  }
  [[nodiscard]] static std::string gateway(const std::string& network) {
    return Lan::gateway(network, GetParam().family);
  }
  [[nodiscard]] static std::string loopback() { return v4() ? "127.0.0.1" : "::1"; }
  // Whether the host's own loopback address can reach published ports (table.h).
  [[nodiscard]] static bool loopback_is_translated() {
    return v4() || GetParam().bridged == BridgedPackets::kLeftToTheBridge;
  }
  [[nodiscard]] static std::string sees(const std::string& server, const std::string& client) {
    return server + " sees " + client;
  }

  static std::unique_ptr<Lan> lan_;
};
std::unique_ptr<Lan> PacketsTest::lan_;

TEST_P(PacketsTest, TheLanReachesPublishedPortsUnderItsOwnAddress) {
  EXPECT_EQ(lan_->ask("lan", at("host"), 8001), sees("a1", at("lan")));
  EXPECT_EQ(lan_->ask("lan", at("host"), 8001, Protocol::kUdp), sees("a1", at("lan")));
  EXPECT_EQ(lan_->ask("lan", at("host"), 8003), sees("b1", at("lan")));
  EXPECT_EQ(lan_->ask("lan", at("host"), 8004), sees("d2", at("lan")));
}

TEST_P(PacketsTest, APortOnOneAddressComesBeforeTheSameOnAll) {
  EXPECT_EQ(lan_->ask("lan", at("host"), 8006), sees("a2", at("lan")));
  if (loopback_is_translated()) {
    EXPECT_EQ(lan_->ask("host", loopback(), 8006), sees("a1", gateway("a")));
  }
}

TEST_P(PacketsTest, TheLanDoesNotReachWhatIsPublishedOnLoopback) {
  EXPECT_TRUE(lan_->is_refused("lan", at("host"), 8002));
  EXPECT_TRUE(lan_->is_refused("lan", loopback(), 8002));
  // Not even what is published everywhere, by that address.
  EXPECT_TRUE(lan_->is_refused("lan", loopback(), 8001));
}

TEST_P(PacketsTest, TheHostReachesPublishedPortsByItsLoopbackAddress) {
  if (!loopback_is_translated()) {  // should a kernel do it after all, this shows
    EXPECT_TRUE(lan_->is_refused("host", loopback(), 8001));
    return;
  }
  EXPECT_EQ(lan_->ask("host", loopback(), 8001), sees("a1", gateway("a")));
  EXPECT_EQ(lan_->ask("host", loopback(), 8002), sees("a1", gateway("a")));
  EXPECT_EQ(lan_->ask("host", loopback(), 8001, Protocol::kUdp), sees("a1", gateway("a")));
  EXPECT_EQ(lan_->ask("host", loopback(), 8004), sees("d2", gateway("d")));
}

TEST_P(PacketsTest, EveryAddressIsWithoutTheLoopbackAddressOfIpv6) {
  EXPECT_EQ(lan_->is_refused("host", loopback(), 8003), !v4());
}

TEST_P(PacketsTest, TheHostReachesPublishedPortsByAnyOfItsAddresses) {
  EXPECT_EQ(lan_->ask("host", at("host"), 8001).substr(0, 7), "a1 sees");
  EXPECT_EQ(lan_->ask("host", gateway("a"), 8001).substr(0, 7), "a1 sees");
  EXPECT_EQ(lan_->ask("host", gateway("b"), 8001).substr(0, 7), "a1 sees");
}

TEST_P(PacketsTest, ThePortsOfOthersAreTheirs) {
  EXPECT_TRUE(lan_->is_refused("host", at("lan"), 8001));
  EXPECT_TRUE(lan_->is_refused("a1", at("lan"), 8001));
}

TEST_P(PacketsTest, TheHostReachesContainersDirectly) {
  EXPECT_EQ(lan_->ask("host", at("a1"), Lan::kPort), sees("a1", gateway("a")));
  EXPECT_EQ(lan_->ask("host", at("i1"), Lan::kPort), sees("i1", gateway("i")));
}

TEST_P(PacketsTest, TheHostsOwnTrafficKeepsItsAddress) {
  EXPECT_EQ(lan_->ask("host", gateway("d"), Lan::kPort), sees("host", gateway("d")));
  EXPECT_EQ(lan_->ask("host", loopback(), Lan::kPort), sees("host", loopback()));
}

TEST_P(PacketsTest, NeighboursTalkUnderTheirOwnAddresses) {
  EXPECT_EQ(lan_->ask("a1", at("a2"), Lan::kPort), sees("a2", at("a1")));
  EXPECT_EQ(lan_->ask("i1", at("i2"), Lan::kPort), sees("i2", at("i1")));
}

TEST_P(PacketsTest, ContainersReachPublishedPortsOfTheirOwnNetwork) {
  // Itself, and its neighbour: the answer must come back through the host.
  EXPECT_EQ(lan_->ask("a1", at("host"), 8001), sees("a1", gateway("a")));
  EXPECT_EQ(lan_->ask("a2", at("host"), 8001), sees("a1", gateway("a")));
  EXPECT_EQ(lan_->ask("a2", gateway("a"), 8001), sees("a1", gateway("a")));
  EXPECT_EQ(lan_->ask("a2", at("host"), 8001, Protocol::kUdp), sees("a1", gateway("a")));
}

TEST_P(PacketsTest, ContainersReachPublishedPortsOfOtherNetworks) {
  EXPECT_EQ(lan_->ask("a1", at("host"), 8003), sees("b1", at("a1")));
  EXPECT_EQ(lan_->ask("b2", gateway("b"), 8001), sees("a1", at("b2")));
}

TEST_P(PacketsTest, OtherNetworksAreNotReachedDirectly) {
  EXPECT_TRUE(lan_->is_refused("a1", at("b1"), Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("b1", at("a1"), Lan::kPort, Protocol::kUdp));
  EXPECT_TRUE(lan_->is_refused("a1", at("i1"), Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("a1", at("d1"), Lan::kPort));
}

TEST_P(PacketsTest, TheLanDoesNotReachContainersDirectly) {
  EXPECT_TRUE(lan_->is_refused("lan", at("a1"), Lan::kPort));  // published, on the host's port
  EXPECT_TRUE(lan_->is_refused("lan", at("a2"), Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("lan", at("i1"), Lan::kPort));
}

TEST_P(PacketsTest, ContainersLeaveUnderTheHostsAddressIfMasqueraded) {
  EXPECT_EQ(lan_->ask("a1", at("lan"), Lan::kPort), sees("lan", at("host")));
  EXPECT_EQ(lan_->ask("d1", at("lan"), Lan::kPort, Protocol::kUdp), sees("lan", at("host")));
  EXPECT_EQ(lan_->ask("b1", at("lan"), Lan::kPort), sees("lan", at("b1")));
}

TEST_P(PacketsTest, ContainersLeaveUnderAChosenAddress) {
  const std::string chosen = v4() ? "192.0.2.77" : "fd00:99::77";
  const std::string address = chosen + (v4() ? "/24" : "/64") + " dev lan0";
  // Deprecated, so that nothing else takes it.
  lan_->run("host", "ip addr add " + address + (v4() ? "" : " nodad preferred_lft 0"));
  const auto family = GetParam().family;
  add({{.set = std::string(firewall::sets_of(family).snat),
        .key = {Lan::subnet("a", family)},
        .data = {parse(chosen)}}});
  EXPECT_EQ(lan_->ask("a1", at("lan"), Lan::kPort), sees("lan", chosen));
  EXPECT_EQ(lan_->ask("a1", at("lan"), Lan::kPort, Protocol::kUdp), sees("lan", chosen));
  EXPECT_EQ(lan_->ask("d1", at("lan"), Lan::kPort), sees("lan", at("host")));
  EXPECT_EQ(lan_->ask("a1", at("host"), 8003), sees("b1", at("a1")));
  lan_->run("host", "ip addr del " + address);
}

TEST_P(PacketsTest, ARoutedNetworkIsOpenAtItsOpenPortsAndForPing) {
  EXPECT_EQ(lan_->ask("lan", at("r1"), Lan::kPort), sees("r1", at("lan")));
  EXPECT_EQ(lan_->ask("a1", at("r1"), Lan::kPort), sees("r1", at("a1")));
  EXPECT_TRUE(lan_->pings("lan", at("r2")));
  EXPECT_TRUE(lan_->pings("a1", at("r2")));
  EXPECT_TRUE(lan_->is_refused("lan", at("r1"), Lan::kPort, Protocol::kUdp));
  EXPECT_TRUE(lan_->is_refused("a1", at("r1"), Lan::kPort, Protocol::kUdp));
  EXPECT_TRUE(lan_->is_refused("lan", at("r2"), Lan::kPort));
}

TEST_P(PacketsTest, ARoutedNetworkKeepsItsAddressesAndReachesNoOther) {
  EXPECT_EQ(lan_->ask("r1", at("lan"), Lan::kPort), sees("lan", at("r1")));
  EXPECT_EQ(lan_->ask("r1", at("host"), 8001), sees("a1", at("r1")));
  EXPECT_TRUE(lan_->is_refused("r1", at("a1"), Lan::kPort));
  EXPECT_FALSE(lan_->pings("r1", at("a1")));
}

TEST_P(PacketsTest, AnUnprotectedNetworkIsOpenToAll) {
  EXPECT_EQ(lan_->ask("lan", at("u1"), Lan::kPort), sees("u1", at("lan")));
  EXPECT_EQ(lan_->ask("a1", at("u2"), Lan::kPort, Protocol::kUdp), sees("u2", at("a1")));
  EXPECT_TRUE(lan_->pings("lan", at("u1")));
  EXPECT_EQ(lan_->ask("u1", at("lan"), Lan::kPort), sees("lan", at("host")));
  EXPECT_TRUE(lan_->is_refused("i1", at("u1"), Lan::kPort));
}

TEST_P(PacketsTest, ATrustedInterfaceReachesPublishedPortsByTheContainersAddress) {
  add({firewall::trusted_element(IfName::parse("lan0").value(),
                                 {.to = parse(at("a1")), .to_port = Lan::kPort})
           .value()});
  EXPECT_EQ(lan_->ask("lan", at("a1"), Lan::kPort), sees("a1", at("lan")));
  EXPECT_TRUE(lan_->is_refused("lan", at("a1"), Lan::kPort, Protocol::kUdp));
  EXPECT_TRUE(lan_->is_refused("lan", at("a2"), Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("b1", at("a1"), Lan::kPort));
  EXPECT_FALSE(lan_->pings("lan", at("a1")));
}

TEST_P(PacketsTest, WhatIsNotTranslatedDoesNotLeave) {
  EXPECT_EQ(lan_->send_stray_segment("a1", GetParam().family), "nothing");
  // It would, were the bridge not berth's.
  lan_->run("host", "nft delete element inet berth bridges { br-a }");
  EXPECT_EQ(lan_->send_stray_segment("a1", GetParam().family), at("a1"));
}

// Tracking calls them invalid, and the host knows no such connection: it must not reset it.
TEST_P(PacketsTest, ConnectionsOutliveSegmentsOutsideOfTheirWindow) {
  EXPECT_TRUE(lan_->outlives_segments_out_of_window("a1", "lan", at("lan"), Lan::kIdlePort));
  add({firewall::publish_element(
           {.host_port = 8007, .to = parse(at("a1")), .to_port = Lan::kIdlePort})
           .value()});
  EXPECT_TRUE(lan_->outlives_segments_out_of_window("lan", "a1", at("host"), 8007));
}

// What the host itself is asked is answered as if berth were not there.
TEST_P(PacketsTest, TheHostsOwnConnectionsAreNotJudged) {
  EXPECT_TRUE(lan_->outlives_segments_out_of_window("lan", "host", at("host"), Lan::kIdlePort));
  EXPECT_TRUE(lan_->outlives_segments_out_of_window("host", "lan", at("lan"), Lan::kIdlePort));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(lan_->ask("lan", at("host"), Lan::kIdlePort), "nothing");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2)) << "a reset";
}

// a2, which publishes ports on its network a, is on b too. By br_netfilter the answer that takes the
// link is translated in the bridge; without, the client does not know it.
TEST_P(PacketsTest, AServerIsReachedFromEveryNetworkThatItIsOn) {
  // A lower hardware address would become the bridge's, and its containers know the old one.
  lan_->run("host",
            "ip link add veth-a2b address fe:ff:ff:ff:ff:ff type veth peer name eth1 netns " +
                testing::scratch_dir() + "/a2; ip link set veth-a2b master br-b up");
  const std::string address = v4() ? "10.2.0.9" : "fd00:2::9";
  lan_->run("a2", fmt::format("ip addr add {} dev eth1; ip link set eth1 up",
                              address + (v4() ? "/24" : "/64 nodad")));
  const auto subnet = Lan::subnet("b", GetParam().family);
  add({firewall::linked_element({.subnet = subnet, .to = parse(at("a2"))})});
  for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) {
    add({firewall::publish_element({.protocol = protocol,
                                    .host_port = 8008,
                                    .to = parse(at("a2")),
                                    .to_port = Lan::kPort})
             .value()});
    for (const auto& asked : {at("host"), gateway("a"), gateway("b"), gateway("d")}) {
      EXPECT_EQ(lan_->ask("b1", asked, 8008, protocol), sees("a2", gateway("a"))) << asked;
      EXPECT_EQ(lan_->ask("a1", asked, 8008, protocol), sees("a2", gateway("a"))) << asked;
      EXPECT_EQ(lan_->ask("d1", asked, 8008, protocol), sees("a2", at("d1"))) << asked;
      EXPECT_EQ(lan_->ask("host", asked, 8008, protocol).substr(0, 7), "a2 sees") << asked;
      EXPECT_EQ(lan_->ask("a2", asked, 8008, protocol), sees("a2", gateway("a"))) << asked;
    }
    EXPECT_EQ(lan_->ask("lan", at("host"), 8008, protocol), sees("a2", at("lan")));
  }
  lan_->run("host", "ip link del veth-a2b");
}

TEST_P(PacketsTest, InternalNetworksHaveNoWayOutOrIn) {
  EXPECT_TRUE(lan_->is_refused("i1", at("lan"), Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("i1", at("a1"), Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("i1", at("host"), 8001));
  EXPECT_TRUE(lan_->is_refused("i1", gateway("i"), 8001));
  EXPECT_TRUE(lan_->is_refused("lan", at("host"), 8005));
  EXPECT_TRUE(lan_->is_refused("a1", at("host"), 8005));
}

TEST_P(PacketsTest, WithoutIccNeighboursMeetAtPublishedPortsOnly) {
  EXPECT_TRUE(lan_->is_refused("d1", at("d2"), Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("d1", at("d2"), Lan::kPort, Protocol::kUdp));
  EXPECT_EQ(lan_->ask("d1", at("host"), 8004), sees("d2", gateway("d")));
  EXPECT_EQ(lan_->ask("d2", at("host"), 8004), sees("d2", gateway("d")));
}

TEST_P(PacketsTest, ContainersDoNotReachTheHostsLoopback) {
  const std::string route = fmt::format("{} via {}", v4() ? "127.0.0.0/8" : "::1", gateway("a"));
  lan_->run(
      "a1",
      "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr flush dev lo; ip link set lo down; "
      "ip route add " +
          route);
  EXPECT_TRUE(lan_->is_refused("a1", loopback(), Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("a1", loopback(), 8001));
  lan_->run("a1", "ip route del " + route + "; ip link set lo up");
}

TEST_P(PacketsTest, TheAdministratorsChainComesFirst) {
  const std::string from_lan = fmt::format("{} saddr {}", v4() ? "ip" : "ip6", at("lan"));
  lan_->run("host", "nft add rule inet berth user " + from_lan + " tcp dport 8080 drop");
  EXPECT_TRUE(lan_->is_refused("lan", at("host"), 8001));
  EXPECT_EQ(lan_->ask("a1", at("host"), 8003), sees("b1", at("a1")));

  lan_->run("host", "nft flush chain inet berth user; nft add rule inet berth user " + from_lan +
                        " oifname br-b accept");
  EXPECT_EQ(lan_->ask("lan", at("b2"), Lan::kPort), sees("b2", at("lan")));
}

TEST_P(PacketsTest, OthersForwardingIsLeftAlone) {
  // As if br-b were none of berth's.
  lan_->run("host",
            "nft delete element inet berth bridges { br-b }; "
            "nft delete element inet berth pair { br-b . br-b }");
  EXPECT_EQ(lan_->ask("lan", at("b1"), Lan::kPort), sees("b1", at("lan")));
  EXPECT_EQ(lan_->ask("b1", at("b2"), Lan::kPort), sees("b2", at("b1")));
}

INSTANTIATE_TEST_SUITE_P(Ways, PacketsTest,
                         ::testing::Values(Way{Ip::Family::kV4, BridgedPackets::kLeftToTheBridge},
                                           Way{Ip::Family::kV4, BridgedPackets::kSeenByNft},
                                           Way{Ip::Family::kV6, BridgedPackets::kLeftToTheBridge},
                                           Way{Ip::Family::kV6, BridgedPackets::kSeenByNft}),
                         [](const auto& way) {
                           return fmt::format(
                               "{}{}", way.param.family == Ip::Family::kV4 ? "V4" : "V6",
                               way.param.bridged == BridgedPackets::kSeenByNft ? "SeenByNft"
                                                                               : "LeftToTheBridge");
                         });

}  // namespace
}  // namespace berth
