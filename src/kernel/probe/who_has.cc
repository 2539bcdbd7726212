#include "kernel/probe/who_has.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace berth::kernel {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

constexpr int kQuestions = 2;
constexpr auto kInterval = std::chrono::milliseconds(100);

// A question about an address, and what an answer looks like.
class Question {
 public:
  Question(const Ip& address, const Mac& own) : address_(address), own_(own) {}

  [[nodiscard]] std::uint16_t protocol() const { return address_.is_v4() ? ETH_P_ARP : ETH_P_IPV6; }

  [[nodiscard]] Mac destination() const {
    if (address_.is_v4()) return Mac({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
    const auto ip = address_.bytes();  // RFC 2464, 7: the last four bytes of the multicast group
    return Mac({0x33, 0x33, 0xff, ip[13], ip[14], ip[15]});
  }

  [[nodiscard]] Bytes packet() const { return address_.is_v4() ? arp_probe() : solicitation(); }

  // Whose packet says that its sender has the address, or is asking for it as we are.
  [[nodiscard]] bool is_answer(std::span<const std::uint8_t> packet, const Mac& sender) const {
    if (sender == own_) return false;
    return address_.is_v4() ? is_arp_answer(packet) : is_advertisement(packet);
  }

 private:
  [[nodiscard]] Bytes arp_probe() const {
    ether_arp arp{};
    arp.arp_hrd = htons(ARPHRD_ETHER);
    arp.arp_pro = htons(ETHERTYPE_IP);
    arp.arp_hln = ETH_ALEN;
    arp.arp_pln = sizeof arp.arp_tpa;
    arp.arp_op = htons(ARPOP_REQUEST);
    std::ranges::copy(own_.bytes(), arp.arp_sha);
    std::ranges::copy(address_.bytes(), arp.arp_tpa);
    const auto* begin = reinterpret_cast<const std::uint8_t*>(&arp);
    return {begin, begin + sizeof arp};
  }

  [[nodiscard]] bool is_arp_answer(std::span<const std::uint8_t> packet) const {
    ether_arp arp;
    if (packet.size() < sizeof arp) return false;
    std::memcpy(&arp, packet.data(), sizeof arp);
    const auto ip = address_.bytes();
    const bool has_it = std::ranges::equal(arp.arp_spa, ip);
    constexpr std::uint8_t kNoAddress[sizeof arp.arp_spa] = {};
    const bool probes_too = arp.arp_op == htons(ARPOP_REQUEST) &&
                            std::ranges::equal(arp.arp_spa, kNoAddress) &&
                            std::ranges::equal(arp.arp_tpa, ip);
    return has_it || probes_too;
  }

  struct Solicitation {
    ip6_hdr ip;
    nd_neighbor_solicit body;
  };

  [[nodiscard]] Bytes solicitation() const {
    Solicitation message{};
    message.ip.ip6_flow = htonl(6U << 28);
    message.ip.ip6_plen = htons(sizeof message.body);
    message.ip.ip6_nxt = IPPROTO_ICMPV6;
    message.ip.ip6_hlim = 255;
    const auto target = address_.bytes();
    constexpr std::uint8_t kSolicitedNode[13] = {0xff, 0x02, 0, 0, 0, 0,   0,
                                                 0,    0,    0, 0, 1, 0xff};  // RFC 4291, 2.7.1
    std::ranges::copy(kSolicitedNode, message.ip.ip6_dst.s6_addr);
    std::ranges::copy(target.subspan(13), message.ip.ip6_dst.s6_addr + 13);
    message.body.nd_ns_type = ND_NEIGHBOR_SOLICIT;
    std::ranges::copy(target, message.body.nd_ns_target.s6_addr);
    message.body.nd_ns_cksum = checksum(message);
    const auto* begin = reinterpret_cast<const std::uint8_t*>(&message);
    return {begin, begin + sizeof message};
  }

  // RFC 8200, 8.1: over addresses, length, protocol and the ICMPv6 message.
  static std::uint16_t checksum(const Solicitation& message) {
    std::uint32_t sum = htons(sizeof message.body) + htons(IPPROTO_ICMPV6);
    const auto add = [&](const void* from, std::size_t size) {
      for (std::size_t i = 0; i < size; i += 2) {
        std::uint16_t word;
        std::memcpy(&word, static_cast<const char*>(from) + i, sizeof word);
        sum += word;
      }
    };
    add(&message.ip.ip6_src, sizeof message.ip.ip6_src);
    add(&message.ip.ip6_dst, sizeof message.ip.ip6_dst);
    add(&message.body, sizeof message.body);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
  }

  [[nodiscard]] bool is_advertisement(std::span<const std::uint8_t> packet) const {
    Solicitation message;  // an advertisement has the same layout
    if (packet.size() < sizeof message) return false;
    std::memcpy(&message, packet.data(), sizeof message);
    const auto type = message.body.nd_ns_type;
    const in6_addr nobody{};
    const bool probes_too = type == ND_NEIGHBOR_SOLICIT &&
                            std::memcmp(&message.ip.ip6_src, &nobody, sizeof nobody) == 0;
    return message.ip.ip6_nxt == IPPROTO_ICMPV6 && (type == ND_NEIGHBOR_ADVERT || probes_too) &&
           std::ranges::equal(message.body.nd_ns_target.s6_addr, address_.bytes());
  }

  Ip address_;
  Mac own_;
};

// A packet socket on the link that takes and sends packets of one protocol.
struct Listener {
  UniqueFd fd;
  int index = 0;
  Mac mac;
};

Result<Listener> listen_on(const IfName& link, std::uint16_t protocol) {
  Listener listener{UniqueFd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), 0, {}};
  const auto failed = [&] { return fail_sys(errno, "listen for neighbours on {}", link.str()); };
  if (!listener.fd) return failed();
  ifreq request{};
  link.str().copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(listener.fd.get(), SIOCGIFHWADDR, &request) != 0) return failed();
  std::array<std::uint8_t, 6> mac{};
  std::copy_n(reinterpret_cast<const std::uint8_t*>(request.ifr_hwaddr.sa_data), mac.size(),
              mac.begin());
  listener.mac = Mac(mac);
  if (::ioctl(listener.fd.get(), SIOCGIFINDEX, &request) != 0) return failed();
  listener.index = request.ifr_ifindex;
  sockaddr_ll here{};
  here.sll_family = AF_PACKET;
  here.sll_protocol = htons(protocol);
  here.sll_ifindex = listener.index;
  if (::bind(listener.fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0)
    return failed();
  // Advertisements go to all nodes, a group that a link without IPv6 has not joined.
  packet_mreq groups{};
  groups.mr_ifindex = listener.index;
  groups.mr_type = PACKET_MR_ALLMULTI;
  if (::setsockopt(listener.fd.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof groups))
    return failed();
  return listener;
}

// Errors are passed over: where nothing can be sent (no carrier) there is no neighbour.
void ask(const Listener& listener, const Question& question) {
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(question.protocol());
  to.sll_ifindex = listener.index;
  to.sll_halen = ETH_ALEN;
  std::ranges::copy(question.destination().bytes(), to.sll_addr);
  const auto packet = question.packet();
  (void)::sendto(listener.fd.get(), packet.data(), packet.size(), 0,
                 reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

// The sender of the next packet that answers; none if none has come by `deadline`.
std::optional<Mac> wait_for_answer(const Listener& listener, const Question& question,
                                   Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{listener.fd.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) == 0) return std::nullopt;
    std::uint8_t packet[256];
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const auto got = ::recvfrom(listener.fd.get(), packet, sizeof packet, MSG_DONTWAIT,
                                reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return std::nullopt;
    }
    std::array<std::uint8_t, 6> mac{};
    std::copy_n(from.sll_addr, mac.size(), mac.begin());
    if (from.sll_pkttype != PACKET_OUTGOING &&
        question.is_answer({packet, static_cast<std::size_t>(got)}, Mac(mac)))
      return Mac(mac);
  }
}

}  // namespace

Result<std::optional<Mac>> who_has(const IfName& link, const Ip& address) {
  const auto listener = TRY(listen_on(link, address.is_v4() ? ETH_P_ARP : ETH_P_IPV6));
  const Question question(address, listener.mac);
  for (int i = 0; i < kQuestions; ++i) {
    ask(listener, question);
    if (auto mac = wait_for_answer(listener, question, Clock::now() + kInterval)) return mac;
  }
  return std::nullopt;
}

}  // namespace berth::kernel
