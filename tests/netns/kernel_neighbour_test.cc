// Asking and telling neighbours against the real kernel: two namespaces joined by a veth.
#include <net/ethernet.h>

#include <thread>

#include "berth/announce.h"
#include "kernel/neighbour/packet_socket.h"
#include "kernel/neighbour/who_has.h"
#include "kernel/netlink/address.h"
#include "kernel_test_ns.h"

namespace berth::kernel {
namespace {

using std::chrono::milliseconds;
using testing::cidr;
using testing::ifname;
using testing::ip;
using testing::must;
using testing::TestNs;

constexpr auto kLong = std::chrono::seconds(5);  // for what should come at once

class Neighbours : public ::testing::Test {
 protected:
  Neighbours() {
    std::vector<Request> requests;
    requests.push_back(add_veth(
        {.name = ifname("eth0"), .peer = {.name = ifname("eth0"), .netns_fd = far.netns.fd()}}));
    for (const auto& result : near.route.batch(requests)) must(result);
    must(far.route.request(set_link_up(ifname("eth0"), true)));
    const int index = near.link("eth0").index;
    must(near.route.request(add_address(index, cidr("10.1.0.2/24"))));
    must(near.route.request(add_address(index, cidr("fd00:1::2/64"))));
  }
  [[nodiscard]] Announcement announcement() {
    return {.netns = fmt::format("/proc/self/fd/{}", near.netns.fd()),
            .netns_inode = near.netns.inode(),
            .link = ifname("eth0"),
            .addresses = {ip("10.1.0.2"), ip("fd00:1::2")},
            .count = 2,
            .interval = milliseconds(50)};
  }
  PacketSocket listen_far(std::uint16_t protocol) {
    auto socket =
        must(run_in(far.netns, [&] { return PacketSocket::open(ifname("eth0"), protocol); }));
    must(socket.take_all_multicast());
    return socket;
  }
  // Whether a packet about `address` comes, from the near end.
  bool hears_of(const PacketSocket& socket, const Ip& address) {
    const auto deadline = std::chrono::steady_clock::now() + kLong;
    while (const auto received = socket.receive(deadline))
      if (claims(received->packet, address)) return received->from == near.link("eth0").mac;
    return false;
  }

  TestNs near, far;
};

TEST_F(Neighbours, SayWhoHasAnAddress) {
  const auto asked = [&](const char* address) {
    return must(run_in(far.netns, [&] { return who_has(ifname("eth0"), ip(address)); }));
  };
  EXPECT_EQ(asked("10.1.0.2"), near.link("eth0").mac);
  EXPECT_EQ(asked("fd00:1::2"), near.link("eth0").mac);
  EXPECT_EQ(asked("10.1.0.9"), std::nullopt);
  EXPECT_EQ(asked("fd00:1::9"), std::nullopt);
}

TEST_F(Neighbours, AreToldEachAddressAsOftenAsAskedFor) {
  const auto arp = listen_far(ETH_P_ARP);
  const auto ipv6 = listen_far(ETH_P_IPV6);
  const Announcement said[] = {announcement()};
  must(announce(said));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(hears_of(arp, ip("10.1.0.2")));
    EXPECT_TRUE(hears_of(ipv6, ip("fd00:1::2")));
  }
  EXPECT_FALSE(arp.receive(std::chrono::steady_clock::now() + milliseconds(1)));
}

TEST_F(Neighbours, AreNoLongerToldOnceTheInterfaceIsGone) {
  const auto arp = listen_far(ETH_P_ARP);
  auto said = std::vector{announcement()};
  said[0].count = 1'000'000;
  Status ended;
  std::thread speaker([&] { ended = announce(said); });
  EXPECT_TRUE(hears_of(arp, ip("10.1.0.2")));
  must(near.route.request(delete_link(ifname("eth0"))));
  speaker.join();  // and not after a million
  EXPECT_FALSE(ended);
}

TEST_F(Neighbours, AreNotToldOfAnAddressThatTheInterfaceHasNot) {
  auto said = std::vector{announcement()};
  said[0].addresses = {ip("10.1.0.9")};
  const auto refused = announce(said);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kNotFound);
}

TEST_F(Neighbours, AreToldNothingByAnotherNamespaceUnderTheSamePath) {
  auto said = std::vector{announcement()};
  said[0].netns_inode = far.netns.inode();
  const auto refused = announce(said);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kNotFound);
  said[0].count = 0;
  must(announce(said));
}

}  // namespace
}  // namespace berth::kernel
