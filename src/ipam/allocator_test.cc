#include "ipam/allocator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "base/result.h"

namespace berth::ipam {
namespace {

Ip ip(std::string_view text) {
  return Ip::parse(text).value();
}
Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

// The store's leases, and how many of them were looked at.
struct Leases {
  std::set<Ip> taken;
  std::size_t visits = 0;

  TakenFrom from() {
    return [this](const Ip& first, const std::function<bool(const Ip&)>& visit) -> Status {
      for (auto at = taken.lower_bound(first); at != taken.end(); ++at) {
        ++visits;
        if (!visit(*at)) break;
      }
      return {};
    };
  }
};

Subnet subnet(std::string_view block) {
  return complete_subnet({cidr(block), {}, {}, {}}).value();
}

TEST(FirstFree, IsTheLowestThatNothingHolds) {
  const auto network = complete_subnet({cidr("10.0.0.0/24"), {}, {}, {{"nas", ip("10.0.0.3")}}});
  Leases leases{{ip("10.0.0.2"), ip("10.0.0.5")}};
  EXPECT_EQ(first_free(*network, {}, leases.from()).value(), ip("10.0.0.4"));
}

TEST(FirstFree, StaysInTheRange) {
  const auto network = complete_subnet({cidr("10.0.0.0/16"), cidr("10.0.5.0/30"), {}, {}}).value();
  Leases leases;
  for (const auto* expected : {"10.0.5.0", "10.0.5.1", "10.0.5.2", "10.0.5.3"}) {
    const auto given = first_free(network, {}, leases.from()).value();
    EXPECT_EQ(given, ip(expected));
    leases.taken.insert(given);
  }
  leases.taken.insert(ip("10.0.9.9"));  // by --ip, outside the range
  EXPECT_EQ(
      first_free(network, {}, leases.from()).error().message,
      "range 10.0.5.0/30 of subnet 10.0.0.0/16 has no free address: all 4 that containers can "
      "have are taken: remove a container, or make the network with a larger range");
}

TEST(FirstFree, ExhaustedSaysHowManyAddressesThereAre) {
  Leases leases{{ip("10.0.0.2")}};
  const auto given = first_free(subnet("10.0.0.0/30"), {}, leases.from());
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(given.error().message,
            "subnet 10.0.0.0/30 has no free address: all 1 that containers can have are taken: "
            "remove a container, or make the network with a larger subnet");
}

TEST(FirstFree, WorksAtTheEndOfTheAddressSpace) {
  Leases leases;
  EXPECT_EQ(first_free(subnet("255.255.255.252/30"), {}, leases.from()).value(),
            ip("255.255.255.254"));
  leases.taken.insert(ip("255.255.255.254"));
  EXPECT_EQ(first_free(subnet("255.255.255.252/30"), {}, leases.from()).error().kind,
            ErrorKind::kExhausted);
}

TEST(FirstFree, PassesOnTheErrorOfTheLeases) {
  const TakenFrom broken = [](const Ip&, const auto&) -> Status {
    return fail(ErrorKind::kCorrupt, "unreadable");
  };
  EXPECT_EQ(first_free(subnet("10.0.0.0/24"), {}, broken).error().message, "unreadable");
}

TEST(FirstFree, FillingASubnetWithTheHintTakesTwoVisitsAnAddress) {
  const auto network = subnet("10.0.0.0/18");
  const auto count = static_cast<std::size_t>(usable_addresses(network));
  Leases leases;
  std::optional<Ip> hint;
  while (leases.taken.size() < count) {
    hint = first_free(network, hint, leases.from()).value();
    ASSERT_TRUE(leases.taken.insert(*hint).second) << hint->str();
  }
  EXPECT_LE(leases.visits, 2 * count);
  EXPECT_FALSE(first_free(network, hint, leases.from()));
}

TEST(FirstFree, AHintPastTheRangeMeansThatAllIsTaken) {
  const auto network = complete_subnet({cidr("10.0.0.0/16"), cidr("10.0.5.0/24"), {}, {}}).value();
  Leases leases;
  EXPECT_EQ(first_free(network, ip("10.0.6.0"), leases.from()).error().kind, ErrorKind::kExhausted);
}

TEST(UsableAddresses, CountsWhatTheGatewayAndOthersLeave) {
  EXPECT_EQ(usable_addresses(subnet("10.0.0.0/24")), 253);
  EXPECT_EQ(usable_addresses(subnet("fd00::/120")), 254);
  EXPECT_EQ(usable_addresses(subnet("fd00::/64")), (Uint128{1} << 64) - 2);
}

TEST(CheckStatic, TakesHostsInsideAndOutsideTheRange) {
  const auto network = complete_subnet({cidr("10.0.0.0/16"), cidr("10.0.5.0/24"), {}, {}}).value();
  EXPECT_TRUE(check_static(network, ip("10.0.5.7")));
  EXPECT_TRUE(check_static(network, ip("10.0.200.7")));
}

TEST(CheckStatic, RefusesWhatNoContainerCanHave) {
  const auto network =
      complete_subnet({cidr("10.0.0.0/24"), {}, {}, {{"nas", ip("10.0.0.9")}}}).value();
  const auto refusal = [&](std::string_view text) {
    return check_static(network, ip(text)).error();
  };
  EXPECT_EQ(refusal("10.0.1.1").message,
            "address 10.0.1.1 is outside subnet 10.0.0.0/24: it has to be one of its addresses");
  EXPECT_EQ(refusal("fd00::1").kind, ErrorKind::kInvalid);
  EXPECT_EQ(refusal("10.0.0.0").kind, ErrorKind::kInvalid);
  EXPECT_EQ(refusal("10.0.0.255").kind, ErrorKind::kInvalid);
  EXPECT_EQ(refusal("10.0.0.1").kind, ErrorKind::kInUse);
  EXPECT_EQ(
      refusal("10.0.0.1").message,
      "address 10.0.0.1 is the gateway of subnet 10.0.0.0/24: give the container another one");
  EXPECT_EQ(refusal("10.0.0.9").kind, ErrorKind::kInUse);
  EXPECT_EQ(
      refusal("10.0.0.9").message,
      "address 10.0.0.9 is kept for the auxiliary address nas of subnet 10.0.0.0/24: give the "
      "container another one");
}

// A subnet of up to 64 addresses with a random range, gateway and auxiliary addresses.
Subnet arbitrary_subnet() {
  const auto origin = *rc::gen::arbitrary<bool>() ? ip("10.0.0.0") : ip("fd00::");
  const int host_bits = *rc::gen::inRange(2, 7);
  const auto some_ip = [&] {
    const auto offset = *rc::gen::inRange(0, 1 << host_bits);
    return Ip::from_number(origin.family(), origin.number() + offset);
  };
  SubnetRequest request{Cidr(origin, origin.bits() - host_bits), {}, {}, {}};
  if (*rc::gen::arbitrary<bool>()) {
    const auto [first, last] = std::minmax({some_ip(), some_ip()});  // of values, not references
    request.range = IpRange::parse(first.str() + "-" + last.str()).value();
  }
  if (*rc::gen::arbitrary<bool>()) request.gateway = some_ip();
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
    request.aux.emplace(fmt::format("a{}", i), some_ip());
  const auto completed = complete_subnet(request);
  RC_PRE(completed.has_value());
  return *completed;
}

// The model: every address that first_free() may give out, written down one by one.
std::set<Ip> all_usable(const Subnet& network) {
  std::set<Ip> usable;
  const IpRange block = network.range.value_or(network.cidr);
  for (auto at = block.first().number(); at <= block.last().number(); ++at)
    usable.insert(Ip::from_number(block.first().family(), at));
  usable.erase(network.cidr.first());
  if (network.cidr.ip().is_v4()) usable.erase(network.cidr.last());
  if (network.gateway) usable.erase(*network.gateway);
  for (const auto& [name, address] : network.aux) usable.erase(address);
  return usable;
}

// Allocations, static addresses and releases in any order, with the hint kept as the header says.
RC_GTEST_PROP(FirstFree, AgreesWithASetOfAllAddresses, ()) {
  const auto network = arbitrary_subnet();
  auto free = all_usable(network);
  Leases leases;
  std::optional<Ip> hint;
  for (int steps = *rc::gen::inRange(0, 120); steps > 0; --steps) {
    const int kind = *rc::gen::weightedElement<int>({{5, 0}, {2, 1}, {1, 2}});
    if (kind == 0) {
      const auto given = first_free(network, hint, leases.from());
      RC_ASSERT(given.has_value() == !free.empty());
      if (!given) continue;
      RC_ASSERT(given->str() == free.begin()->str());
      free.erase(*given);
      leases.taken.insert(*given);
      hint = *given;
    } else if (kind == 1 && !leases.taken.empty()) {
      const auto released = *rc::gen::elementOf(leases.taken);
      leases.taken.erase(released);
      if (all_usable(network).contains(released)) free.insert(released);
      if (hint) hint = std::min(*hint, released);
    } else if (kind == 2) {
      const auto size = 1 << (network.cidr.ip().bits() - network.cidr.prefix());
      const auto wanted = Ip::from_number(
          network.cidr.ip().family(), network.cidr.first().number() + *rc::gen::inRange(0, size));
      if (leases.taken.contains(wanted) || !check_static(network, wanted)) continue;
      leases.taken.insert(wanted);
      free.erase(wanted);
    }
  }
}

RC_GTEST_PROP(UsableAddresses, AgreesWithASetOfAllAddresses, ()) {
  const auto network = arbitrary_subnet();
  RC_ASSERT(usable_addresses(network) == all_usable(network).size());
}

RC_GTEST_PROP(CheckStatic, TakesWhatASubnetWithoutARangeWouldGiveOut, ()) {
  auto network = arbitrary_subnet();
  const auto block = network.cidr;
  network.range.reset();
  const auto usable = all_usable(network);
  // One address more on either side.
  for (auto at = block.first().number() - 1; at <= block.last().number() + 1; ++at) {
    const auto address = Ip::from_number(block.ip().family(), at);
    RC_ASSERT(check_static(network, address).has_value() == usable.contains(address));
  }
}

}  // namespace
}  // namespace berth::ipam
