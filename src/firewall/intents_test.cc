#include "firewall/intents.h"

#include <gtest/gtest.h>

#include "firewall/table.h"

namespace berth::firewall {
namespace {

IfName ifname(std::string_view text) {
  return IfName::parse(text).value();
}
Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

// "set { element }" for each.
std::vector<std::string> words(const std::vector<nft::Element>& elements) {
  std::vector<std::string> out;
  for (const auto& element : elements) {
    out.push_back(element.set + " { " + nft::text_with_comment(element) + " }");
  }
  return out;
}

using Words = std::vector<std::string>;

TEST(NetworkElements, OfAnOrdinaryNetwork) {
  EXPECT_EQ(words(network_elements(
                {.bridge = ifname("br0"), .subnets = {cidr("10.1.0.0/24")}, .owner = "front"})),
            (Words{"bridges { \"br0\" comment \"front\" }",
                   "pair { \"br0\" . \"br0\" comment \"front\" : accept }",
                   "hairpin4 { 10.1.0.0/24 . \"br0\" comment \"front\" }",
                   "masq4 { 10.1.0.0/24 comment \"front\" }"}));
}

TEST(NetworkElements, WithoutIccThereIsNoPair) {
  EXPECT_EQ(words(network_elements({.bridge = ifname("br0"), .icc = false})),
            (Words{"bridges { \"br0\" }"}));
}

TEST(NetworkElements, AnInternalNetworkIsNotMasqueraded) {
  EXPECT_EQ(words(network_elements(
                {.bridge = ifname("br0"), .subnets = {cidr("10.1.0.0/24")}, .internal = true})),
            (Words{"bridges { \"br0\" }", "internal { \"br0\" }",
                   "pair { \"br0\" . \"br0\" : accept }", "hairpin4 { 10.1.0.0/24 . \"br0\" }"}));
}

TEST(NetworkElements, WithoutMasqueradeTheSubnetIsNotListed) {
  const auto elements = network_elements(
      {.bridge = ifname("br0"), .subnets = {cidr("10.1.0.0/24")}, .masquerade = false});
  for (const auto& element : elements) EXPECT_NE(element.set, kSets4.masq);
}

TEST(NetworkElements, AGatewaysAddressStandsForItsSubnet) {
  EXPECT_EQ(
      words(network_elements({.bridge = ifname("br0"),
                              .subnets = {cidr("10.1.0.1/24"), cidr("fd00::/64")},
                              .icc = false})),
      (Words{"bridges { \"br0\" }", "hairpin4 { 10.1.0.0/24 . \"br0\" }", "masq4 { 10.1.0.0/24 }",
             "hairpin6 { fd00::/64 . \"br0\" }", "masq6 { fd00::/64 }"}));
}

TEST(NetworkElements, EachFamilyHasItsGatewayModeAndMasquerade) {
  EXPECT_EQ(words(network_elements({.bridge = ifname("br0"),
                                    .subnets = {cidr("10.1.0.0/24"), cidr("fd00::/64")},
                                    .icc = false,
                                    .mode4 = GatewayMode::kNatUnprotected,
                                    .mode6 = GatewayMode::kRouted})),
            (Words{"bridges { \"br0\" }", "unprotected4 { \"br0\" }",
                   "hairpin4 { 10.1.0.0/24 . \"br0\" }", "masq4 { 10.1.0.0/24 }",
                   "routed6 { \"br0\" }", "hairpin6 { fd00::/64 . \"br0\" }"}));
  EXPECT_EQ(words(network_elements({.bridge = ifname("br0"),
                                    .subnets = {cidr("10.1.0.0/24"), cidr("fd00::/64")},
                                    .icc = false,
                                    .masquerade6 = false})),
            (Words{"bridges { \"br0\" }", "hairpin4 { 10.1.0.0/24 . \"br0\" }",
                   "masq4 { 10.1.0.0/24 }", "hairpin6 { fd00::/64 . \"br0\" }"}));
}

TEST(NetworkElements, AChosenSourceStandsBesideMasquerade) {
  const NetworkIntent network{.bridge = ifname("br0"),
                              .subnets = {cidr("10.1.0.0/24"), cidr("fd00::/64")},
                              .icc = false,
                              .source4 = Ip::v4(192, 0, 2, 7),
                              .source6 = Ip::parse("2001:db8::7").value()};
  EXPECT_EQ(
      words(network_elements(network)),
      (Words{"bridges { \"br0\" }", "hairpin4 { 10.1.0.0/24 . \"br0\" }", "masq4 { 10.1.0.0/24 }",
             "snat4 { 10.1.0.0/24 : 192.0.2.7 }", "hairpin6 { fd00::/64 . \"br0\" }",
             "masq6 { fd00::/64 }", "snat6 { fd00::/64 : 2001:db8::7 }"}));
  auto unmasked = network;
  unmasked.masquerade = unmasked.masquerade6 = false;
  for (const auto& element : network_elements(unmasked)) {
    EXPECT_NE(element.set, kSets4.snat);
    EXPECT_NE(element.set, kSets6.snat);
  }
}

PublishIntent publish(std::optional<Ip> host_ip) {
  return {.protocol = Protocol::kUdp,
          .host_ip = host_ip,
          .host_port = 53,
          .to = Ip::v4(10, 1, 0, 2),
          .to_port = 5353,
          .owner = "dns"};
}

TEST(PublishElement, OnEveryAddress) {
  const Words expected{"publish4 { udp . 53 comment \"dns\" : 10.1.0.2 . 5353 }"};
  EXPECT_EQ(words({publish_element(publish({})).value()}), expected);
  EXPECT_EQ(words({publish_element(publish(Ip())).value()}), expected);
}

TEST(PublishElement, OnOneAddress) {
  EXPECT_EQ(words({publish_element(publish(Ip::v4(127, 0, 0, 1))).value()}),
            (Words{"publish4_addr { 127.0.0.1 . udp . 53 comment \"dns\" : 10.1.0.2 . 5353 }"}));
}

TEST(PublishElement, OfIpv6) {
  auto intent = publish({});
  intent.to = Ip::parse("fd00::2").value();
  const Words everywhere{"publish6 { udp . 53 comment \"dns\" : fd00::2 . 5353 }"};
  EXPECT_EQ(words({publish_element(intent).value()}), everywhere);
  intent.host_ip = Ip::parse("::").value();
  EXPECT_EQ(words({publish_element(intent).value()}), everywhere);
  intent.host_ip = Ip::parse("::1").value();
  EXPECT_EQ(words({publish_element(intent).value()}),
            (Words{"publish6_addr { ::1 . udp . 53 comment \"dns\" : fd00::2 . 5353 }"}));
}

TEST(PublishElement, RefusesPortZeroAndTwoFamilies) {
  auto intent = publish({});
  intent.host_port = 0;
  auto refused = publish_element(intent);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(refused.error().message,
            "publish *:0/udp to 10.1.0.2:5353: a port must be from 1 to 65535");

  refused = publish_element(publish(Ip::parse("::").value()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(refused.error().message,
            "publish [::]:53/udp to 10.1.0.2:5353: the kernel translates addresses within a family "
            "only, IPv4 to IPv4 and IPv6 to IPv6");
  intent = publish(Ip());
  intent.to = Ip::parse("fd00::2").value();
  EXPECT_FALSE(publish_element(intent));
}

TEST(OpenElement, IsForEveryoneOrForOneInterface) {
  const OpenIntent open4{.to = Ip::v4(10, 1, 0, 2), .to_port = 80, .owner = "web"};
  const OpenIntent open6{
      .protocol = Protocol::kUdp, .to = Ip::parse("fd00::2").value(), .to_port = 53};
  EXPECT_EQ(
      words({open_element(open4).value(), open_element(open6).value()}),
      (Words{"open4 { 10.1.0.2 . tcp . 80 comment \"web\" }", "open6 { fd00::2 . udp . 53 }"}));
  EXPECT_EQ(words({trusted_element(ifname("eth1"), open4).value(),
                   trusted_element(ifname("eth1"), open6).value()}),
            (Words{"trusted4 { \"eth1\" . 10.1.0.2 . tcp . 80 comment \"web\" }",
                   "trusted6 { \"eth1\" . fd00::2 . udp . 53 }"}));
}

TEST(OpenElement, RefusesPortZero) {
  const auto refused = open_element({.to = Ip::parse("fd00::2").value()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(refused.error().message, "open [fd00::2]:0/tcp: a port must be from 1 to 65535");
}

TEST(CommentOf, KeepsWhatNftCanShow) {
  EXPECT_EQ(comment_of("web 1/8080"), "web 1/8080");
  EXPECT_EQ(comment_of("a\"b\nc\xc3\xa4"), "a?b?c??");
  EXPECT_EQ(comment_of(std::string(300, 'x')).size(), 100U);
}

TEST(Intents, AContainerThatIsLinkedToAnotherSubnet) {
  const auto element = linked_element({.subnet = Cidr::parse("10.2.0.1/24").value(),
                                       .to = Ip::parse("10.1.0.2").value(),
                                       .owner = "web 12ab"});
  EXPECT_EQ(element.set, "linked4");
  EXPECT_EQ(nft::text_with_comment(element), "10.2.0.0/24 . 10.1.0.2/32 comment \"web 12ab\"");
  EXPECT_EQ(linked_element(
                {.subnet = Cidr::parse("fd02::/64").value(), .to = Ip::parse("fd01::2").value()})
                .set,
            "linked6");
}

TEST(Table, HasTheAdministratorsChainFirst) {
  ASSERT_FALSE(table().chains.empty());
  EXPECT_EQ(table().chains[0].name, kUserChain);
  EXPECT_TRUE(table().chains[0].rules.empty());
}

// Whatever an attach to one network touches must be a hash set: the others copy themselves for every
// commit.
TEST(Table, OnlySetsOfNetworksHoldPrefixes) {
  for (const auto& set : table().sets) {
    bool holds_prefixes = false;
    for (const FamilySets& sets : {kSets4, kSets6}) {
      holds_prefixes |= set.name == sets.masq || set.name == sets.snat ||
                        set.name == sets.hairpin || set.name == sets.linked;
    }
    EXPECT_EQ(set.interval, holds_prefixes) << set.name;
  }
}

}  // namespace
}  // namespace berth::firewall
