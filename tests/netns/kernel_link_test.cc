// Links and the netlink socket against the real kernel.
#include "kernel/netlink/link.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>

#include "kernel_test_ns.h"

namespace berth::kernel {
namespace {

using testing::ifname;
using testing::must;
using testing::TestNs;

const Mac kMac({0x02, 0x42, 0xc0, 0xa8, 0x64, 0x01});
const Mac kPeerMac({0x02, 0x42, 0xc0, 0xa8, 0x64, 0x02});

VethSpec veth(std::string_view name, std::string_view peer) {
  return {.name = ifname(name), .peer = {.name = ifname(peer)}};
}

TEST(Link, BridgeIsMadeComplete) {
  TestNs ns;
  must(ns.route.request(add_bridge({.name = ifname("br0"), .mac = kMac, .mtu = 1450})));
  const auto link = ns.link("br0");
  EXPECT_GT(link.index, 0);
  EXPECT_EQ(link.kind, "bridge");
  EXPECT_EQ(link.mac, kMac);
  EXPECT_EQ(link.mtu, 1450U);
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.master, 0);
  EXPECT_FALSE(link.isolated);
}

TEST(Link, BridgeCanBeMadeDown) {
  TestNs ns;
  must(ns.route.request(add_bridge({.name = ifname("br0"), .up = false})));
  EXPECT_FALSE(ns.link("br0").up);
}

// What add_bridge's comment says of the MTU.
TEST(Link, BridgeMtuFollowsItsPortsUntilPinned) {
  TestNs ns;
  must(ns.route.request(add_bridge({.name = ifname("br0"), .mtu = 1400})));
  const auto join = [&](std::uint32_t mtu) {
    auto spec = veth("v0", "p0");
    spec.mtu = mtu;
    spec.master = ns.link("br0").index;
    must(ns.route.request(add_veth(spec)));
  };
  join(1300);
  EXPECT_EQ(ns.link("br0").mtu, 1300U);
  must(ns.route.request(delete_link(ifname("v0"))));
  EXPECT_EQ(ns.link("br0").mtu, 1500U);
  must(ns.route.request(set_link_mtu(ifname("br0"), 1400)));
  join(1300);
  EXPECT_EQ(ns.link("br0").mtu, 1400U);
}

TEST(Link, VethIsBornCompleteInBothNamespaces) {
  TestNs host;
  TestNs container;
  must(host.route.request(add_bridge({.name = ifname("br0")})));
  const auto bridge = host.link("br0").index;
  must(host.route.request(add_veth({.name = ifname("veth3a9f00"),
                                    .mac = kMac,
                                    .mtu = 1400,
                                    .master = bridge,
                                    .group = 7,
                                    .peer = {.name = ifname("eth0"),
                                             .mac = kPeerMac,
                                             .mtu = 1400,
                                             .netns_fd = container.netns.fd()}})));
  const auto near = host.link("veth3a9f00");
  EXPECT_EQ(near.kind, "veth");
  EXPECT_EQ(near.mac, kMac);
  EXPECT_EQ(near.mtu, 1400U);
  EXPECT_EQ(near.master, bridge);
  EXPECT_EQ(near.group, 7U);
  EXPECT_TRUE(near.up);
  EXPECT_EQ(near.isolated, false);
  EXPECT_EQ(near.peer_netnsid, must(netns_id(host.route, container.netns)));
  EXPECT_GE(near.peer_netnsid, 0);

  const auto far = container.link("eth0");
  EXPECT_EQ(far.index, near.peer_index);
  EXPECT_EQ(far.mac, kPeerMac);
  EXPECT_EQ(far.mtu, 1400U);
  EXPECT_EQ(far.master, 0);
  EXPECT_FALSE(far.up);
  EXPECT_EQ(far.peer_index, near.index);
}

// Else a kernel worker sees to it: to a carrier that comes at its next turn, to one that goes within a
// second if both ends have the same index (linkwatch_urgent_event in net/core/link_watch.c).
TEST(Link, ABridgePortForwardsAsSoonAsItsCarrierIsAskedFor) {
  TestNs host, container;
  must(host.route.request(add_bridge({.name = ifname("br0")})));
  must(container.route.request(add_bridge({.name = ifname("br0")})));
  auto spec = veth("v0", "eth0");
  spec.master = host.link("br0").index;
  spec.peer.netns_fd = container.netns.fd();
  must(host.route.request(add_veth(spec)));
  const auto forwarding = [&] {  // not by find_link, which has the kernel look at the carrier, too
    for (const auto& link : must(list_links(host.route)))
      if (link.name == spec.name) return link.forwarding;
    return false;
  };
  for (int i = 0; i < 3; ++i) {
    must(container.route.request(set_link_up(spec.peer.name, true)));
    must(sync_carrier(host.route, spec.name));
    EXPECT_TRUE(forwarding());
    must(container.route.request(set_link_up(spec.peer.name, false)));
    must(sync_carrier(host.route, spec.name));
    EXPECT_FALSE(forwarding());
  }
  must(sync_carrier(host.route, ifname("gone")));
}

TEST(Link, IndexByName) {
  TestNs ns;
  must(ns.route.request(add_bridge({.name = ifname("a-name-of-15byt")})));
  EXPECT_EQ(must(link_index(ns.route, ifname("a-name-of-15byt"))),
            ns.link("a-name-of-15byt").index);
  EXPECT_EQ(must(link_index(ns.route, ifname("none0"))), std::nullopt);
}

TEST(Link, VethWithinOneNamespaceAndDown) {
  TestNs ns;
  auto spec = veth("v0", "p0");
  spec.up = false;
  must(ns.route.request(add_veth(spec)));
  EXPECT_FALSE(ns.link("v0").up);
  EXPECT_EQ(ns.link("p0").peer_netnsid, std::nullopt);
}

TEST(Link, FindsByNameAndIndexOrNothing) {
  TestNs ns;
  const auto lo = must(find_link(ns.route, 1));
  ASSERT_TRUE(lo);
  EXPECT_EQ(lo->name.str(), "lo");
  EXPECT_EQ(ns.link("lo").index, 1);
  EXPECT_FALSE(must(find_link(ns.route, ifname("none0"))));
  EXPECT_FALSE(must(find_link(ns.route, 4711)));
}

// All in one batch: none of it needs an index that the kernel has yet to choose.
TEST(Link, SettersChangeALinkByName) {
  TestNs ns;
  must(ns.route.request(add_bridge({.name = ifname("br0")})));
  const auto bridge = ns.link("br0").index;
  auto spec = veth("v0", "p0");
  spec.up = false;
  const auto name = spec.name;
  std::vector<Request> requests;
  requests.push_back(add_veth(spec));
  requests.push_back(set_link_master(name, bridge));
  requests.push_back(set_port_isolated(name, true));
  requests.push_back(set_link_up(name, true));
  requests.push_back(set_link_mtu(name, 1280));
  requests.push_back(set_link_group(name, 9));
  for (const auto& result : ns.route.batch(requests)) must(result);

  const auto link = ns.link("v0");
  EXPECT_EQ(link.master, bridge);
  EXPECT_EQ(link.isolated, true);
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.mtu, 1280U);
  EXPECT_EQ(link.group, 9U);

  must(ns.route.request(set_port_isolated(name, false)));
  EXPECT_EQ(ns.link("v0").isolated, false);
  must(ns.route.request(set_link_up(name, false)));
  EXPECT_FALSE(ns.link("v0").up);
  must(ns.route.request(set_link_master(name, 0)));
  EXPECT_EQ(ns.link("v0").master, 0);
}

TEST(Link, DeletingAVethTakesItsPeerAlong) {
  TestNs host;
  TestNs container;
  auto spec = veth("v0", "eth0");
  spec.peer.netns_fd = container.netns.fd();
  must(host.route.request(add_veth(spec)));
  must(host.route.request(delete_link(spec.name)));
  EXPECT_FALSE(must(find_link(host.route, spec.name)));
  EXPECT_FALSE(must(find_link(container.route, spec.peer.name)));
}

TEST(Link, DeletesAGroupAtOnceAndNothingElse) {
  constexpr int kCount = 50;
  TestNs host;
  TestNs container;
  const auto count_links = [](TestNs& ns) { return must(list_links(ns.route)).size(); };
  const auto before = count_links(host);  // lo, and what some kernels add to every namespace
  std::vector<Request> requests;
  for (int i = 0; i < kCount; ++i) {
    auto spec = veth(fmt::format("v{}", i), fmt::format("p{}", i));
    spec.group = 77;
    spec.peer.netns_fd = container.netns.fd();
    requests.push_back(add_veth(spec));
  }
  requests.push_back(add_veth(veth("other0", "other1")));
  for (const auto& result : host.route.batch(requests)) must(result);
  ASSERT_EQ(count_links(host), before + kCount + 2);
  ASSERT_EQ(count_links(container), before + kCount);

  const auto begin = std::chrono::steady_clock::now();
  must(host.route.request(delete_link_group(77)));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  fmt::print("  {} veth pairs deleted by their group in {:.1f} ms\n", kCount, took.count());
  EXPECT_EQ(count_links(host), before + 2) << "the other pair stays";
  EXPECT_EQ(count_links(container), before);

  const auto again = host.route.request(delete_link_group(77));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(host.route.request(delete_link_group(0))) << "where every other link is";
}

TEST(Link, ErrorsCarryTheKernelsSentence) {
  TestNs ns;
  must(ns.route.request(add_veth(veth("v0", "p0"))));
  const auto refused = ns.route.request(set_link_mtu(ifname("v0"), 10));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "set link v0 mtu 10: Invalid argument (kernel: mtu less than device minimum)");
  EXPECT_EQ(refused.error().sys, EINVAL);

  const auto twice = ns.route.request(add_veth(veth("v0", "p1")));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, ErrorKind::kExists);
  EXPECT_EQ(twice.error().message, "add link v0 (veth, peer p1): File exists");
}

TEST(Link, PermissionErrorsNameTheCapability) {
  TestNs ns;
  testing::without_capabilities([&] {
    const auto refused = ns.route.request(add_bridge({.name = ifname("br0")}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kPermission);
    EXPECT_NE(refused.error().message.find("CAP_NET_ADMIN"), std::string::npos)
        << refused.error().message;
  });
}

TEST(Socket, ABatchGoesOnPastAFailure) {
  TestNs ns;
  std::vector<Request> requests;
  requests.push_back(add_bridge({.name = ifname("br0")}));
  requests.push_back(delete_link(ifname("none0")));
  requests.push_back(add_bridge({.name = ifname("br1")}));
  const auto results = ns.route.batch(requests);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_TRUE(results[0]);
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].error().message, "delete link none0: No such device");
  EXPECT_TRUE(results[2]);
  EXPECT_EQ(ns.link("br1").kind, "bridge");
}

// Far more answers than the receive buffer has room for.
TEST(Socket, SplitsALargeBatch) {
  TestNs ns;
  must(ns.route.request(add_bridge({.name = ifname("br0")})));
  std::vector<Request> requests;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    // Every third is refused, with a sentence: the largest kind of answer.
    requests.push_back(set_link_mtu(ifname("br0"), i % 3 == 0 ? 10 : 1000 + i));
  }
  const auto results = ns.route.batch(requests);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_EQ(results[i].has_value(), i % 3 != 0) << i;
    if (!results[i]) {
      ASSERT_EQ(results[i].error().sys, EINVAL) << results[i].error().message;
    }
  }
  EXPECT_EQ(ns.link("br0").mtu, 2999U);
}

TEST(Socket, SaysSoWhenAnswersAreLostAndGoesOn) {
  TestNs ns;
  const int tiny = 1;  // the kernel makes it its minimum: room for a few answers
  ASSERT_EQ(setsockopt(ns.route.fd(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny), 0);
  std::vector<Request> requests;
  // Each of these is answered, since it fails.
  for (int i = 0; i < 59; ++i) requests.push_back(delete_link(ifname("none0")));
  requests.push_back(set_link_up(ifname("lo"), true));
  int lost = 0;
  for (const auto& result : ns.route.batch(requests)) {
    ASSERT_FALSE(result);
    if (result.error().sys != ENOBUFS) continue;
    ++lost;
    EXPECT_TRUE(result.error().message.ends_with(
        ": the kernel's answer was lost: No buffer space available"))
        << result.error().message;
  }
  EXPECT_GT(lost, 0);
  EXPECT_LT(lost, 60);
  EXPECT_TRUE(ns.link("lo").up);
}

// Links come and go meanwhile, so that dumps are interrupted; those that stay are all in each.
TEST(Socket, DumpsAreConsistentWhileLinksChange) {
  constexpr int kStay = 100;  // pairs; enough that a dump takes several reads
  TestNs ns;
  std::vector<Request> requests;
  for (int i = 0; i < kStay; ++i)
    requests.push_back(add_veth(veth(fmt::format("v{}", i), fmt::format("p{}", i))));
  for (const auto& result : ns.route.batch(requests)) must(result);

  std::atomic<bool> stop = false;
  std::thread changer([&] {
    auto socket = must(open_socket_in(ns.netns, NETLINK_ROUTE));
    while (!stop) {
      must(socket.request(add_bridge({.name = ifname("br0"), .up = false})));
      must(socket.request(delete_link(ifname("br0"))));
    }
  });
  for (int i = 0; i < 50; ++i) {
    const auto links = list_links(ns.route);
    if (!links) {
      EXPECT_EQ(links.error().sys, EINTR) << links.error().message;
      continue;
    }
    EXPECT_EQ(std::ranges::count(*links, "veth", &LinkInfo::kind), 2 * kStay);
  }
  stop = true;
  changer.join();
}

}  // namespace
}  // namespace berth::kernel
