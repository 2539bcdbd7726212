#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>

#include <cstring>
#include <thread>

#include "kernel/neighbour/packet_socket.h"
#include "kernel_test_ns.h"
#include "nft_shell.h"
#include "router.h"

namespace berth::testing {
namespace {

struct Message {
  nd_router_advert router{};
  nd_opt_prefix_info prefix{};
};
struct PseudoHeader {  // RFC 8200, 8.1
  in6_addr from, to;
  std::uint32_t length, next;
};

// RFC 1071.
std::uint16_t checksum(const kernel::Packet& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

template <typename T>
void append(kernel::Packet& packet, const T& part) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&part);
  packet.insert(packet.end(), bytes, bytes + sizeof part);
}

in6_addr address(const char* text) {
  in6_addr made{};
  inet_pton(AF_INET6, text, &made);
  return made;
}

kernel::Packet advertisement(const Advertised& what) {
  Message message;
  message.router.nd_ra_type = ND_ROUTER_ADVERT;
  message.router.nd_ra_curhoplimit = 64;
  message.router.nd_ra_router_lifetime = htons(what.router_lifetime);
  message.prefix.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION;
  message.prefix.nd_opt_pi_len = sizeof message.prefix / 8;
  message.prefix.nd_opt_pi_prefix_len = 64;
  message.prefix.nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO;
  message.prefix.nd_opt_pi_valid_time = htonl(what.valid);
  message.prefix.nd_opt_pi_preferred_time = htonl(what.valid / 2);
  message.prefix.nd_opt_pi_prefix = address("2001:db8:bad::");

  const PseudoHeader pseudo{address("fe80::bad"), address("ff02::1"), htonl(sizeof message),
                            htonl(IPPROTO_ICMPV6)};
  kernel::Packet summed;
  append(summed, pseudo);
  append(summed, message);
  message.router.nd_ra_cksum = checksum(summed);

  ip6_hdr header{};
  header.ip6_vfc = 6 << 4;
  header.ip6_plen = htons(sizeof message);
  header.ip6_nxt = IPPROTO_ICMPV6;
  header.ip6_hlim = 255;  // RFC 4861, 6.1.2
  header.ip6_src = pseudo.from;
  header.ip6_dst = pseudo.to;
  kernel::Packet packet;
  append(packet, header);
  append(packet, message);
  return packet;
}

}  // namespace

void advertise_router(const kernel::Netns& netns, std::string_view link, const Mac& to,
                      const Advertised& what) {
  must(kernel::run_in(netns, [&]() -> Status {
    const auto socket = must(kernel::PacketSocket::open(ifname(link), ETH_P_IPV6));
    socket.send(advertisement(what), ETH_P_IPV6, to);
    return {};
  }));
  // A veth hands frames over at once, but to a queue.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

std::string learned_by_advertisement() {
  return shell(
             "ip -6 route show proto ra; ip -6 route show root 2001:db8:bad::/48; "
             "ip -6 -o addr show to 2001:db8:bad::/48")
      .output;
}

}  // namespace berth::testing
