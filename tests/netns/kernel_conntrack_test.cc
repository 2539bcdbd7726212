// Tracked flows against the real kernel: UDP from a host to itself, through a DNAT, and to another.
#include "kernel/conntrack/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <set>

#include "base/result.h"
#include "kernel/netlink/address.h"
#include "kernel_test_ns.h"

namespace berth::kernel {
namespace {

using testing::cidr;
using testing::ifname;
using testing::ip;
using testing::must;
using testing::TestNs;

// The host tracks, and what is sent to port 80 of its addresses goes to port 8080 of the server.
constexpr const char* kRules = R"(nft -f - <<'END'
table inet t {
  chain out {
    type nat hook output priority -100;
    ip daddr 10.0.0.1 udp dport 80 dnat ip to 10.0.0.2:8080
    ip6 daddr fd00::1 udp dport 80 dnat ip6 to [fd00::2]:8080
  }
  chain track {
    type filter hook output priority 0;
    ct state new accept
  }
}
END)";

void send_udp(const Ip& to, Port port) {
  const UniqueFd fd(socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(fd);
  if (to.is_v4()) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port)};
    std::ranges::copy(to.bytes(), reinterpret_cast<std::uint8_t*>(&address.sin_addr));
    EXPECT_EQ(
        sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address), 1)
        << std::strerror(errno);
  } else {
    sockaddr_in6 address{.sin6_family = AF_INET6, .sin6_port = htons(port)};
    address.sin6_scope_id = if_nametoindex("c0");  // for link-local ones
    std::ranges::copy(to.bytes(), reinterpret_cast<std::uint8_t*>(&address.sin6_addr));
    EXPECT_EQ(
        sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address), 1)
        << std::strerror(errno);
  }
}

// A flow from 10.0.0.2 port 1000 to 10.0.0.1, told to the kernel rather than sent: not every kernel
// has SCTP sockets.
Request add_sctp_flow(Port port) {
  Message message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL,
                  nfgenmsg{.nfgen_family = AF_INET, .version = NFNETLINK_V0});
  const auto put_tuple = [&](std::uint16_t direction, const char* from, Port from_port,
                             const char* to, Port to_port) {
    const auto tuple = message.nest(direction);
    {
      const auto addresses = message.nest(CTA_TUPLE_IP);
      message.put_ip(CTA_IP_V4_SRC, ip(from));
      message.put_ip(CTA_IP_V4_DST, ip(to));
    }
    {
      const auto protocol = message.nest(CTA_TUPLE_PROTO);
      message.put_u8(CTA_PROTO_NUM, IPPROTO_SCTP);
      message.put_be16(CTA_PROTO_SRC_PORT, from_port);
      message.put_be16(CTA_PROTO_DST_PORT, to_port);
    }
  };
  put_tuple(CTA_TUPLE_ORIG, "10.0.0.2", 1000, "10.0.0.1", port);
  put_tuple(CTA_TUPLE_REPLY, "10.0.0.1", port, "10.0.0.2", 1000);
  message.put_u32(CTA_TIMEOUT, htonl(100));  // seconds
  return {std::move(message), "add an SCTP flow"};
}

class Conntrack : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("nft --version > /dev/null 2>&1") != 0)
      GTEST_SKIP() << "nft, which turns tracking on here, is not installed";
    must(host.route.request(set_link_up(ifname("lo"), true)));
    must(host.route.request(add_veth(
        {.name = ifname("c0"), .peer = {.name = ifname("s0"), .netns_fd = server.netns.fd()}})));
    must(server.route.request(set_link_up(ifname("s0"), true)));
    const auto far = server.link("s0").index;
    must(server.route.request(add_address(far, cidr("10.0.0.2/24"))));
    must(server.route.request(add_address(far, cidr("fd00::2/64"))));
    const auto near = host.link("c0").index;
    must(host.route.request(add_address(near, cidr("10.0.0.1/24"))));
    must(host.route.request(add_address(near, cidr("fd00::1/64"))));
    must(host.route.request(add_address(near, cidr("fe80::1/64"))));
    must(run_in(host.netns, []() -> Status {
      EXPECT_EQ(std::system(kRules), 0);
      for (const char* to : {"10.0.0.1", "10.0.0.2", "127.0.0.1", "fd00::1", "fd00::2", "::1"})
        for (const Port port : {53, 80}) send_udp(ip(to), port);
      send_udp(ip("10.0.0.1"), 5353);
      send_udp(ip("fe80::1"), 53);
      return {};
    }));
    ASSERT_EQ(udp_flows(), all);
  }

  // Where the tracked UDP flows were sent to, sorted.
  [[nodiscard]] std::vector<std::string> udp_flows() {
    std::vector<std::string> flows;
    for (const auto family : {Ip::Family::kV4, Ip::Family::kV6})
      for (const auto& [there, back, id] : must(list_flows(netfilter, family, Protocol::kUdp)))
        flows.push_back(fmt::format("{} {}", there.destination.str(), there.destination_port));
    std::ranges::sort(flows);
    return flows;
  }
  // All but `gone`.
  [[nodiscard]] std::vector<std::string> without(const std::set<std::string>& gone) const {
    auto left = all;
    std::erase_if(left, [&](const std::string& each) { return gone.contains(each); });
    return left;
  }
  void flush(const std::vector<FlowFilter>& filters) {
    must(flush_flows(netfilter, host.route, filters));
  }

  const std::vector<std::string> all{"10.0.0.1 53", "10.0.0.1 5353", "10.0.0.1 80",  "10.0.0.2 53",
                                     "10.0.0.2 80", "127.0.0.1 53",  "127.0.0.1 80", "::1 53",
                                     "::1 80",      "fd00::1 53",    "fd00::1 80",   "fd00::2 53",
                                     "fd00::2 80",  "fe80::1 53"};
  TestNs host;
  TestNs server;
  Socket netfilter = must(open_socket_in(host.netns, NETLINK_NETFILTER));
};

TEST_F(Conntrack, FlowsToOneAddressAndPortAreForgotten) {
  flush({{Protocol::kUdp, ip("10.0.0.1"), 53}, {Protocol::kUdp, ip("fd00::1"), 53}});
  EXPECT_EQ(udp_flows(), without({"10.0.0.1 53", "fd00::1 53"}));
}

TEST_F(Conntrack, FlowsThatWereTranslatedAreForgottenByWhereTheyWereSentTo) {
  flush({{Protocol::kUdp, ip("10.0.0.1"), 80}, {Protocol::kUdp, ip("fd00::1"), 80}});
  EXPECT_EQ(udp_flows(), without({"10.0.0.1 80", "fd00::1 80"}));
}

TEST_F(Conntrack, EveryAddressMeansThoseOfThisHostAndOfOneFamily) {
  flush({{Protocol::kUdp, Ip(), 53}});
  EXPECT_EQ(udp_flows(), without({"10.0.0.1 53", "127.0.0.1 53"}));
  flush({{Protocol::kUdp, ip("::"), 53}});
  EXPECT_EQ(udp_flows(),
            without({"10.0.0.1 53", "127.0.0.1 53", "fd00::1 53", "::1 53", "fe80::1 53"}));
}

TEST_F(Conntrack, FlowsThatPassThroughToAnotherHostAreKept) {
  flush({{Protocol::kUdp, ip("10.0.0.2"), 53}, {Protocol::kUdp, ip("fd00::2"), 80}});
  EXPECT_EQ(udp_flows(), all);
}

TEST_F(Conntrack, ManyPortsAreOneWalkThroughTheTable) {
  std::vector<FlowFilter> filters;
  for (Port port = 1; port <= 2000; ++port) filters.push_back({Protocol::kUdp, ip("::1"), port});
  const auto begin = std::chrono::steady_clock::now();
  flush(filters);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_EQ(udp_flows(), without({"::1 53", "::1 80"}));
}

TEST_F(Conntrack, FlowsOfOneSctpPortAreForgotten) {
  for (const Port port : {80, 443}) must(netfilter.request(add_sctp_flow(port)));
  flush({{Protocol::kSctp, ip("10.0.0.1"), 80}});
  std::vector<Port> left;
  for (const auto& flow : must(list_flows(netfilter, Ip::Family::kV4, Protocol::kSctp)))
    left.push_back(flow.original.destination_port);
  EXPECT_EQ(left, std::vector<Port>{443});
}

TEST_F(Conntrack, OtherProtocolsAndNoMatchAreLeftAlone) {
  flush({});
  flush({{Protocol::kTcp, Ip(), 53},
         {Protocol::kSctp, Ip(), 53},
         {Protocol::kUdp, Ip(), 54},
         {Protocol::kUdp, ip("10.0.0.77"), 53}});
  EXPECT_EQ(udp_flows(), all);
}

TEST_F(Conntrack, OneProtocolsFlowsAreListed) {
  must(netfilter.request(add_sctp_flow(80)));
  const auto of_udp = must(list_flows(netfilter, Ip::Family::kV4, Protocol::kUdp)).size();
  EXPECT_EQ(must(list_flows(netfilter, Ip::Family::kV4)).size(), of_udp + 1);
}

TEST_F(Conntrack, BothDirectionsOfAFlowAreRead) {
  const auto flows = must(list_flows(netfilter, Ip::Family::kV4));
  const auto flow =
      std::ranges::find_if(flows, [](const Flow& some) { return some.reply.source_port == 8080; });
  ASSERT_NE(flow, flows.end());
  EXPECT_EQ(flow->original.source, ip("10.0.0.1"));
  EXPECT_EQ(flow->original.destination, ip("10.0.0.1"));
  EXPECT_EQ(flow->reply.source, ip("10.0.0.2"));
  EXPECT_EQ(flow->reply.destination_port, flow->original.source_port);
  EXPECT_TRUE(flow->id);
}

}  // namespace
}  // namespace berth::kernel
