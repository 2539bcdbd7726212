// Tracked flows against the real kernel: UDP from one namespace to another, through a DNAT.
#include "kernel/conntrack/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

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

// The client tracks, and what it sends to port 80 of 10.0.0.100 or fd00::100 goes to port 8080 of
// the server.
constexpr const char* kRules = R"(nft -f - <<'END'
table inet t {
  chain out {
    type nat hook output priority -100;
    ip daddr 10.0.0.100 udp dport 80 dnat ip to 10.0.0.2:8080
    ip6 daddr fd00::100 udp dport 80 dnat ip6 to [fd00::2]:8080
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
    std::ranges::copy(to.bytes(), reinterpret_cast<std::uint8_t*>(&address.sin6_addr));
    EXPECT_EQ(
        sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address), 1)
        << std::strerror(errno);
  }
}

// A flow from 10.0.0.1 port 1000 to 10.0.0.2, told to the kernel rather than sent: not every kernel
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
  put_tuple(CTA_TUPLE_ORIG, "10.0.0.1", 1000, "10.0.0.2", port);
  put_tuple(CTA_TUPLE_REPLY, "10.0.0.2", port, "10.0.0.1", 1000);
  message.put_u32(CTA_TIMEOUT, htonl(100));  // seconds
  return {std::move(message), "add an SCTP flow"};
}

// Both ways to flush must do the same.
using Flush = Status (*)(Socket&, const FlowFilter&);
struct Way {
  const char* label;
  Flush flush;
};

class Conntrack : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (std::system("nft --version > /dev/null 2>&1") != 0)
      GTEST_SKIP() << "nft, which turns tracking on here, is not installed";
    must(client.route.request(add_veth(
        {.name = ifname("c0"), .peer = {.name = ifname("s0"), .netns_fd = server.netns.fd()}})));
    must(server.route.request(set_link_up(ifname("s0"), true)));
    const auto far = server.link("s0").index;
    must(server.route.request(add_address(far, cidr("10.0.0.2/24"))));
    must(server.route.request(add_address(far, cidr("fd00::2/64"))));
    const auto near = client.link("c0").index;
    must(client.route.request(add_address(near, cidr("10.0.0.1/24"))));
    must(client.route.request(add_address(near, cidr("fd00::1/64"))));
    must(run_in(client.netns, []() -> Status {
      EXPECT_EQ(std::system(kRules), 0);
      send_udp(ip("10.0.0.2"), 53);
      send_udp(ip("10.0.0.2"), 5353);
      send_udp(ip("10.0.0.3"), 53);
      send_udp(ip("10.0.0.100"), 80);
      send_udp(ip("fd00::2"), 53);
      send_udp(ip("fd00::2"), 5353);
      send_udp(ip("fd00::3"), 53);
      send_udp(ip("fd00::100"), 80);
      return {};
    }));
    ASSERT_EQ(udp_flows(), (std::vector<std::string>{"10.0.0.100:80", "10.0.0.2:53",
                                                     "10.0.0.2:5353", "10.0.0.3:53", "fd00::100:80",
                                                     "fd00::2:53", "fd00::2:5353", "fd00::3:53"}));
  }

  // Where the tracked flows were sent to, sorted.
  [[nodiscard]] std::vector<std::string> udp_flows() {
    std::vector<std::string> flows;
    for (const auto& flow : must(list_flows(netfilter))) {
      if (flow.original.protocol == IPPROTO_UDP)
        flows.push_back(
            fmt::format("{}:{}", flow.original.destination.str(), flow.original.destination_port));
    }
    std::ranges::sort(flows);
    return flows;
  }
  void flush(const FlowFilter& filter) { must(GetParam().flush(netfilter, filter)); }

  TestNs client;
  TestNs server;
  Socket netfilter = must(open_socket_in(client.netns, NETLINK_NETFILTER));
};
INSTANTIATE_TEST_SUITE_P(Kernel, Conntrack,
                         ::testing::Values(Way{"InTheKernel", &flush_flows},
                                           Way{"OneByOne", &flush_flows_one_by_one}),
                         [](const auto& way) { return way.param.label; });

TEST_P(Conntrack, ByDestinationAndPort) {
  flush({.protocol = Protocol::kUdp, .destination = ip("10.0.0.2"), .destination_port = Port{53}});
  EXPECT_EQ(udp_flows(),
            (std::vector<std::string>{"10.0.0.100:80", "10.0.0.2:5353", "10.0.0.3:53",
                                      "fd00::100:80", "fd00::2:53", "fd00::2:5353", "fd00::3:53"}));
}

TEST_P(Conntrack, ByPortOfEitherFamily) {
  flush({.protocol = Protocol::kUdp, .destination_port = Port{53}});
  EXPECT_EQ(udp_flows(), (std::vector<std::string>{"10.0.0.100:80", "10.0.0.2:5353", "fd00::100:80",
                                                   "fd00::2:5353"}));
}

TEST_P(Conntrack, ByWhoAnswersAfterADnat) {
  flush({.protocol = Protocol::kUdp, .destination_port = Port{80}, .reply_source = ip("10.0.0.2")});
  EXPECT_EQ(udp_flows(),
            (std::vector<std::string>{"10.0.0.2:53", "10.0.0.2:5353", "10.0.0.3:53", "fd00::100:80",
                                      "fd00::2:53", "fd00::2:5353", "fd00::3:53"}));
  flush({.protocol = Protocol::kUdp, .reply_source = ip("10.0.0.2")});
  EXPECT_EQ(udp_flows(), (std::vector<std::string>{"10.0.0.3:53", "fd00::100:80", "fd00::2:53",
                                                   "fd00::2:5353", "fd00::3:53"}));
}

TEST_P(Conntrack, ByWhoAnswersAfterADnatOfIpv6) {
  flush({.protocol = Protocol::kUdp, .destination_port = Port{80}, .reply_source = ip("fd00::2")});
  EXPECT_EQ(udp_flows(),
            (std::vector<std::string>{"10.0.0.100:80", "10.0.0.2:53", "10.0.0.2:5353",
                                      "10.0.0.3:53", "fd00::2:53", "fd00::2:5353", "fd00::3:53"}));
}

TEST_P(Conntrack, ByIpv6Destination) {
  flush({.protocol = Protocol::kUdp, .destination = ip("fd00::2"), .destination_port = Port{53}});
  EXPECT_EQ(udp_flows(), (std::vector<std::string>{"10.0.0.100:80", "10.0.0.2:53", "10.0.0.2:5353",
                                                   "10.0.0.3:53", "fd00::100:80", "fd00::2:5353",
                                                   "fd00::3:53"}));
}

// The kernel's own filter would take every SCTP flow to that address for a match.
TEST_P(Conntrack, BySctpPort) {
  for (const Port port : {80, 443}) must(netfilter.request(add_sctp_flow(port)));
  flush({.protocol = Protocol::kSctp, .destination = ip("10.0.0.2"), .destination_port = Port{80}});
  std::vector<Port> left;
  for (const auto& flow : must(list_flows(netfilter)))
    if (flow.original.protocol == IPPROTO_SCTP) left.push_back(flow.original.destination_port);
  EXPECT_EQ(left, std::vector<Port>{443});
}

TEST_P(Conntrack, OtherProtocolsAndNoMatchAreLeftAlone) {
  const auto before = udp_flows();
  flush({.protocol = Protocol::kTcp});
  flush({.protocol = Protocol::kSctp, .destination_port = Port{53}});
  flush({.protocol = Protocol::kUdp, .destination = ip("10.0.0.77")});
  EXPECT_EQ(udp_flows(), before);
}

TEST_P(Conntrack, AFilterOfTwoFamiliesIsInvalid) {
  const auto refused = GetParam().flush(
      netfilter,
      {.protocol = Protocol::kUdp, .destination = ip("10.0.0.2"), .reply_source = ip("fd00::2")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(refused.error().message,
            "delete udp flows to 10.0.0.2 answered by fd00::2: one address is IPv4 and the other "
            "IPv6; a flow has addresses of one family");
}

TEST_P(Conntrack, BothDirectionsOfAFlowAreRead) {
  const auto flows = must(list_flows(netfilter));
  const auto flow = std::ranges::find_if(
      flows, [](const Flow& some) { return some.original.destination_port == 80; });
  ASSERT_NE(flow, flows.end());
  EXPECT_EQ(flow->original.source, ip("10.0.0.1"));
  EXPECT_EQ(flow->original.destination, ip("10.0.0.100"));
  EXPECT_EQ(flow->reply.source, ip("10.0.0.2"));
  EXPECT_EQ(flow->reply.source_port, 8080);
  EXPECT_EQ(flow->reply.destination_port, flow->original.source_port);
  EXPECT_TRUE(flow->id);
}

}  // namespace
}  // namespace berth::kernel
