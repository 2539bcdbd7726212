#include "ipam/pools.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>

namespace berth::ipam {
namespace {

Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}
Pool pool(std::string_view text) {
  return parse_address_pool(text).value();
}

std::vector<Cidr> cidrs(std::initializer_list<std::string_view> texts) {
  std::vector<Cidr> all;
  for (const auto text : texts) all.push_back(cidr(text));
  return all;
}

TEST(DefaultPools, AreDockers) {
  std::vector<std::string> texts;
  for (const auto& each : default_pools()) texts.push_back(str(each));
  EXPECT_EQ(texts,
            (std::vector<std::string>{"base=172.17.0.0/16,size=16", "base=172.18.0.0/16,size=16",
                                      "base=172.19.0.0/16,size=16", "base=172.20.0.0/14,size=16",
                                      "base=172.24.0.0/14,size=16", "base=172.28.0.0/14,size=16",
                                      "base=192.168.0.0/16,size=20"}));
}

TEST(DefaultPools, CanBeParsed) {
  for (const auto& each : default_pools()) EXPECT_EQ(parse_address_pool(str(each)).value(), each);
}

TEST(ParsePool, TakesBothKeysInAnyOrder) {
  const Pool expected{cidr("172.30.0.0/16"), 24};
  EXPECT_EQ(pool("base=172.30.0.0/16,size=24"), expected);
  EXPECT_EQ(pool("size=24,base=172.30.0.0/16"), expected);
  EXPECT_EQ(pool("base=fd00:1::/48,size=64"), (Pool{cidr("fd00:1::/48"), 64}));
}

TEST(ParsePool, TakesSizesFromTheBaseToTheSmallestSubnet) {
  EXPECT_TRUE(parse_address_pool("base=10.0.0.0/8,size=8"));
  EXPECT_TRUE(parse_address_pool("base=10.0.0.0/8,size=30"));
  EXPECT_TRUE(parse_address_pool("base=fd00::/8,size=126"));
  EXPECT_FALSE(parse_address_pool("base=10.0.0.0/8,size=7"));
  EXPECT_FALSE(parse_address_pool("base=10.0.0.0/8,size=31"));
  EXPECT_FALSE(parse_address_pool("base=fd00::/8,size=127"));
}

TEST(ParsePool, RefusesOtherText) {
  for (const auto* text :
       {"", ",", "base=10.0.0.0/8", "size=24", "base=10.0.0.0/8,size=24,", "base=10.0.0.0/8,size=",
        "base=10.0.0.0/8,size=24x", "base=10.0.0.0/8,size= 24", "base=10.0.0.0,size=24",
        "base=10.0.0.0/8,size=24,size=25", "base=10.0.0.0/8,base=11.0.0.0/8,size=24",
        "base=10.0.0.0/8,size=24,scope=local", "10.0.0.0/8,24", "base=10.0.0.0/8 size=24"}) {
    const auto parsed = parse_address_pool(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalid) << text;
  }
}

TEST(ParsePool, RefusesBasesThatNoContainerCanUse) {
  EXPECT_EQ(parse_address_pool("base=172.30.1.0/16,size=24").error().message,
            "address pool 'base=172.30.1.0/16,size=24': invalid subnet 172.30.1.0/16: it should be "
            "172.30.0.0/16");
  EXPECT_FALSE(parse_address_pool("base=0.0.0.0/0,size=24"));
  EXPECT_FALSE(parse_address_pool("base=::/0,size=64"));
  EXPECT_FALSE(parse_address_pool("base=224.0.0.0/8,size=24"));
}

TEST(ParsePool, ErrorNamesTheTextAndTheSizesAllowed) {
  EXPECT_EQ(parse_address_pool("base=10.0.0.0/8,size=31").error().message,
            "address pool 'base=10.0.0.0/8,size=31': size 31 is not possible: 8 to 30 cut "
            "10.0.0.0/8 into subnets");
}

TEST(ChooseSubnet, BeginsWithTheFirstPool) {
  EXPECT_EQ(choose_subnet(default_pools(), {}).value(), cidr("172.17.0.0/16"));
}

TEST(ChooseSubnet, GoesOnToTheNextPool) {
  const auto used = cidrs({"172.17.0.0/16", "172.16.0.0/14", "172.20.5.0/24"});
  EXPECT_EQ(choose_subnet(default_pools(), used).value(), cidr("172.21.0.0/16"));
}

TEST(ChooseSubnet, SkipsUsedPrefixesLargerAndSmallerThanABlock) {
  const Pool pools[] = {pool("base=10.0.0.0/8,size=24")};
  const auto used = cidrs({"10.0.0.0/9", "10.128.0.77/32", "10.128.1.128/25", "10.128.3.0/24"});
  EXPECT_EQ(choose_subnet(pools, used).value(), cidr("10.128.2.0/24"));
}

TEST(ChooseSubnet, ASmallPrefixInTheLastBlockTakesItAll) {
  const Pool pools[] = {pool("base=10.0.0.0/23,size=24")};
  const auto used = cidrs({"10.0.0.0/24", "10.0.1.8/29"});
  EXPECT_EQ(choose_subnet(pools, used).error().kind, ErrorKind::kExhausted);
}

TEST(ChooseSubnet, TakesUsedInterfaceAddressesForTheirNetworks) {
  const Pool pools[] = {pool("base=10.0.0.0/16,size=24")};
  EXPECT_EQ(choose_subnet(pools, cidrs({"10.0.0.77/24"})).value(), cidr("10.0.1.0/24"));
}

TEST(ChooseSubnet, DefaultRoutesClaimNothing) {
  EXPECT_EQ(choose_subnet(default_pools(), cidrs({"0.0.0.0/0", "::/0"})).value(),
            cidr("172.17.0.0/16"));
}

TEST(ChooseSubnet, ARouteThatContainsWholePoolsSaysNothingOfThem) {
  const auto tunnel = cidrs({"0.0.0.0/1", "128.0.0.0/1"});
  EXPECT_EQ(choose_subnet(default_pools(), {}, tunnel).value(), cidr("172.17.0.0/16"));
  EXPECT_EQ(choose_subnet(default_pools(), cidrs({"172.17.0.0/16"}), tunnel).value(),
            cidr("172.18.0.0/16"));
  const Pool pools[] = {pool("base=fd00:1::/48,size=64")};
  EXPECT_EQ(choose_subnet(pools, {}, cidrs({"::/1", "8000::/1"})).value(), cidr("fd00:1::/64"));
}

TEST(ChooseSubnet, AWideRouteIsAvoidedWhereThatIsPossible) {
  const auto site = cidrs({"172.16.0.0/12"});
  EXPECT_EQ(choose_subnet(default_pools(), {}, site).value(), cidr("192.168.0.0/20"));
  // Both contain pools, and one says less of them.
  const auto both = cidrs({"0.0.0.0/1", "128.0.0.0/1", "172.16.0.0/12"});
  EXPECT_EQ(choose_subnet(default_pools(), {}, both).value(), cidr("192.168.0.0/20"));
  EXPECT_EQ(choose_subnet(default_pools(), cidrs({"192.168.0.0/16"}), both).value(),
            cidr("172.17.0.0/16"));
}

TEST(ChooseSubnet, ARouteInsideOfAPoolOrAsLargeIsKeptClearOf) {
  const Pool pools[] = {pool("base=10.0.0.0/8,size=16")};
  EXPECT_EQ(choose_subnet(pools, {}, cidrs({"0.0.0.0/1", "10.0.0.0/9", "10.128.7.0/24"})).value(),
            cidr("10.129.0.0/16"));
  EXPECT_EQ(choose_subnet(pools, {}, cidrs({"10.0.0.0/8"})).error().kind, ErrorKind::kExhausted);
}

TEST(ChooseSubnet, WhatIsTakenIsNeverPassedOver) {
  const Pool pools[] = {pool("base=10.1.0.0/16,size=24")};
  EXPECT_EQ(choose_subnet(pools, cidrs({"10.0.0.0/8"})).error().kind, ErrorKind::kExhausted);
}

TEST(ChooseSubnet, FamiliesDoNotMeet) {
  const Pool pools[] = {pool("base=fd00::/16,size=64")};
  EXPECT_EQ(choose_subnet(pools, cidrs({"10.0.0.0/8", "fd00::/64"})).value(),
            cidr("fd00:0:0:1::/64"));
}

TEST(ChooseSubnet, ExhaustedSaysHowToAddPools) {
  const Pool pools[] = {pool("base=10.0.0.0/24,size=24"), pool("base=10.1.0.0/24,size=24")};
  const auto chosen = choose_subnet(pools, cidrs({"10.0.0.0/8"}));
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(
      chosen.error().message,
      "no free subnet: every block of the address pools (10.0.0.0/24, 10.1.0.0/24) overlaps a "
      "network or a route of this host: name a --subnet, or add a pool, as in "
      "--default-address-pool base=10.64.0.0/10,size=24");
}

TEST(ChooseSubnet, NoPoolsAreExhaustedToo) {
  EXPECT_EQ(choose_subnet({}, {}).error().kind, ErrorKind::kExhausted);
}

// 4 million blocks, all but the last one taken by one prefix, and 10,000 prefixes beside it: a walk
// from block to block would compare 4e10 times.
TEST(ChooseSubnet, DoesNotWalkFromBlockToBlock) {
  const Pool pools[] = {pool("base=10.0.0.0/8,size=30")};
  auto used = cidrs({"10.0.0.0/9", "10.128.0.0/10", "10.192.0.0/11"});
  const auto first = Ip::v4(10, 224, 0, 0).number();
  for (int i = 0; i < 10'000; ++i)
    used.emplace_back(Ip::from_number(Ip::Family::kV4, first + 4 * i), 30);
  std::ranges::reverse(used);
  const auto begin = std::chrono::steady_clock::now();
  const auto chosen = choose_subnet(pools, used);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_EQ(chosen.value(), Cidr(Ip::from_number(Ip::Family::kV4, first + 4 * 10'000), 30));
}

// Against a model that tries every block of every pool.
RC_GTEST_PROP(ChooseSubnet, IsTheFirstBlockThatOverlapsNothing, ()) {
  const bool v4 = *rc::gen::arbitrary<bool>();
  const auto origin = v4 ? Ip::v4(10, 0, 0, 0) : Ip::parse("fd00::ff:0").value();
  const auto prefix_of = [&](int host_bits) { return origin.bits() - host_bits; };
  // Everything lies in the 4096 addresses from origin on.
  const auto network = [&](int host_bits) {
    const auto offset = *rc::gen::inRange<std::uint32_t>(0, 4096);
    return Cidr(Ip::from_number(origin.family(), origin.number() + offset), prefix_of(host_bits))
        .network();
  };
  std::vector<Pool> pools;
  for (int i = *rc::gen::inRange(1, 4); i > 0; --i) {
    const auto host_bits = *rc::gen::inRange(4, 11);
    pools.push_back({network(host_bits), prefix_of(*rc::gen::inRange(2, host_bits + 1))});
  }
  std::vector<Cidr> used;
  for (int i = *rc::gen::inRange(0, 60); i > 0; --i)
    used.push_back(network(*rc::gen::inRange(0, 9)));

  std::optional<Cidr> expected;
  for (const auto& each : pools) {
    const auto step = Uint128{1} << (origin.bits() - each.size);
    for (auto at = each.base.first().number(); !expected && at <= each.base.last().number();
         at += step) {
      const Cidr block(Ip::from_number(origin.family(), at), each.size);
      if (std::ranges::none_of(used, [&](const Cidr& other) { return other.overlaps(block); }))
        expected = block;
    }
  }
  const auto chosen = choose_subnet(pools, used);
  RC_CLASSIFY(!expected, "exhausted");
  RC_ASSERT(chosen.has_value() == expected.has_value());
  if (chosen) RC_ASSERT(chosen->str() == expected->str());
}

}  // namespace
}  // namespace berth::ipam
