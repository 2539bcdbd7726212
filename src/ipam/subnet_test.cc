#include "ipam/subnet.h"

#include <gtest/gtest.h>

namespace berth::ipam {
namespace {

Ip ip(std::string_view text) {
  return Ip::parse(text).value();
}
Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

std::string refusal(const SubnetRequest& request) {
  const auto subnet = complete_subnet(request);
  if (subnet) return "accepted";
  EXPECT_EQ(subnet.error().kind, ErrorKind::kInvalid);
  return subnet.error().message;
}

TEST(CompleteSubnet, KeepsWhatWasAskedFor) {
  const SubnetRequest request{cidr("10.1.0.0/16"),
                              cidr("10.1.5.0/24"),
                              ip("10.1.5.254"),
                              {{"printer", ip("10.1.5.1")}, {"router", ip("10.1.0.1")}}};
  const auto subnet = complete_subnet(request).value();
  EXPECT_EQ(subnet, (Subnet{request.subnet, request.range, ip("10.1.5.254"), request.aux}));
}

TEST(CompleteSubnet, GatewayIsTheFirstHostOfTheSubnetEvenWithARange) {
  EXPECT_EQ(complete_subnet({cidr("10.1.0.0/16"), {}, {}, {}})->gateway, ip("10.1.0.1"));
  EXPECT_EQ(complete_subnet({cidr("10.1.0.0/16"), cidr("10.1.5.0/24"), {}, {}})->gateway,
            ip("10.1.0.1"));
  EXPECT_EQ(complete_subnet({cidr("fd00:1::/64"), {}, {}, {}})->gateway, ip("fd00:1::1"));
}

TEST(CompleteSubnet, DefaultGatewaySkipsAuxiliaryAddresses) {
  const SubnetRequest request{
      cidr("10.1.0.0/24"),
      {},
      {},
      {{"a", ip("10.1.0.2")}, {"b", ip("10.1.0.1")}, {"c", ip("10.1.0.4")}}};
  EXPECT_EQ(complete_subnet(request)->gateway, ip("10.1.0.3"));
}

TEST(CompleteSubnet, RefusesWhenAuxiliaryAddressesLeaveNoGateway) {
  const auto subnet = complete_subnet(
      {cidr("10.1.0.0/30"), {}, {}, {{"a", ip("10.1.0.1")}, {"b", ip("10.1.0.2")}}});
  ASSERT_FALSE(subnet);
  EXPECT_EQ(subnet.error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(
      subnet.error().message,
      "subnet 10.1.0.0/30 has no address left for a gateway: its auxiliary addresses take all "
      "2");
}

TEST(CompleteSubnet, RefusesHostBits) {
  EXPECT_EQ(refusal({cidr("192.168.100.5/24"), {}, {}, {}}),
            "invalid subnet 192.168.100.5/24: it should be 192.168.100.0/24");
}

TEST(CompleteSubnet, RefusesSpecialBlocks) {
  for (const auto* text :
       {"0.0.0.0/0", "0.0.0.0/24", "127.0.0.0/8", "127.5.0.0/16", "126.0.0.0/7", "224.0.0.0/24",
        "239.1.0.0/16", "192.0.0.0/2", "::/0", "::/64", "ff02::/64", "192.0.0.0/24",
        "::ffff:10.0.0.0/120", "64:ff9b:1::/96", "64:ff9b:1:ffff::/64", "fe80::/10", "fe80::/65"})
    EXPECT_NE(refusal({cidr(text), {}, {}, {}}), "accepted") << text;
  EXPECT_EQ(refusal({cidr("224.0.0.0/24"), {}, {}, {}}),
            "invalid subnet 224.0.0.0/24: it has multicast addresses in it (224.0.0.0/4), and "
            "containers need ordinary unicast ones");
}

TEST(CompleteSubnet, TakesTheBlocksBesideSpecialOnes) {
  for (const auto* text :
       {"1.0.0.0/8", "126.0.0.0/8", "128.0.0.0/8", "223.0.0.0/8", "240.0.0.0/24", "169.254.0.0/16",
        "fe80::/64", "fe80:1::/64", "64:ff9b:2::/64", "192.0.1.0/24", "fd00::/8"})
    EXPECT_TRUE(complete_subnet({cidr(text), {}, {}, {}})) << text;
}

TEST(CompleteSubnet, SmallestHasRoomForAGatewayAndAContainer) {
  EXPECT_TRUE(complete_subnet({cidr("10.0.0.0/30"), {}, {}, {}}));
  EXPECT_TRUE(complete_subnet({cidr("fd00::/126"), {}, {}, {}}));
  EXPECT_NE(refusal({cidr("fd00::/127"), {}, {}, {}}), "accepted");
  EXPECT_EQ(refusal({cidr("10.0.0.0/31"), {}, {}, {}}),
            "subnet 10.0.0.0/31 is too small: a network needs addresses for a gateway and a "
            "container, so the prefix can be /30 at most");
}

TEST(CompleteSubnet, RefusesARangeThatIsNotInside) {
  EXPECT_EQ(refusal({cidr("10.1.0.0/16"), cidr("10.2.0.0/24"), {}, {}}),
            "range 10.2.0.0/24 is not inside subnet 10.1.0.0/16: it has to be a part of it");
  EXPECT_NE(refusal({cidr("10.1.0.0/16"), cidr("10.0.0.0/8"), {}, {}}), "accepted");
  EXPECT_NE(refusal({cidr("10.1.0.0/16"), cidr("fd00::/64"), {}, {}}), "accepted");
}

TEST(CompleteSubnet, TakesTheWholeSubnetAsRange) {
  EXPECT_TRUE(complete_subnet({cidr("10.1.0.0/16"), cidr("10.1.0.0/16"), {}, {}}));
}

TEST(CompleteSubnet, RefusesAGatewayThatIsNoHostOfTheSubnet) {
  EXPECT_EQ(refusal({cidr("10.1.0.0/24"), {}, ip("10.2.0.1"), {}}),
            "gateway 10.2.0.1 is outside subnet 10.1.0.0/24: it has to be one of its addresses");
  EXPECT_EQ(refusal({cidr("10.1.0.0/24"), {}, ip("10.1.0.0"), {}}),
            "gateway 10.1.0.0 is the network address of subnet 10.1.0.0/24: give one after it, up "
            "to 10.1.0.254");
  EXPECT_EQ(
      refusal({cidr("10.1.0.0/24"), {}, ip("10.1.0.255"), {}}),
      "gateway 10.1.0.255 is the broadcast address of subnet 10.1.0.0/24: give one before it, "
      "down to 10.1.0.1");
  EXPECT_NE(refusal({cidr("10.1.0.0/24"), {}, ip("fd00::1"), {}}), "accepted");
}

TEST(CompleteSubnet, Ipv6HasNoBroadcastAddress) {
  EXPECT_TRUE(complete_subnet({cidr("fd00::/120"), {}, ip("fd00::ff"), {}}));
  EXPECT_EQ(refusal({cidr("fd00::/120"), {}, ip("fd00::"), {}}),
            "gateway fd00:: is the network address of subnet fd00::/120: give one after it, up to "
            "fd00::ff");
}

TEST(CompleteSubnet, RefusesAuxiliaryAddressesThatAreNoHosts) {
  EXPECT_EQ(refusal({cidr("10.1.0.0/24"), {}, {}, {{"nas", ip("10.2.0.9")}}}),
            "auxiliary address nas=10.2.0.9 is outside subnet 10.1.0.0/24: it has to be one of its "
            "addresses");
  EXPECT_NE(refusal({cidr("10.1.0.0/24"), {}, {}, {{"nas", ip("10.1.0.255")}}}), "accepted");
}

TEST(CompleteSubnet, RefusesAuxiliaryAddressesThatMeet) {
  EXPECT_EQ(refusal({cidr("10.1.0.0/24"), {}, {}, {{"a", ip("10.1.0.9")}, {"b", ip("10.1.0.9")}}}),
            "auxiliary addresses a and b are both 10.1.0.9: each needs one of its own");
  EXPECT_EQ(refusal({cidr("10.1.0.0/24"), {}, ip("10.1.0.9"), {{"a", ip("10.1.0.9")}}}),
            "auxiliary address a=10.1.0.9 is the gateway's: give one of them another address");
}

}  // namespace
}  // namespace berth::ipam
