// Bridge ports against the real kernel: locks, addresses behind them, VLANs.
#include "kernel/netlink/bridge.h"

#include <algorithm>

#include "kernel/netlink/link.h"
#include "kernel_test_ns.h"

namespace berth::kernel {
namespace {

using testing::ifname;
using testing::must;
using testing::TestNs;

const Mac kMac({0x02, 0x42, 0xc0, 0xa8, 0x64, 0x02});

// A bridge br0 with the port v0.
struct WithBridge : TestNs {
  WithBridge() {
    must(route.request(add_bridge({.name = ifname("br0")})));
    VethSpec spec{.name = ifname("v0"), .peer = {.name = ifname("p0")}};
    spec.master = link("br0").index;
    must(route.request(add_veth(spec)));
  }
};

TEST(BridgePort, IsLockedToTheAddressesBehindIt) {
  WithBridge ns;
  EXPECT_FALSE(ns.link("v0").locked);
  must(ns.route.request(set_port_locked(ifname("v0"))));
  EXPECT_TRUE(ns.link("v0").locked);
  const int port = ns.link("v0").index;
  must(ns.route.request(add_fdb_entry(port, kMac)));
  const auto entries = must(list_fdb(ns.route));
  EXPECT_TRUE(std::ranges::any_of(entries, [&](const FdbEntry& entry) {
    return entry.port == port && entry.mac == kMac && entry.fixed;
  }));
  EXPECT_EQ(ns.route.request(add_fdb_entry(port, kMac)).error().kind, ErrorKind::kExists);
}

TEST(BridgePort, HasVlansWhereTheKernelKnowsThem) {
  WithBridge ns;
  const auto bridge = ns.link("br0");
  const int port = ns.link("v0").index;
  const auto filtering = ns.route.request(set_vlan_filtering(ifname("br0"), true));
  if (!bridge.default_vlan) {
    EXPECT_EQ(filtering.error().kind, ErrorKind::kUnsupported);
    EXPECT_EQ(ns.route.request(add_port_vlan(port, 10, false)).error().kind,
              ErrorKind::kUnsupported);
    EXPECT_TRUE(must(list_port_vlans(ns.route)).empty());
    GTEST_SKIP() << "this kernel's bridges know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)";
  }
  must(filtering);
  EXPECT_TRUE(ns.link("br0").filters_vlans);
  EXPECT_EQ(bridge.default_vlan, 1);
  for (const auto& [index, self] : {std::pair{port, false}, std::pair{bridge.index, true}}) {
    must(ns.route.request(add_port_vlan(index, 10, self)));
    must(ns.route.request(delete_port_vlan(index, 1, self)));
    must(ns.route.request(delete_port_vlan(index, 1, self)));
    const auto vlans = must(list_port_vlans(ns.route));
    const auto of_port = [&](std::uint16_t vlan) {
      return std::ranges::find_if(
          vlans, [&](const PortVlan& each) { return each.port == index && each.vlan == vlan; });
    };
    EXPECT_EQ(of_port(1), vlans.end());
    ASSERT_NE(of_port(10), vlans.end());
    EXPECT_TRUE(of_port(10)->access);
  }
}

// Asking makes nothing.
TEST(Vrf, IsKnownOrNot) {
  TestNs ns;
  const auto before = must(list_links(ns.route)).size();
  (void)must(has_vrf(ns.route));
  EXPECT_EQ(must(list_links(ns.route)).size(), before);
}

}  // namespace
}  // namespace berth::kernel
