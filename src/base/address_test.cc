#include "berth/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <vector>

namespace berth {
namespace {

Ip ip(std::string_view text) {
  return Ip::parse(text).value();
}
Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}
Mac mac(std::string_view text) {
  return Mac::parse(text).value();
}

TEST(Ip, WritesWhatItParsed) {
  for (const auto* text : {"0.0.0.0", "192.168.100.2", "255.255.255.255", "::", "::1", "fd00::2",
                           "2001:db8:1:2:3:4:5:6", "::ffff:10.0.0.1"})
    EXPECT_EQ(ip(text).str(), text);
}

TEST(Ip, WritesIpv6InItsShortestForm) {
  EXPECT_EQ(ip("FD00:0:0:0:0:0:0:0A").str(), "fd00::a");
  EXPECT_EQ(ip("2001:db8:0:0:1:0:0:1").str(), "2001:db8::1:0:0:1");
}

TEST(Ip, WritesIpv6AsTheSystemDoesWhereverTheZerosAre) {
  for (unsigned set = 0; set < 256; ++set) {  // one bit a group
    std::vector<std::uint8_t> bytes(16);
    for (int group = 0; group < 8; ++group)
      if (set >> group & 1) bytes[2 * group + group % 2] = static_cast<std::uint8_t>(0x9f >> group);
    char text[INET6_ADDRSTRLEN];
    ASSERT_NE(inet_ntop(AF_INET6, bytes.data(), text, sizeof text), nullptr);
    EXPECT_EQ(Ip::from_bytes(bytes).value().str(), text);
  }
}

TEST(Ip, RefusesOtherText) {
  for (const std::string_view text :
       {"", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4",
        "1.2.3.4/24", "0x1.2.3.4", ":", ":::", "1::2::3", "fd00::12345", "fe80::1%eth0", "[::1]",
        "1:2:3:4:5:6:7", "localhost"}) {
    const auto parsed = Ip::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalid) << text;
  }
}

TEST(Ip, RefusesBytesAfterANul) {
  EXPECT_FALSE(Ip::parse(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(Ip::parse(std::string_view("1.2.3.4\0.5", 10)));
}

TEST(Ip, ReadsNoFurtherThanTheTextGoes) {
  EXPECT_EQ(Ip::parse(std::string_view("10.0.0.123").substr(0, 8)).value(), ip("10.0.0.1"));
}

TEST(Ip, ErrorSaysWhatIsAllowed) {
  EXPECT_EQ(Ip::parse("1.2.3").error().message,
            "'1.2.3' is not an IP address: give one like 192.168.100.2 or fd00::2");
}

TEST(Ip, ComesFromBytesInNetworkOrder) {
  const std::vector<std::uint8_t> four = {10, 1, 2, 3};
  EXPECT_EQ(Ip::from_bytes(four).value(), ip("10.1.2.3"));
  std::vector<std::uint8_t> sixteen(16);
  sixteen[0] = 0xfd;
  sixteen[15] = 2;
  EXPECT_EQ(Ip::from_bytes(sixteen).value(), ip("fd00::2"));
  EXPECT_EQ(Ip::from_bytes(std::vector<std::uint8_t>(6)).error().message,
            "an IP address has 4 or 16 bytes, not 6");
}

TEST(Ip, GivesItsBytesInNetworkOrder) {
  const auto four = ip("10.1.2.3");
  EXPECT_EQ((std::vector<std::uint8_t>(four.bytes().begin(), four.bytes().end())),
            (std::vector<std::uint8_t>{10, 1, 2, 3}));
  EXPECT_EQ(ip("fd00::2").bytes().size(), 16U);
  EXPECT_EQ(ip("fd00::2").bytes()[15], 2);
}

TEST(Ip, IsANumber) {
  EXPECT_EQ(static_cast<std::uint64_t>(ip("10.1.2.3").number()), 0x0a010203U);
  EXPECT_TRUE(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").number() == ~Uint128{0});
  for (const auto* text : {"0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "fd00::2:3"})
    EXPECT_EQ(Ip::from_number(ip(text).family(), ip(text).number()), ip(text));
}

TEST(Ip, IsOrderedByFamilyThenNumber) {
  const std::vector<Ip> ordered = {ip("0.0.0.0"),   ip("9.255.0.0"), ip("10.0.0.0"),
                                   ip("200.0.0.1"), ip("::"),        ip("fd00::")};
  for (std::size_t i = 1; i < ordered.size(); ++i) EXPECT_LT(ordered[i - 1], ordered[i]) << i;
  EXPECT_NE(ip("0.0.0.0"), ip("::"));
}

TEST(Ip, KnowsSpecialAddresses) {
  EXPECT_TRUE(ip("0.0.0.0").is_unspecified());
  EXPECT_TRUE(ip("::").is_unspecified());
  EXPECT_FALSE(ip("::1").is_unspecified());
  EXPECT_TRUE(ip("127.255.0.1").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("128.0.0.1").is_loopback());
  EXPECT_FALSE(ip("::2").is_loopback());
  EXPECT_TRUE(ip("224.0.0.1").is_multicast());
  EXPECT_TRUE(ip("239.255.255.255").is_multicast());
  EXPECT_TRUE(ip("ff02::1").is_multicast());
  EXPECT_FALSE(ip("223.255.255.255").is_multicast());
  EXPECT_FALSE(ip("240.0.0.0").is_multicast());
  EXPECT_FALSE(ip("fe80::1").is_multicast());
}

TEST(IpRange, IsABlockOrFromOneAddressToAnother) {
  for (const auto* text : {"10.0.0.0/26", "fd00::/64", "10.0.0.10-10.0.0.20", "fd00::1-fd00::1:0",
                           "10.0.0.1/32", "0.0.0.0/0"}) {
    const auto range = IpRange::parse(text);
    ASSERT_TRUE(range) << text << ": " << range.error().message;
    EXPECT_EQ(range->str(), text);
    EXPECT_TRUE(range->contains(range->first()) && range->contains(range->last()));
  }
  EXPECT_EQ(IpRange::parse("10.0.0.0-10.0.0.255").value().str(), "10.0.0.0/24");
  const auto some = IpRange::parse("10.0.0.10-10.0.0.20").value();
  for (const auto* outside : {"10.0.0.9", "10.0.0.21", "::a00:b"})
    EXPECT_FALSE(some.contains(Ip::parse(outside).value())) << outside;
}

TEST(IpRange, RefusesOtherText) {
  const auto refusal = [](const char* text) {
    const auto range = IpRange::parse(text);
    return range ? "accepted" : range.error().message;
  };
  EXPECT_EQ(refusal("10.0.0.5/24"), "invalid range 10.0.0.5/24: it should be 10.0.0.0/24");
  EXPECT_EQ(refusal("10.0.0.9-10.0.0.5"),
            "invalid range 10.0.0.9-10.0.0.5: it should be 10.0.0.5-10.0.0.9");
  for (const auto* text : {"", "-", "x", "10.0.0.1", "10.0.0.1-", "-10.0.0.1", "10.0.0.1-fd00::1",
                           "10.0.0.1-5", "10.0.0.0/24-10.0.0.255", "10.0.0.1 - 10.0.0.5"})
    EXPECT_NE(refusal(text).find("is no range of addresses"), std::string::npos) << text;
}

TEST(Cidr, WritesWhatItParsed) {
  for (const auto* text : {"0.0.0.0/0", "192.168.100.0/24", "10.0.0.7/8", "1.2.3.4/32", "::/0",
                           "fd00::/64", "fd00::7/128"})
    EXPECT_EQ(cidr(text).str(), text);
}

TEST(Cidr, RefusesOtherText) {
  for (const std::string_view text :
       {"", "/", "10.0.0.0", "10.0.0.0/", "/8", "10.0.0.0/33", "fd00::/129", "10.0.0.0/-1",
        "10.0.0.0/-0", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/00", "10.0.0.0/ 8", "10.0.0.0/8 ",
        "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0/8", "10.0.0.0/99999999999"}) {
    const auto parsed = Cidr::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalid) << text;
  }
}

TEST(Cidr, HasAFirstAndALastAddress) {
  EXPECT_EQ(cidr("192.168.100.77/24").first(), ip("192.168.100.0"));
  EXPECT_EQ(cidr("192.168.100.77/24").last(), ip("192.168.100.255"));
  EXPECT_EQ(cidr("172.20.0.0/14").last(), ip("172.23.255.255"));
  EXPECT_EQ(cidr("1.2.3.4/32").first(), cidr("1.2.3.4/32").last());
  EXPECT_EQ(cidr("10.0.0.0/0").first(), ip("0.0.0.0"));
  EXPECT_EQ(cidr("10.0.0.0/0").last(), ip("255.255.255.255"));
  EXPECT_EQ(cidr("fd00::1/64").last(), ip("fd00::ffff:ffff:ffff:ffff"));
  EXPECT_EQ(cidr("fd00::1/0").last(), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(Cidr, IsANetworkWithoutHostBits) {
  EXPECT_TRUE(cidr("192.168.100.0/24").is_network());
  EXPECT_FALSE(cidr("192.168.100.5/24").is_network());
  EXPECT_EQ(cidr("192.168.100.5/24").network(), cidr("192.168.100.0/24"));
}

TEST(Cidr, ContainsAddresses) {
  EXPECT_TRUE(cidr("10.1.0.0/16").contains(ip("10.1.0.0")));
  EXPECT_TRUE(cidr("10.1.0.9/16").contains(ip("10.1.255.255")));
  EXPECT_FALSE(cidr("10.1.0.0/16").contains(ip("10.2.0.0")));
  EXPECT_FALSE(cidr("10.1.0.0/16").contains(ip("10.0.255.255")));
  EXPECT_FALSE(cidr("0.0.0.0/0").contains(ip("::1")));
  EXPECT_FALSE(cidr("::/0").contains(ip("1.2.3.4")));
}

TEST(Cidr, ContainsSmallerNetworks) {
  EXPECT_TRUE(cidr("10.1.0.0/16").contains(cidr("10.1.2.0/24")));
  EXPECT_TRUE(cidr("10.1.0.0/16").contains(cidr("10.1.0.0/16")));
  EXPECT_FALSE(cidr("10.1.0.0/16").contains(cidr("10.0.0.0/8")));
  EXPECT_FALSE(cidr("10.1.0.0/16").contains(cidr("10.1.0.0/15")));
  EXPECT_FALSE(cidr("10.1.0.0/16").contains(cidr("10.2.0.0/24")));
  EXPECT_FALSE(cidr("0.0.0.0/0").contains(cidr("fd00::/64")));
}

TEST(Cidr, OverlapsBothWays) {
  const auto overlap = [](std::string_view a, std::string_view b) {
    EXPECT_EQ(cidr(a).overlaps(cidr(b)), cidr(b).overlaps(cidr(a))) << a << " " << b;
    return cidr(a).overlaps(cidr(b));
  };
  EXPECT_TRUE(overlap("10.0.0.0/8", "10.1.0.0/16"));
  EXPECT_TRUE(overlap("10.1.2.3/16", "10.1.9.9/24"));
  EXPECT_FALSE(overlap("10.0.0.0/16", "10.1.0.0/16"));
  EXPECT_FALSE(overlap("0.0.0.0/0", "::/0"));
}

TEST(Mac, TakesColonsOrDashesAndWritesColons) {
  EXPECT_EQ(mac("02:42:C0:a8:64:02").str(), "02:42:c0:a8:64:02");
  EXPECT_EQ(mac("02-42-c0-a8-64-02"), mac("02:42:c0:a8:64:02"));
  EXPECT_EQ(mac("02:42:c0:a8:64:0f").bytes(),
            (std::array<std::uint8_t, 6>{0x02, 0x42, 0xc0, 0xa8, 0x64, 0x0f}));
}

TEST(Mac, RefusesOtherText) {
  for (const std::string_view text :
       {"", "02:42:c0:a8:64", "02:42:c0:a8:64:02:01", "02:42:c0:a8:64:2", "0242.c0a8.6402",
        "0242c0a86402", "02:42-c0:a8:64:02", "02:42:c0:a8:64:0g", "02 42 c0 a8 64 02",
        "02:42:c0:a8:64:+2", "02:42:c0:a8:64: 2", ":02:42:c0:a8:64:0"}) {
    const auto parsed = Mac::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalid) << text;
  }
}

TEST(Mac, RefusesWhatNoInterfaceCanCarry) {
  for (const auto* text : {"01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"})
    EXPECT_EQ(Mac::parse(text).error().message,
              std::string("MAC address ") + text +
                  " is multicast or zero: an interface needs a unicast one");
  EXPECT_TRUE(Mac::parse("00:00:00:00:00:01"));
}

TEST(Mac, ComesFromAnAddressByDockersRule) {
  EXPECT_EQ(Mac::from_ip(ip("192.168.100.2")).str(), "02:42:c0:a8:64:02");
  EXPECT_EQ(Mac::from_ip(ip("fd00::1:2:3")).str(), "02:42:00:02:00:03");
}

TEST(Protocol, IsNamedAsItIsParsed) {
  for (const auto protocol : {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp})
    EXPECT_EQ(parse_protocol(name(protocol)).value(), protocol);
  for (const auto* text : {"", "TCP", "icmp", "tcp "})
    EXPECT_EQ(parse_protocol(text).error().message,
              "'" + std::string(text) + "' is not a protocol: give tcp, udp or sctp");
}

}  // namespace
}  // namespace berth
