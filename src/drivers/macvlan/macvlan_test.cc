#include "drivers/macvlan/macvlan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "drivers/driver.h"
#include "plan/render.h"

namespace berth::drivers::macvlan {
namespace {

using Lines = std::vector<std::string>;

const plan::NsRef kBlue{"/run/netns/blue", 1};
const std::string kIn = "nsenter --net=/run/netns/blue ";

Network network() {
  Network made;
  made.name = "lan";
  made.driver = Driver::kMacvlan;
  made.subnets = {{Cidr::parse("192.168.1.0/24").value(), {}, Ip::v4(192, 168, 1, 1), {}}};
  made.parent.device = IfName::parse("ens3").value();
  return made;
}

Network with_host_access() {
  auto made = network();
  made.id = "0123456789ab";
  made.parent.host_access = true;
  made.parent.host_device = IfName::parse("mv-0123456789ab").value();
  made.parent.host_addresses = {Cidr::parse("192.168.1.9/24").value()};
  return made;
}

Endpoint endpoint() {
  Endpoint made;
  made.ifname = IfName::parse("eth0").value();
  made.address4 = Cidr(Ip::v4(192, 168, 1, 50), 24);
  made.mac = Mac::from_ip(made.address4->ip());
  made.gateway4 = Ip::v4(192, 168, 1, 1);
  made.default4 = true;
  made.mtu = 1500;
  return made;
}

Lines attached(const Network& to, const Endpoint& what) {
  return plan::render(attach(to, what, kBlue, {}));
}

const Lines kPlain = {
    "ip link add link ens3 name eth0 mtu 1500 netns /run/netns/blue address 02:42:c0:a8:01:32 type "
    "macvlan mode bridge",
    kIn + "sysctl -qw net/ipv6/conf/eth0/disable_ipv6=1",
    kIn + "ip addr add 192.168.1.50/24 broadcast 192.168.1.255 dev eth0",
    kIn + "ip link set eth0 up",
    kIn + "ip route add default via 192.168.1.1 dev eth0 proto static"};

TEST(MacvlanDriver, AParentThatWasThereIsLeftAlone) {
  EXPECT_TRUE(create(network(), 1500, {}).empty());
  EXPECT_TRUE(drivers::remove(network()).empty());
}

TEST(MacvlanDriver, AttachesWithAMacvlanBornInTheSandbox) {
  EXPECT_EQ(attached(network(), endpoint()), kPlain);
  EXPECT_EQ(plan::render(drivers::detach(network(), endpoint(), kBlue)),
            (Lines{kIn + "ip link del eth0"}));
}

TEST(MacvlanDriver, HasTheModeAndItsSettings) {
  auto lan = network();
  lan.parent.macvlan_mode = MacvlanMode::kPassthru;
  lan.parent.broadcast_limit = -1;
  EXPECT_TRUE(attached(lan, endpoint())[0].ends_with("type macvlan mode passthru bclim -1"));
  lan.parent.macvlan_mode = MacvlanMode::kSource;
  lan.parent.sources = {Mac::parse("02:00:00:00:00:01").value()};
  lan.parent.broadcast_limit = {};
  EXPECT_TRUE(attached(lan, endpoint())[0].ends_with("mode source macaddr set 02:00:00:00:00:01"));
}

// The host has no part in what its neighbours on a parent of the network's own say.
Lines guarded(const std::string& made, const std::string& device) {
  Lines lines{made};
  for (const auto* setting :
       {"ipv6/conf/{}/disable_ipv6=1", "ipv4/conf/{}/accept_redirects=0",
        "ipv4/conf/{}/accept_local=0", "ipv4/conf/{}/proxy_arp=0", "ipv4/conf/{}/arp_ignore=1",
        "ipv6/conf/{}/accept_ra=0", "ipv6/conf/{}/accept_redirects=0"})
    lines.push_back("sysctl -qw net/" + fmt::format(fmt::runtime(setting), device));
  lines.push_back("ip link set " + device + " up");
  return lines;
}

TEST(MacvlanDriver, ANetworksOwnParentComesAndGoesWithIt) {
  auto lan = network();
  lan.parent.device = IfName::parse("ens3.50").value();
  lan.parent.lower = IfName::parse("ens3").value();
  lan.parent.vlan = 50;
  lan.parent.origin = ParentSettings::Origin::kVlan;
  EXPECT_EQ(plan::render(create(lan, 1500, {})),
            guarded("ip link add link ens3 name ens3.50 type vlan id 50", "ens3.50"));
  EXPECT_EQ(plan::render(drivers::remove(lan)), (Lines{"ip link del ens3.50"}));
  lan.parent.device = IfName::parse("dm-0123456789ab").value();
  lan.parent.origin = ParentSettings::Origin::kDummy;
  EXPECT_EQ(plan::render(create(lan, 1500, {})),
            guarded("ip link add name dm-0123456789ab mtu 1500 type dummy", "dm-0123456789ab"));
}

// The host's addresses are alone in their prefixes: the parent's route to the subnet stays the only
// one.
TEST(MacvlanDriver, HostAccessIsASubInterfaceOfTheHost) {
  const auto lan = with_host_access();
  EXPECT_EQ(
      plan::render(create(lan, 1500, {})),
      (Lines{"ip link add link ens3 name mv-0123456789ab mtu 1500 address 02:42:01:23:45:67 "
             "type macvlan mode bridge",
             "sysctl -qw net/ipv6/conf/mv-0123456789ab/disable_ipv6=1",
             "sysctl -qw net/ipv4/conf/mv-0123456789ab/accept_redirects=0",
             "sysctl -qw net/ipv4/conf/mv-0123456789ab/accept_local=0",
             "sysctl -qw net/ipv4/conf/mv-0123456789ab/proxy_arp=0",
             "sysctl -qw net/ipv4/conf/mv-0123456789ab/arp_ignore=1",
             "sysctl -qw net/ipv6/conf/mv-0123456789ab/accept_ra=0",
             "sysctl -qw net/ipv6/conf/mv-0123456789ab/accept_redirects=0",
             "sysctl -qw net/ipv4/conf/mv-0123456789ab/arp_announce=2",
             "ip link set mv-0123456789ab up", "arping -D -c 2 -w 1 -I mv-0123456789ab 192.168.1.9",
             "ip addr add 192.168.1.9/32 dev mv-0123456789ab"}));
  EXPECT_EQ(plan::render(drivers::remove(lan)), (Lines{"ip link del mv-0123456789ab"}));
  auto lines = kPlain;
  const std::string route = "192.168.1.50/32 dev mv-0123456789ab proto static src 192.168.1.9";
  lines.push_back("ip route add " + route);
  EXPECT_EQ(attached(lan, endpoint()), lines);
  EXPECT_EQ(plan::render(drivers::detach(lan, endpoint(), kBlue)),
            (Lines{"ip route del " + route, kIn + "ip link del eth0"}));
}

TEST(MacvlanDriver, AnAddressThatWasAskedForIsTakenOnlyIfNobodyHasIt) {
  auto asked = endpoint();
  asked.asked.ip4 = asked.address4->ip();
  auto lines = kPlain;
  lines.insert(lines.begin() + 2,
               {kIn + "ip link set eth0 up", kIn + "arping -D -c 2 -w 1 -I eth0 192.168.1.50"});
  EXPECT_EQ(attached(network(), asked), lines);
}

}  // namespace
}  // namespace berth::drivers::macvlan
