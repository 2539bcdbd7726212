#include "drivers/ipvlan/ipvlan.h"

#include <gtest/gtest.h>

#include "drivers/driver.h"
#include "plan/render.h"

namespace berth::drivers::ipvlan {
namespace {

using Lines = std::vector<std::string>;

const plan::NsRef kBlue{"/run/netns/blue", 1};
const std::string kIn = "nsenter --net=/run/netns/blue ";

Network network(IpvlanMode mode) {
  Network made;
  made.name = "lan";
  made.driver = Driver::kIpvlan;
  made.subnets = {{Cidr::parse("192.168.1.0/24").value(), {}, {}, {}}};
  made.parent.device = IfName::parse("ens3").value();
  made.parent.ipvlan_mode = mode;
  return made;
}

Endpoint endpoint() {
  Endpoint made;
  made.ifname = IfName::parse("eth0").value();
  made.address4 = Cidr(Ip::v4(192, 168, 1, 50), 24);
  made.default4 = true;
  made.mtu = 1500;
  return made;
}

Lines attached(const Network& to, const Endpoint& what) {
  return plan::render(attach(to, what, kBlue, {}));
}

TEST(IpvlanDriver, L2GoesByTheSegmentsRouter) {
  auto what = endpoint();
  what.gateway4 = Ip::v4(192, 168, 1, 1);
  EXPECT_EQ(
      attached(network(IpvlanMode::kL2), what),
      (Lines{"ip link add link ens3 name eth0 mtu 1500 netns /run/netns/blue type ipvlan mode "
             "l2 bridge",
             kIn + "sysctl -qw net/ipv6/conf/eth0/disable_ipv6=1",
             kIn + "ip addr add 192.168.1.50/24 broadcast 192.168.1.255 dev eth0",
             kIn + "ip link set eth0 up",
             kIn + "ip route add default via 192.168.1.1 dev eth0 proto static"}));
  EXPECT_EQ(plan::render(drivers::detach(network(IpvlanMode::kL2), what, kBlue)),
            (Lines{kIn + "ip link del eth0"}));
}

// There is no neighbour to ask in these modes: neither for the way out nor for who has an address.
TEST(IpvlanDriver, TheL3ModesGoByTheDeviceItself) {
  auto what = endpoint();
  what.on_link = true;
  what.asked.ip4 = what.address4->ip();
  auto lan = network(IpvlanMode::kL3s);
  lan.parent.ipvlan_flag = IpvlanFlag::kPrivate;
  EXPECT_EQ(
      attached(lan, what),
      (Lines{"ip link add link ens3 name eth0 mtu 1500 netns /run/netns/blue type ipvlan mode "
             "l3s private",
             kIn + "sysctl -qw net/ipv6/conf/eth0/disable_ipv6=1",
             kIn + "ip addr add 192.168.1.50/24 broadcast 192.168.1.255 dev eth0",
             kIn + "ip link set eth0 up", kIn + "ip route add 0.0.0.0/0 dev eth0 proto static"}));
}

TEST(IpvlanDriver, HostAccessIsAnIpvlanOfTheHost) {
  auto lan = network(IpvlanMode::kL3);
  lan.parent.host_access = true;
  lan.parent.host_device = IfName::parse("iv-0123456789ab").value();
  lan.parent.host_addresses = {Cidr::parse("192.168.1.9/24").value()};
  const auto lines = plan::render(create(lan, 1500, {}));
  EXPECT_EQ(lines.front(),
            "ip link add link ens3 name iv-0123456789ab mtu 1500 type ipvlan mode l3 bridge");
  EXPECT_EQ(lines[lines.size() - 2], "ip link set iv-0123456789ab up") << "nobody asks in l3";
  EXPECT_EQ(lines.back(), "ip addr add 192.168.1.9/32 dev iv-0123456789ab");
  EXPECT_EQ(attached(lan, endpoint()).back(),
            "ip route add 192.168.1.50/32 dev iv-0123456789ab proto static src 192.168.1.9");
}

}  // namespace
}  // namespace berth::drivers::ipvlan
