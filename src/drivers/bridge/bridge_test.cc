#include "drivers/bridge/bridge.h"

#include <gtest/gtest.h>

#include "plan/render.h"

namespace berth::drivers::bridge {
namespace {

using Lines = std::vector<std::string>;

Network network() {
  Network made;
  made.name = "mybridge0";
  made.subnets = {{Cidr::parse("192.168.100.0/24").value(), {}, Ip::v4(192, 168, 100, 1), {}}};
  made.bridge.device = IfName::parse("mybr0").value();
  return made;
}

Endpoint endpoint() {
  Endpoint made;
  made.ifname = IfName::parse("eth0").value();
  made.host_ifname = IfName::parse("vethef6b174").value();
  made.address4 = Cidr(Ip::v4(192, 168, 100, 2), 24);
  made.mac = Mac::from_ip(made.address4->ip());
  made.gateway4 = Ip::v4(192, 168, 100, 1);
  made.default4 = true;
  made.mtu = 1500;
  return made;
}

const plan::NsRef kBlue{"/run/netns/blue", 1};

Lines attached(const Network& to, const Endpoint& what, bool bridge_netfilter) {
  return plan::render(attach(to, what, kBlue, {.bridge_netfilter = bridge_netfilter}));
}

const Lines kPlain = {
    "ip link add name vethef6b174 mtu 1500 master mybr0 type veth peer name eth0 address "
    "02:42:c0:a8:64:02 mtu 1500 netns /run/netns/blue",
    "ip link set vethef6b174 up",
    "nsenter --net=/run/netns/blue sysctl -qw net/ipv6/conf/eth0/disable_ipv6=1",
    "nsenter --net=/run/netns/blue ip addr add 192.168.100.2/24 broadcast 192.168.100.255 dev eth0",
    "nsenter --net=/run/netns/blue ip link set eth0 up",
    "nsenter --net=/run/netns/blue ip route add default via 192.168.100.1 dev eth0 proto static"};

Lines with_port_command(const std::string& command) {
  auto lines = kPlain;
  lines.insert(lines.begin() + 2, command);
  return lines;
}

TEST(BridgeDriver, CreatesTheBridgeWithItsGateway) {
  EXPECT_EQ(plan::render(create(network(), 1450, {})),
            (Lines{"ip link add name mybr0 address 02:42:c0:a8:64:01 type bridge",
                   "ip link set mybr0 mtu 1450 up",
                   "ip addr add 192.168.100.1/24 broadcast 192.168.100.255 dev mybr0",
                   "sysctl -qw net/ipv4/conf/mybr0/route_localnet=1"}));
  EXPECT_EQ(plan::render(remove(network())), (Lines{"ip link del mybr0"}));
}

TEST(BridgeDriver, AttachesWithAVeth) {
  EXPECT_EQ(attached(network(), endpoint(), false), kPlain);
  EXPECT_EQ(attached(network(), endpoint(), true), kPlain);
  EXPECT_EQ(plan::render(detach(endpoint())), (Lines{"ip link del vethef6b174"}));
}

TEST(BridgeDriver, WithoutADefaultRouteThereIsNone) {
  auto second = endpoint();
  second.default4 = false;
  auto lines = kPlain;
  lines.pop_back();
  EXPECT_EQ(attached(network(), second, false), lines);
}

// Who keeps the containers apart: the bridge itself, or the firewall where it sees bridged frames.
TEST(BridgeDriver, WithoutIccPortsAreIsolatedUnlessTheFirewallSeesThem) {
  auto apart = network();
  apart.bridge.icc = false;
  EXPECT_EQ(attached(apart, endpoint(), false),
            with_port_command("bridge link set dev vethef6b174 isolated on"));
  EXPECT_EQ(attached(apart, endpoint(), true), kPlain);
}

TEST(BridgeDriver, APublishedPortNeedsHairpinModeWhereTheFirewallSeesBridgedFrames) {
  auto server = endpoint();
  server.ports = {{Protocol::kTcp, Ip(), 80, 80}};
  EXPECT_EQ(attached(network(), server, true),
            with_port_command("bridge link set dev vethef6b174 hairpin on"));
  EXPECT_EQ(attached(network(), server, false), kPlain);
}

}  // namespace
}  // namespace berth::drivers::bridge
