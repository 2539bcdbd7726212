#include "drivers/bridge/bridge.h"

#include <gtest/gtest.h>

#include "drivers/driver.h"
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

// What every bridge of berth's has, and what one of IPv4 alone has.
Lines settings(const Lines& more = {"ipv4/conf/mybr0/forwarding=1",
                                    "ipv4/conf/mybr0/route_localnet=1"},
               const std::string& disable_ipv6 = "1") {
  Lines lines;
  const auto set = [&](const std::string& what) { lines.push_back("sysctl -qw net/" + what); };
  set("ipv6/conf/mybr0/disable_ipv6=" + disable_ipv6);
  set("ipv4/conf/mybr0/accept_redirects=0");
  set("ipv4/conf/mybr0/accept_local=0");
  set("ipv4/conf/mybr0/proxy_arp=0");
  set("ipv4/conf/mybr0/arp_ignore=1");
  set("ipv6/conf/mybr0/accept_ra=0");
  set("ipv6/conf/mybr0/accept_redirects=0");
  for (const auto& each : more) set(each);
  return lines;
}
Lines operator+(Lines one, const Lines& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

TEST(BridgeDriver, CreatesTheBridgeWithItsGateway) {
  EXPECT_EQ(
      plan::render(create(network(), 1450, {})),
      (Lines{"ip link add name mybr0 address 02:42:c0:a8:64:01 type bridge",
             "ip link set mybr0 mtu 1450 up"} +
       settings() + Lines{"ip addr add 192.168.100.1/24 broadcast 192.168.100.255 dev mybr0"}));
  EXPECT_EQ(plan::render(drivers::remove(network())), (Lines{"ip link del mybr0"}));
}

Lines sysctls_of(const Network& network, std::uint32_t mtu, const Facts& facts = {}) {
  auto lines = plan::render(bridge::create(network, mtu, facts));
  std::erase_if(lines, [](const std::string& line) { return !line.starts_with("sysctl "); });
  return lines;
}

TEST(BridgeDriver, ItsSettingsAreThoseThatItsFamiliesNeed) {
  auto dual = network();
  dual.ipv6 = true;
  EXPECT_EQ(sysctls_of(dual, 1500),
            settings({"ipv4/conf/mybr0/forwarding=1", "ipv4/conf/mybr0/route_localnet=1",
                      "ipv6/conf/mybr0/addr_gen_mode=0", "ipv6/conf/mybr0/accept_dad=0"},
                     "0"));
  dual.internal = true;
  EXPECT_EQ(sysctls_of(dual, 1500),
            settings({"ipv4/conf/mybr0/route_localnet=0", "ipv6/conf/mybr0/addr_gen_mode=0",
                      "ipv6/conf/mybr0/accept_dad=0"},
                     "0"));
  // Where there is no IPv6 there are no settings of it.
  for (const auto& lines :
       {sysctls_of(network(), 1279), sysctls_of(network(), 1500, {.ipv6 = false})})
    for (const auto& line : lines) EXPECT_FALSE(line.contains("ipv6")) << line;
}

TEST(BridgeDriver, AttachesWithAVeth) {
  EXPECT_EQ(attached(network(), endpoint(), false), kPlain);
  EXPECT_EQ(attached(network(), endpoint(), true), kPlain);
  EXPECT_EQ(plan::render(detach(endpoint(), kBlue)), (Lines{"ip link del vethef6b174"}));
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

// What comes after the host's end is a port, before the sandbox's end gets its settings.
Lines with_port_commands(const Lines& commands) {
  auto lines = kPlain;
  lines.insert(lines.begin() + 2, commands.begin(), commands.end());
  return lines;
}

TEST(BridgeDriver, IsolatedPortsAreSoWhateverTheFirewallSees) {
  auto apart = network();
  apart.bridge.port_isolation = true;
  for (const bool seen : {false, true})
    EXPECT_EQ(attached(apart, endpoint(), seen),
              with_port_command("bridge link set dev vethef6b174 isolated on"));
}

TEST(BridgeDriver, AVlanIsThatOfEveryPortAndOfTheBridgeItself) {
  auto tagged = network();
  tagged.bridge.vlan = 10;
  EXPECT_EQ(
      plan::render(create(tagged, 1500, {})),
      (Lines{"ip link add name mybr0 address 02:42:c0:a8:64:01 type bridge",
             "ip link set mybr0 mtu 1500 up", "ip link set mybr0 type bridge vlan_filtering 1",
             "bridge vlan add vid 10 dev mybr0 self pvid untagged",
             "bridge vlan del vid 1 dev mybr0 self"} +
       settings() + Lines{"ip addr add 192.168.100.1/24 broadcast 192.168.100.255 dev mybr0"}));
  EXPECT_EQ(attached(tagged, endpoint(), false),
            with_port_commands({"bridge vlan add vid 10 dev vethef6b174 pvid untagged",
                                "bridge vlan del vid 1 dev vethef6b174"}));
  auto other = endpoint();
  other.asked.vlan = 1;  // the one that the bridge gives to new ports: to stay in
  EXPECT_EQ(attached(tagged, other, false),
            with_port_commands({"bridge vlan add vid 1 dev vethef6b174 pvid untagged"}));
  tagged.bridge.vlan = 20;
  EXPECT_EQ(plan::render(attach(tagged, endpoint(), kBlue, {.default_vlan = 0})),
            with_port_commands({"bridge vlan add vid 20 dev vethef6b174 pvid untagged"}));
}

TEST(BridgeDriver, TheMacSpoofCheckLocksThePortToItsAddress) {
  auto checked = network();
  checked.bridge.mac_spoof_check = true;
  EXPECT_EQ(attached(checked, endpoint(), false),
            with_port_commands(
                {"bridge link set dev vethef6b174 locked on learning off",
                 "bridge fdb add 02:42:c0:a8:64:02 dev vethef6b174 master static sticky"}));
}

// Its addresses and their routes move with the bridge, so it is a member before it has any.
TEST(BridgeDriver, AMemberOfAVrf) {
  auto member = network();
  member.bridge.vrf = IfName::parse("red").value();
  const auto lines = plan::render(create(member, 0, {}));
  ASSERT_GE(lines.size(), 4U);
  EXPECT_EQ(lines[2], "ip link set mybr0 master red");
  EXPECT_TRUE(lines.back().starts_with("ip addr add "));
}

TEST(BridgeDriver, AnAdoptedBridgeIsNeitherMadeNorRemoved) {
  auto adopted = network();
  adopted.bridge.adopted = true;
  EXPECT_EQ(plan::render(create(adopted, 1500, {})),
            (Lines{"ip link set mybr0 up", "sysctl -qw net/ipv6/conf/mybr0/accept_ra=0",
                   "sysctl -qw net/ipv4/conf/mybr0/forwarding=1",
                   "sysctl -qw net/ipv4/conf/mybr0/route_localnet=1",
                   "ip addr add 192.168.100.1/24 broadcast 192.168.100.255 dev mybr0"}));
  // The host lives by what a router there says.
  EXPECT_EQ(sysctls_of(adopted, 1500, {.heard_router = true}),
            (Lines{"sysctl -qw net/ipv4/conf/mybr0/forwarding=1",
                   "sysctl -qw net/ipv4/conf/mybr0/route_localnet=1"}));
  EXPECT_TRUE(drivers::remove(adopted).empty());
  EXPECT_EQ(attached(adopted, endpoint(), false), kPlain);
}

const std::string kNoIpv6 = "sysctl -qw net/ipv6/conf/vethef6b174/disable_ipv6=1";

TEST(BridgeDriver, AnUnmanagedBridgeGetsPortsAndNothingElse) {
  auto unmanaged = network();
  unmanaged.bridge.managed = false;
  unmanaged.bridge.vlan = 10;
  EXPECT_TRUE(create(unmanaged, 1500, {}).empty());
  EXPECT_TRUE(drivers::remove(unmanaged).empty());
  EXPECT_EQ(attached(unmanaged, endpoint(), false).size(), kPlain.size() + 3);
  // No firewall keeps its containers apart, so the bridge does, whatever the firewall would see.
  unmanaged.bridge.vlan = 0;
  unmanaged.bridge.icc = false;
  EXPECT_EQ(attached(unmanaged, endpoint(), true),
            with_port_commands({"bridge link set dev vethef6b174 isolated on", kNoIpv6}));
}

TEST(BridgeDriver, AddressesThatWereGivenAreAllThere) {
  auto given = endpoint();
  given.asked.addresses = {*given.address4, Cidr(Ip::v4(10, 9, 0, 5), 16)};
  const auto lines = attached(network(), given, false);
  ASSERT_EQ(lines.size(), kPlain.size() + 1);
  EXPECT_EQ(
      lines[4],
      "nsenter --net=/run/netns/blue ip addr add 10.9.0.5/16 broadcast 10.9.255.255 dev eth0");
}

TEST(BridgeDriver, AnIsolatedNetworkHasABridgeWithoutAddress) {
  auto isolated = network();
  isolated.internal = true;
  isolated.bridge.mode4 = GatewayMode::kIsolated;
  for (const auto& line : plan::render(create(isolated, 1500, {})))
    EXPECT_FALSE(line.starts_with("ip addr")) << line;
  auto inhibited = network();
  inhibited.bridge.inhibit_ipv4 = true;
  for (const auto& line : plan::render(create(inhibited, 1500, {})))
    EXPECT_FALSE(line.starts_with("ip addr")) << line;
}

// On a bridge that was there before there may be machines of others'.
TEST(BridgeDriver, AnAddressThatWasAskedForIsProbedOnAGivenBridgeAlone) {
  auto asked = endpoint();
  asked.asked.ip4 = asked.address4->ip();
  EXPECT_EQ(attached(network(), asked, false), kPlain);
  auto lines = kPlain;
  lines.insert(lines.begin() + 3,
               {"nsenter --net=/run/netns/blue ip link set eth0 up",
                "nsenter --net=/run/netns/blue arping -D -c 2 -w 1 -I eth0 192.168.100.2"});
  auto adopted = network();
  adopted.bridge.adopted = true;
  EXPECT_EQ(attached(adopted, asked, false), lines);
  auto unmanaged = network();
  unmanaged.bridge.managed = false;
  lines.insert(lines.begin() + 2, kNoIpv6);
  EXPECT_EQ(attached(unmanaged, asked, false), lines);
}

}  // namespace
}  // namespace berth::drivers::bridge
