// Addresses and routes against the real kernel, IPv4 and IPv6 by the same tests.
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "kernel/netlink/address.h"
#include "kernel/netlink/route.h"
#include "kernel_test_ns.h"

namespace berth::kernel {
namespace {

using testing::cidr;
using testing::ifname;
using testing::ip;
using testing::must;
using testing::TestNs;

struct Family {
  const char* label;
  const char* address;  // with the prefix length of the subnet
  const char* subnet;
  const char* gateway;    // in the subnet
  const char* elsewhere;  // a subnet beyond the gateway
  const char* stranger;   // an address that no route leads to
};
constexpr Family kFamilies[] = {
    {"IPv4", "192.168.100.2/24", "192.168.100.0/24", "192.168.100.1", "10.9.0.0/16", "172.31.0.1"},
    {"IPv6", "fd00:100::2/64", "fd00:100::/64", "fd00:100::1", "fd00:9::/48", "fd00:31::1"},
};

class AddressAndRoute : public ::testing::TestWithParam<Family> {
 protected:
  AddressAndRoute() {
    // A pair, both ends up: IPv6 routes need a link with a carrier.
    std::vector<Request> requests;
    requests.push_back(
        add_veth({.name = ifname("eth0"), .group = 5, .peer = {.name = ifname("far0")}}));
    requests.push_back(set_link_up(ifname("far0"), true));
    for (const auto& result : ns.route.batch(requests)) must(result);
    index = ns.link("eth0").index;
  }
  [[nodiscard]] std::vector<Route> routes() {
    return must(list_routes(ns.route, address.ip().family()));
  }
  [[nodiscard]] bool has_route(const Route& route) {
    return std::ranges::count(routes(), route) == 1;
  }

  TestNs ns;
  int index = 0;
  Cidr address = cidr(GetParam().address);
};
INSTANTIATE_TEST_SUITE_P(Kernel, AddressAndRoute, ::testing::ValuesIn(kFamilies),
                         [](const auto& family) { return family.param.label; });

TEST_P(AddressAndRoute, AddressIsAddedReadyForUse) {
  must(ns.route.request(add_address(index, address)));
  const auto found = must(list_addresses(ns.route, index));
  const auto added = std::ranges::find(found, address, &AddressInfo::address);
  ASSERT_NE(added, found.end());
  EXPECT_EQ(added->link_index, index);
  EXPECT_EQ(added->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED), 0U);
  if (address.ip().is_v4()) {
    EXPECT_EQ(added->broadcast, ip("192.168.100.255"));
  } else {
    EXPECT_EQ(added->broadcast, std::nullopt);
  }
}

TEST_P(AddressAndRoute, AddressesAreListedByLink) {
  must(ns.route.request(add_address(index, address)));
  const auto is_added = [&](const AddressInfo& info) { return info.address == address; };
  EXPECT_TRUE(std::ranges::any_of(must(list_addresses(ns.route)), is_added));
  EXPECT_FALSE(
      std::ranges::any_of(must(list_addresses(ns.route, ns.link("far0").index)), is_added));
}

TEST_P(AddressAndRoute, AddressIsStrict) {
  must(ns.route.request(add_address(index, address)));
  const auto twice = ns.route.request(add_address(index, address));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, ErrorKind::kExists);
  EXPECT_TRUE(twice.error().message.starts_with(
      fmt::format("add address {} to the link with index {}: ", address.str(), index)))
      << twice.error().message;

  must(ns.route.request(delete_address(index, address)));
  const auto gone = ns.route.request(delete_address(index, address));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::kNotFound);
}

TEST_P(AddressAndRoute, RoutesAreListedAsTheyWereAdded) {
  must(ns.route.request(add_address(index, address)));
  const auto gateway = ip(GetParam().gateway);
  const auto family = gateway.family();
  const Route everything{.family = family, .gateway = gateway, .link_index = index, .metric = 1024};
  const Route on_link{.family = family,
                      .destination = cidr(GetParam().elsewhere),
                      .link_index = index,
                      .metric = 77};
  const Route nowhere{.family = family,
                      .destination = cidr(GetParam().elsewhere),
                      .metric = 78,
                      .type = RTN_BLACKHOLE};
  must(ns.route.request(add_route(everything)));
  must(ns.route.request(add_route(on_link)));
  must(ns.route.request(add_route(nowhere)));
  EXPECT_TRUE(has_route(nowhere));
  EXPECT_TRUE(has_route(everything));
  EXPECT_TRUE(has_route(on_link));
  EXPECT_EQ(std::ranges::count(routes(), cidr(GetParam().subnet), &Route::destination), 1)
      << "the address's own";

  const auto twice = ns.route.request(add_route(everything));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, ErrorKind::kExists);

  must(ns.route.request(delete_route(everything)));
  must(ns.route.request(delete_route(on_link)));
  must(ns.route.request(delete_route(nowhere)));
  EXPECT_FALSE(has_route(nowhere));
  EXPECT_FALSE(has_route(everything));
  EXPECT_FALSE(has_route(on_link));
  const auto gone = ns.route.request(delete_route(everything));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::kNotFound);
}

TEST_P(AddressAndRoute, OfTwoRoutesThatDifferInTheirMetricTheOneThatIsMeantGoes) {
  const auto family = address.ip().family();
  const Route plain{.family = family,
                    .destination = cidr(GetParam().elsewhere),
                    .metric = default_metric(family),
                    .type = RTN_BLACKHOLE};
  auto better = plain, without = plain;
  better.metric = 7;
  without.metric = 0;
  for (const auto& route : {better, without}) must(ns.route.request(add_route(route)));
  EXPECT_TRUE(has_route(plain));
  must(ns.route.request(delete_route(without)));
  EXPECT_FALSE(has_route(plain));
  EXPECT_TRUE(has_route(better));
}

TEST_P(AddressAndRoute, AGatewayOutOfReachIsRefusedInWords) {
  const auto stranger = ip(GetParam().stranger);
  const auto refused =
      ns.route.request(add_route({.family = stranger.family(), .gateway = stranger}));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("add route default via " + stranger.str() + ": "))
      << refused.error().message;
  if (stranger.is_v4()) {  // of IPv6 the kernel gives the errno only
    EXPECT_TRUE(refused.error().message.ends_with("(kernel: Nexthop has invalid gateway)"))
        << refused.error().message;
  }
}

// Whatever else the kernel keeps in other tables (local, broadcast) is not listed.
TEST_P(AddressAndRoute, OnlyTheMainTableIsListed) {
  must(ns.route.request(add_address(index, address)));
  const Cidr itself(address.ip(), address.ip().bits());
  EXPECT_EQ(std::ranges::count(routes(), itself, &Route::destination), 0);
}

TEST(Route, AFreshNamespaceHasNone) {
  TestNs ns;
  EXPECT_TRUE(must(list_routes(ns.route, Ip::Family::kV4)).empty());
  EXPECT_TRUE(must(list_routes(ns.route, Ip::Family::kV6)).empty());
}

TEST(Address, HasNoBroadcastWhereTheSubnetHasNone) {
  TestNs ns;
  must(ns.route.request(add_address(1, cidr("10.0.0.1/31"))));
  const auto found = must(list_addresses(ns.route, 1));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().broadcast, std::nullopt);
}

}  // namespace
}  // namespace berth::kernel
