// berth's table judged by real packets: who reaches what, and under which address.
//
// Everything is tried twice: with bridged packets left to the bridge, and with br_netfilter handing
// them to nft as well (net.bridge.bridge-nf-call-iptables, which docker and Kubernetes switch on).
// What the bridge driver must do differently in the two cases is in SetUp.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "firewall/intents.h"
#include "firewall/table.h"
#include "nft_lan.h"
#include "nft_shell.h"

namespace berth {
namespace {

using testing::Lan;

constexpr const char* kHost = "192.0.2.1";
constexpr const char* kBridgeNetfilter = "/proc/sys/net/bridge/bridge-nf-call-iptables";

struct Published {
  Port port;
  std::optional<Ip> host_ip;
  Ip to;
  Protocol protocol = Protocol::kTcp;
};

const std::vector<Published>& published() {
  static const std::vector<Published> kAll{
      {8001, {}, Ip::v4(10, 1, 0, 2)},                    // a1
      {8001, {}, Ip::v4(10, 1, 0, 2), Protocol::kUdp},    // a1
      {8002, Ip::v4(127, 0, 0, 1), Ip::v4(10, 1, 0, 2)},  // a1, for this host alone
      {8003, {}, Ip::v4(10, 2, 0, 2)},                    // b1
      {8004, {}, Ip::v4(10, 4, 0, 3)},                    // d2
      {8005, {}, Ip::v4(10, 3, 0, 2)},                    // i1
      {8006, Ip::v4(192, 0, 2, 1), Ip::v4(10, 1, 0, 3)},  // a2, on the LAN's address
      {8006, {}, Ip::v4(10, 1, 0, 2)},                    // a1, on all others
  };
  return kAll;
}

std::vector<nft::Element> elements() {
  std::vector<nft::Element> all;
  const auto network = [&](const char* bridge, const char* subnet, firewall::NetworkIntent intent) {
    intent.bridge = IfName::parse(bridge).value();
    intent.subnets = {Cidr::parse(subnet).value()};
    for (auto& element : firewall::network_elements(intent)) all.push_back(std::move(element));
  };
  network("br-a", "10.1.0.0/24", {});
  network("br-b", "10.2.0.0/24", {.masquerade = false});
  network("br-i", "10.3.0.0/24", {.internal = true});
  network("br-d", "10.4.0.0/24", {.icc = false});
  for (const auto& port : published()) {
    all.push_back(firewall::publish_element({.protocol = port.protocol,
                                             .host_ip = port.host_ip,
                                             .host_port = port.port,
                                             .to = port.to,
                                             .to_port = Lan::kPort})
                      .value());
  }
  return all;
}

enum class BridgedPackets { kLeftToTheBridge, kSeenByNft };

class PacketsTest : public ::testing::TestWithParam<BridgedPackets> {
 protected:
  static void SetUpTestSuite() { lan_ = std::make_unique<Lan>(); }
  static void TearDownTestSuite() { lan_.reset(); }

  void SetUp() override {
    const bool seen = GetParam() == BridgedPackets::kSeenByNft;
    if (std::filesystem::exists(kBridgeNetfilter)) {
      lan_->run("host", fmt::format("echo {} > {}", seen ? 1 : 0, kBridgeNetfilter));
    } else if (seen) {
      GTEST_SKIP() << "this kernel has no br_netfilter";
    }
    // With br_netfilter, what DNAT turns back into its own bridge takes the bridge's way and not
    // the IP stack's: it must be let out where it came in, and between ports.
    for (const char* node : {"a1", "a2", "b1", "b2", "i1", "i2", "d1", "d2"}) {
      const bool isolated = !seen && node[0] == 'd';
      lan_->run("host", fmt::format("bridge link set dev veth-{} hairpin {} isolated {}", node,
                                    seen ? "on" : "off", isolated ? "on" : "off"));
    }
    lan_->run("host", "nft flush ruleset");
    auto connection = nft::Connection::open().value();
    ASSERT_TRUE(firewall::ensure_table(connection));
    nft::Batch batch{std::string(firewall::kTable)};
    batch.add_elements(elements());
    const auto added = connection.commit(std::move(batch));
    ASSERT_TRUE(added) << added.error().message;
  }

  static std::unique_ptr<Lan> lan_;
};
std::unique_ptr<Lan> PacketsTest::lan_;

TEST_P(PacketsTest, TheLanReachesPublishedPortsUnderItsOwnAddress) {
  EXPECT_EQ(lan_->ask("lan", kHost, 8001), "a1 sees 192.0.2.9");
  EXPECT_EQ(lan_->ask("lan", kHost, 8001, Protocol::kUdp), "a1 sees 192.0.2.9");
  EXPECT_EQ(lan_->ask("lan", kHost, 8003), "b1 sees 192.0.2.9");
  EXPECT_EQ(lan_->ask("lan", kHost, 8004), "d2 sees 192.0.2.9");
}

TEST_P(PacketsTest, APortOnOneAddressComesBeforeTheSameOnAll) {
  EXPECT_EQ(lan_->ask("lan", kHost, 8006), "a2 sees 192.0.2.9");
  EXPECT_EQ(lan_->ask("host", "127.0.0.1", 8006), "a1 sees 10.1.0.1");
}

TEST_P(PacketsTest, TheLanDoesNotReachWhatIsPublishedOn127001) {
  EXPECT_TRUE(lan_->is_refused("lan", kHost, 8002));
  EXPECT_TRUE(lan_->is_refused("lan", "127.0.0.1", 8002));
  // Not even what is published everywhere, by that address.
  EXPECT_TRUE(lan_->is_refused("lan", "127.0.0.1", 8001));
}

TEST_P(PacketsTest, TheHostReachesPublishedPortsByAnyOfItsAddresses) {
  EXPECT_EQ(lan_->ask("host", "127.0.0.1", 8001), "a1 sees 10.1.0.1");
  EXPECT_EQ(lan_->ask("host", "127.0.0.1", 8002), "a1 sees 10.1.0.1");
  EXPECT_EQ(lan_->ask("host", "127.0.0.1", 8001, Protocol::kUdp), "a1 sees 10.1.0.1");
  EXPECT_EQ(lan_->ask("host", "127.0.0.1", 8004), "d2 sees 10.4.0.1");
  EXPECT_EQ(lan_->ask("host", kHost, 8001).substr(0, 7), "a1 sees");
  EXPECT_EQ(lan_->ask("host", "10.1.0.1", 8001).substr(0, 7), "a1 sees");
  EXPECT_EQ(lan_->ask("host", "10.2.0.1", 8001).substr(0, 7), "a1 sees");
}

TEST_P(PacketsTest, ThePortsOfOthersAreTheirs) {
  EXPECT_TRUE(lan_->is_refused("host", "192.0.2.9", 8001));
  EXPECT_TRUE(lan_->is_refused("a1", "192.0.2.9", 8001));
}

TEST_P(PacketsTest, TheHostReachesContainersDirectly) {
  EXPECT_EQ(lan_->ask("host", "10.1.0.2", Lan::kPort), "a1 sees 10.1.0.1");
  EXPECT_EQ(lan_->ask("host", "10.3.0.2", Lan::kPort), "i1 sees 10.3.0.1");
}

TEST_P(PacketsTest, TheHostsOwnTrafficKeepsItsAddress) {
  EXPECT_EQ(lan_->ask("host", "10.4.0.1", Lan::kPort), "host sees 10.4.0.1");
  EXPECT_EQ(lan_->ask("host", "127.0.0.1", Lan::kPort), "host sees 127.0.0.1");
}

TEST_P(PacketsTest, NeighboursTalkUnderTheirOwnAddresses) {
  EXPECT_EQ(lan_->ask("a1", "10.1.0.3", Lan::kPort), "a2 sees 10.1.0.2");
  EXPECT_EQ(lan_->ask("i1", "10.3.0.3", Lan::kPort), "i2 sees 10.3.0.2");
}

TEST_P(PacketsTest, ContainersReachPublishedPortsOfTheirOwnNetwork) {
  // Itself, and its neighbour: the answer must come back through the host.
  EXPECT_EQ(lan_->ask("a1", kHost, 8001), "a1 sees 10.1.0.1");
  EXPECT_EQ(lan_->ask("a2", kHost, 8001), "a1 sees 10.1.0.1");
  EXPECT_EQ(lan_->ask("a2", "10.1.0.1", 8001), "a1 sees 10.1.0.1");
  EXPECT_EQ(lan_->ask("a2", kHost, 8001, Protocol::kUdp), "a1 sees 10.1.0.1");
}

TEST_P(PacketsTest, ContainersReachPublishedPortsOfOtherNetworks) {
  EXPECT_EQ(lan_->ask("a1", kHost, 8003), "b1 sees 10.1.0.2");
  EXPECT_EQ(lan_->ask("b2", "10.2.0.1", 8001), "a1 sees 10.2.0.3");
}

TEST_P(PacketsTest, OtherNetworksAreNotReachedDirectly) {
  EXPECT_TRUE(lan_->is_refused("a1", "10.2.0.2", Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("b1", "10.1.0.2", Lan::kPort, Protocol::kUdp));
  EXPECT_TRUE(lan_->is_refused("a1", "10.3.0.2", Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("a1", "10.4.0.2", Lan::kPort));
}

TEST_P(PacketsTest, TheLanDoesNotReachContainersDirectly) {
  EXPECT_TRUE(lan_->is_refused("lan", "10.1.0.2", Lan::kPort));  // published, on the host's port
  EXPECT_TRUE(lan_->is_refused("lan", "10.1.0.3", Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("lan", "10.3.0.2", Lan::kPort));
}

TEST_P(PacketsTest, ContainersLeaveUnderTheHostsAddressIfMasqueraded) {
  EXPECT_EQ(lan_->ask("a1", "192.0.2.9", Lan::kPort), "lan sees 192.0.2.1");
  EXPECT_EQ(lan_->ask("d1", "192.0.2.9", Lan::kPort, Protocol::kUdp), "lan sees 192.0.2.1");
  EXPECT_EQ(lan_->ask("b1", "192.0.2.9", Lan::kPort), "lan sees 10.2.0.2");
}

TEST_P(PacketsTest, WhatIsNotTranslatedDoesNotLeave) {
  EXPECT_EQ(lan_->send_stray_segment("a1"), "nothing");
  // It would, were the bridge not berth's.
  lan_->run("host", "nft delete element inet berth bridges { br-a }");
  EXPECT_EQ(lan_->send_stray_segment("a1"), "10.1.0.2");
}

TEST_P(PacketsTest, InternalNetworksHaveNoWayOutOrIn) {
  EXPECT_TRUE(lan_->is_refused("i1", "192.0.2.9", Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("i1", "10.1.0.2", Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("i1", kHost, 8001));
  EXPECT_TRUE(lan_->is_refused("i1", "10.3.0.1", 8001));
  EXPECT_TRUE(lan_->is_refused("lan", kHost, 8005));
  EXPECT_TRUE(lan_->is_refused("a1", kHost, 8005));
}

TEST_P(PacketsTest, WithoutIccNeighboursMeetAtPublishedPortsOnly) {
  EXPECT_TRUE(lan_->is_refused("d1", "10.4.0.3", Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("d1", "10.4.0.3", Lan::kPort, Protocol::kUdp));
  EXPECT_EQ(lan_->ask("d1", kHost, 8004), "d2 sees 10.4.0.1");
  EXPECT_EQ(lan_->ask("d2", kHost, 8004), "d2 sees 10.4.0.1");
}

TEST_P(PacketsTest, ContainersDoNotReachTheHostsLoopback) {
  lan_->run(
      "a1",
      "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr flush dev lo; ip link set lo down; "
      "ip route add 127.0.0.0/8 via 10.1.0.1");
  EXPECT_TRUE(lan_->is_refused("a1", "127.0.0.1", Lan::kPort));
  EXPECT_TRUE(lan_->is_refused("a1", "127.0.0.1", 8003));
  lan_->run("a1", "ip route del 127.0.0.0/8 via 10.1.0.1; ip link set lo up");
}

TEST_P(PacketsTest, TheAdministratorsChainComesFirst) {
  lan_->run("host", "nft add rule inet berth user ip saddr 192.0.2.9 tcp dport 8080 drop");
  EXPECT_TRUE(lan_->is_refused("lan", kHost, 8001));
  EXPECT_EQ(lan_->ask("a1", kHost, 8003), "b1 sees 10.1.0.2");

  lan_->run("host",
            "nft flush chain inet berth user; nft add rule inet berth user "
            "ip saddr 192.0.2.9 oifname br-b accept");
  EXPECT_EQ(lan_->ask("lan", "10.2.0.3", Lan::kPort), "b2 sees 192.0.2.9");
}

TEST_P(PacketsTest, OthersForwardingIsLeftAlone) {
  // As if br-b were none of berth's.
  lan_->run("host",
            "nft delete element inet berth bridges { br-b }; "
            "nft delete element inet berth pair { br-b . br-b }");
  EXPECT_EQ(lan_->ask("lan", "10.2.0.2", Lan::kPort), "b1 sees 192.0.2.9");
  EXPECT_EQ(lan_->ask("b1", "10.2.0.3", Lan::kPort), "b2 sees 10.2.0.2");
}

INSTANTIATE_TEST_SUITE_P(BridgedPackets, PacketsTest,
                         ::testing::Values(BridgedPackets::kLeftToTheBridge,
                                           BridgedPackets::kSeenByNft),
                         [](const auto& mode) {
                           return mode.param == BridgedPackets::kSeenByNft ? "SeenByNft"
                                                                           : "LeftToTheBridge";
                         });

}  // namespace
}  // namespace berth
