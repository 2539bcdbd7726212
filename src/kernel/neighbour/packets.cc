#include "kernel/neighbour/packets.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace berth::kernel {
namespace {

template <typename T>
Packet bytes_of(const T& message) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(&message);
  return {begin, begin + sizeof message};
}

// A request in which `own` speaks for `sender`; 0.0.0.0 is nobody.
Packet arp_request(const Mac& own, const Ip& sender, const Ip& target) {
  ether_arp arp{};
  arp.arp_hrd = htons(ARPHRD_ETHER);
  arp.arp_pro = htons(ETHERTYPE_IP);
  arp.arp_hln = ETH_ALEN;
  arp.arp_pln = sizeof arp.arp_tpa;
  arp.arp_op = htons(ARPOP_REQUEST);
  std::ranges::copy(own.bytes(), arp.arp_sha);
  std::ranges::copy(sender.bytes(), arp.arp_spa);
  std::ranges::copy(target.bytes(), arp.arp_tpa);
  return bytes_of(arp);
}

bool arp_claims(std::span<const std::uint8_t> packet, const Ip& address) {
  ether_arp arp;
  if (packet.size() < sizeof arp) return false;
  std::memcpy(&arp, packet.data(), sizeof arp);
  const bool has_it = std::ranges::equal(arp.arp_spa, address.bytes());
  const bool probes = arp.arp_op == htons(ARPOP_REQUEST) &&
                      std::ranges::equal(arp.arp_spa, Ip().bytes()) &&
                      std::ranges::equal(arp.arp_tpa, address.bytes());
  return has_it || probes;
}

// A solicitation and an advertisement have one layout.
struct NeighbourMessage {
  ip6_hdr ip;
  nd_neighbor_advert body;
};
struct WithLinkAddress {
  NeighbourMessage message;
  nd_opt_hdr option;
  std::uint8_t mac[ETH_ALEN];
};
static_assert(sizeof(nd_neighbor_solicit) == sizeof(nd_neighbor_advert));
static_assert(sizeof(WithLinkAddress) == sizeof(NeighbourMessage) + 8);

NeighbourMessage neighbour_message(std::uint8_t type, const Ip& target) {
  NeighbourMessage message{};
  message.ip.ip6_flow = htonl(6U << 28);
  message.ip.ip6_nxt = IPPROTO_ICMPV6;
  message.ip.ip6_hlim = 255;
  message.body.nd_na_type = type;
  std::ranges::copy(target.bytes(), message.body.nd_na_target.s6_addr);
  return message;
}

// Fills in what depends on all the rest: the length, and the checksum over addresses, length,
// protocol and ICMPv6 message (RFC 8200, 8.1).
Packet sealed(Packet packet) {
  const auto length = htons(static_cast<std::uint16_t>(packet.size() - sizeof(ip6_hdr)));
  std::memcpy(packet.data() + offsetof(ip6_hdr, ip6_plen), &length, sizeof length);
  std::uint32_t sum = length + htons(IPPROTO_ICMPV6);
  for (auto at = offsetof(ip6_hdr, ip6_src); at < packet.size(); at += 2) {
    std::uint16_t word;
    std::memcpy(&word, packet.data() + at, sizeof word);
    sum += word;
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  const auto checksum = static_cast<std::uint16_t>(~sum);
  std::memcpy(packet.data() + offsetof(NeighbourMessage, body.nd_na_cksum), &checksum,
              sizeof checksum);
  return packet;
}

// From ::, to the group of those whose address ends like this one (RFC 4291, 2.7.1).
Packet solicitation(const Ip& address) {
  auto message = neighbour_message(ND_NEIGHBOR_SOLICIT, address);
  constexpr std::uint8_t kSolicitedNode[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::ranges::copy(kSolicitedNode, message.ip.ip6_dst.s6_addr);
  std::ranges::copy(address.bytes().subspan(13), message.ip.ip6_dst.s6_addr + 13);
  return sealed(bytes_of(message));
}

Packet advertisement(const Ip& address, const Mac& own) {
  WithLinkAddress packet{neighbour_message(ND_NEIGHBOR_ADVERT, address),
                         {ND_OPT_TARGET_LINKADDR, 1 /* times eight bytes */},
                         {}};
  packet.message.body.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
  std::ranges::copy(address.bytes(), packet.message.ip.ip6_src.s6_addr);
  constexpr std::uint8_t kAllNodes[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  std::ranges::copy(kAllNodes, packet.message.ip.ip6_dst.s6_addr);
  std::ranges::copy(own.bytes(), packet.mac);
  return sealed(bytes_of(packet));
}

bool advertisement_claims(std::span<const std::uint8_t> packet, const Ip& address) {
  NeighbourMessage message;
  if (packet.size() < sizeof message) return false;
  std::memcpy(&message, packet.data(), sizeof message);
  const auto type = message.body.nd_na_type;
  const in6_addr nobody{};
  const bool probes =
      type == ND_NEIGHBOR_SOLICIT && std::memcmp(&message.ip.ip6_src, &nobody, sizeof nobody) == 0;
  return message.ip.ip6_nxt == IPPROTO_ICMPV6 && (type == ND_NEIGHBOR_ADVERT || probes) &&
         std::ranges::equal(message.body.nd_na_target.s6_addr, address.bytes());
}

const Mac kBroadcast({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});

}  // namespace

std::uint16_t neighbour_protocol(Ip::Family family) {
  return family == Ip::Family::kV4 ? ETH_P_ARP : ETH_P_IPV6;
}

Packet question(const Ip& address, const Mac& own) {
  return address.is_v4() ? arp_request(own, Ip(), address) : solicitation(address);
}

Mac question_goes_to(const Ip& address) {
  if (address.is_v4()) return kBroadcast;
  const auto ip = address.bytes();  // RFC 2464, 7: the last four bytes of the multicast group
  return Mac({0x33, 0x33, 0xff, ip[13], ip[14], ip[15]});
}

Packet announcement(const Ip& address, const Mac& own) {
  return address.is_v4() ? arp_request(own, address, address) : advertisement(address, own);
}

Mac announcement_goes_to(Ip::Family family) {
  return family == Ip::Family::kV4 ? kBroadcast : Mac({0x33, 0x33, 0, 0, 0, 1});
}

bool claims(std::span<const std::uint8_t> packet, const Ip& address) {
  return address.is_v4() ? arp_claims(packet, address) : advertisement_claims(packet, address);
}

}  // namespace berth::kernel
