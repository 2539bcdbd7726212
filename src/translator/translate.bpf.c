// The translator between IPv6 and IPv4 that lets ports be published on IPv6 for containers that
// have IPv4 alone. Theory of operation: translator.h.
//
// Two programs of tc's classifier, stateless, without maps and without relocations, so that they
// are nothing but an array of instructions:
//   to4  at the ingress of berth46: IPv6 for 64:ff9b:1::A.B.C.D becomes IPv4 from 192.0.0.4
//   to6  at its egress: IPv4 for 192.0.0.4 becomes IPv6 for 64:ff9b:1:ffff::1
// What they do not translate they drop: nothing else may pass between the two devices.
//
// Translated (RFC 7915): TCP, UDP and SCTP, fragments among them, and the ICMP errors that
// connections need: unreachable, too big, time exceeded. An error carries 8 bytes of the packet
// that it is about, which is all that connection tracking looks at. Not translated: ICMP echo
// (nothing is published for it), IPv4 options and IPv6 extension headers but the fragment's, and UDP
// without a checksum, which IPv6 does not allow and nobody could add without reading it all.
//
// Headers only, on the stack and not in the packet, so that no packet, however its bytes lie in
// memory, needs to be pulled together. Checksums of TCP and UDP are changed by the difference that
// the addresses make; both have the same pseudo-header else (length and protocol).
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stddef.h>

#include "translator/addresses.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NET16(x) ((__u16)((((x) & 0xff) << 8) | (((x) >> 8) & 0xff)))
#define NET32(x)                                                                      \
  (((__u32)(x) << 24) | (((__u32)(x) & 0xff00) << 8) | (((__u32)(x) >> 8) & 0xff00) | \
   ((__u32)(x) >> 24))
#else
#define NET16(x) ((__u16)(x))
#define NET32(x) (x)
#endif

// Helper functions of the kernel, by the numbers of enum bpf_func_id (bpf-helpers(7)).
#define HELPER(id) __attribute__((kernel_helper(BPF_FUNC_##id)))
long skb_load_bytes(const void* skb, __u32 offset, void* to, __u32 length) HELPER(skb_load_bytes);
long skb_store_bytes(void* skb, __u32 offset, const void* from, __u32 length, __u64 flags)
    HELPER(skb_store_bytes);
long l4_csum_replace(void* skb, __u32 offset, __u64 from, __u64 to, __u64 flags)
    HELPER(l4_csum_replace);
long csum_diff(const void* from, __u32 from_size, const void* to, __u32 to_size, __u32 seed)
    HELPER(csum_diff);
long skb_change_proto(void* skb, __u16 protocol, __u64 flags) HELPER(skb_change_proto);
long skb_change_tail(void* skb, __u32 length, __u64 flags) HELPER(skb_change_tail);
long skb_adjust_room(void* skb, __s32 difference, __u32 mode, __u64 flags) HELPER(skb_adjust_room);

__u32 get_prandom_u32(void) HELPER(get_prandom_u32);

#define INLINE static __attribute__((always_inline)) inline

enum {
  kL3 = ETH_HLEN,
  kHeader4 = sizeof(struct iphdr),
  kHeader6 = sizeof(struct ipv6hdr),
  kGrowth = kHeader6 - kHeader4,
  kQuoted = 8,  // bytes of the packet behind its header that an ICMP error carries
};

// As in linux/icmp.h, which cannot be had without the C library's headers. RFC 792, 1122, 1191.
struct icmp_header {
  __u8 type;
  __u8 code;
  __u16 checksum;
  __u16 unused;
  __u16 mtu;
};
enum { kUnreachable = 3, kTimeExceeded = 11 };  // types
enum {                                          // codes of "unreachable"
  kHostUnreachable = 1,
  kProtocolUnreachable = 2,
  kPortUnreachable = 3,
  kTooBig = 4,
  kNetProhibited = 9,
  kHostProhibited = 10,
  kProhibited = 13,
  kPrecedence = 15,
};

struct fragment_header {  // RFC 8200 section 4.5
  __u8 next;
  __u8 reserved;
  __u16 offset;  // in units of 8 bytes from bit 3 on; bit 0: more fragments
  __u32 id;
};

// An ICMP error as it is made here: always of the same size.
struct error4 {
  struct icmp_header icmp;
  struct iphdr about;
  __u8 quoted[kQuoted];
};
struct error6 {
  struct icmp6hdr icmp;
  struct ipv6hdr about;
  __u8 quoted[kQuoted];
};
struct pseudo_header6 {  // RFC 8200 section 8.1
  struct in6_addr from, to;
  __u32 length;
  __u32 next;
};

// ---- Headers ---------------------------------------------------------------------------------

INLINE __u16 folded(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)~sum;
}

INLINE int is_prefix(const struct in6_addr* address) {
  return address->s6_addr32[0] == NET32(BERTH_PREFIX_0) &&
         address->s6_addr32[1] == NET32(BERTH_PREFIX_1) && address->s6_addr32[2] == 0;
}

INLINE int is_client(const struct in6_addr* address) {
  return address->s6_addr32[0] == NET32(BERTH_CLIENT6_0) &&
         address->s6_addr32[1] == NET32(BERTH_CLIENT6_1) && address->s6_addr32[2] == 0 &&
         address->s6_addr32[3] == NET32(BERTH_CLIENT6_3);
}

INLINE void set_prefix(struct in6_addr* address, __u32 host) {
  address->s6_addr32[0] = NET32(BERTH_PREFIX_0);
  address->s6_addr32[1] = NET32(BERTH_PREFIX_1);
  address->s6_addr32[2] = 0;
  address->s6_addr32[3] = host;
}

INLINE void set_client(struct in6_addr* address) {
  address->s6_addr32[0] = NET32(BERTH_CLIENT6_0);
  address->s6_addr32[1] = NET32(BERTH_CLIENT6_1);
  address->s6_addr32[2] = 0;
  address->s6_addr32[3] = NET32(BERTH_CLIENT6_3);
}

// Everything of an IPv4 header but the addresses, from an IPv6 one. A UDP packet may be fragmented on
// its way, as the container's network has a smaller MTU than the translator's devices; TCP and SCTP
// adapt when they are told.
INLINE void fill4(struct iphdr* to, const struct ipv6hdr* from, __u8 protocol, __u32 payload) {
  const __u8* bytes = (const __u8*)from;  // version 4 bits, traffic class 8, flow label 20
  *(__u8*)to = 0x45;
  to->tos = (__u8)((bytes[0] << 4) | (bytes[1] >> 4));
  to->tot_len = NET16(kHeader4 + payload);
  to->id = protocol == IPPROTO_UDP ? (__u16)get_prandom_u32() : 0;  // RFC 6864 section 4.1
  to->frag_off = protocol == IPPROTO_UDP ? 0 : NET16(0x4000);       // DF
  to->ttl = from->hop_limit;
  to->protocol = protocol;
  to->check = 0;
}

INLINE void fill6(struct ipv6hdr* to, const struct iphdr* from, __u8 next, __u32 payload) {
  __u8* bytes = (__u8*)to;
  bytes[0] = 0x60 | (from->tos >> 4);
  bytes[1] = (__u8)(from->tos << 4);
  bytes[2] = 0;
  bytes[3] = 0;
  to->payload_len = NET16(payload);
  to->nexthdr = next;
  to->hop_limit = from->ttl;
}

INLINE void checksum4(struct iphdr* header) {
  header->check = 0;
  header->check = folded((__u32)csum_diff(0, 0, header, kHeader4, 0));
}

INLINE int is_transport(__u8 protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

// The checksum of TCP or UDP at `offset`, after the addresses have changed by `difference`. SCTP's
// does not cover the addresses.
INLINE int change_checksum(struct __sk_buff* skb, __u8 protocol, __u32 offset, __u64 difference) {
  if (protocol == IPPROTO_TCP)
    return l4_csum_replace(skb, offset + 16, 0, difference, BPF_F_PSEUDO_HDR) == 0;
  if (protocol == IPPROTO_UDP)
    return l4_csum_replace(skb, offset + 6, 0, difference,
                           BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0) == 0;
  return 1;
}

// Is this UDP without a checksum? An unfinished one (CHECKSUM_PARTIAL) is never 0.
INLINE int lacks_checksum(struct __sk_buff* skb, __u8 protocol, __u32 offset) {
  __u16 check;
  if (protocol != IPPROTO_UDP) return 0;
  return skb_load_bytes(skb, offset + 6, &check, sizeof check) != 0 || check == 0;
}

INLINE int set_protocol(struct __sk_buff* skb, __u16 protocol) {
  return skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof protocol, 0) == 0;
}

// ---- ICMP errors, RFC 7915 sections 4.2, 4.3, 5.2 and 5.3 ------------------------------------

// 0: not translated.
INLINE int icmp_type_to4(const struct icmp6hdr* from, __u32 growth, struct icmp_header* to) {
  const __u8 code = from->icmp6_code;
  to->unused = 0;
  to->mtu = 0;
  if (from->icmp6_type == ICMPV6_DEST_UNREACH) {
    to->type = kUnreachable;
    if (code == ICMPV6_PORT_UNREACH)
      to->code = kPortUnreachable;
    else if (code == ICMPV6_ADM_PROHIBITED)
      to->code = kHostProhibited;
    else
      to->code = kHostUnreachable;
  } else if (from->icmp6_type == ICMPV6_PKT_TOOBIG) {
    __u32 mtu = NET32(from->icmp6_mtu);
    to->type = kUnreachable;
    to->code = kTooBig;
    if (mtu < 1280) mtu = 1280;  // the least that IPv6 has
    if (mtu > 0xffff) mtu = 0xffff;
    to->mtu = NET16(mtu - growth);
  } else if (from->icmp6_type == ICMPV6_TIME_EXCEED) {
    to->type = kTimeExceeded;
    to->code = code;
  } else {
    return 0;
  }
  return 1;
}

INLINE int icmp_type_to6(const struct icmp_header* from, struct icmp6hdr* to) {
  const __u8 code = from->code;
  to->icmp6_mtu = 0;
  if (from->type == kTimeExceeded) {
    to->icmp6_type = ICMPV6_TIME_EXCEED;
    to->icmp6_code = code;
    return 1;
  }
  if (from->type != kUnreachable || code == kProtocolUnreachable) return 0;
  to->icmp6_type = ICMPV6_DEST_UNREACH;
  to->icmp6_code = ICMPV6_NOROUTE;
  if (code == kPortUnreachable) {
    to->icmp6_code = ICMPV6_PORT_UNREACH;
  } else if (code == kNetProhibited || code == kHostProhibited || code == kProhibited ||
             code == kPrecedence) {
    to->icmp6_code = ICMPV6_ADM_PROHIBITED;
  } else if (code == kTooBig) {
    __u32 mtu = (__u32)NET16(from->mtu) + kGrowth;
    to->icmp6_type = ICMPV6_PKT_TOOBIG;
    to->icmp6_code = 0;
    if (mtu < 1280) mtu = 1280;
    to->icmp6_mtu = NET32(mtu);
  }
  return 1;
}

// From a router or the client on the IPv6 side, about a packet of the container's.
INLINE int error_to4(struct __sk_buff* skb, const struct ipv6hdr* outer6) {
  struct error6 from;
  struct error4 to;
  struct iphdr outer;
  if (skb_load_bytes(skb, kL3 + kHeader6, &from, sizeof from)) return TC_ACT_SHOT;
  if (!is_transport(from.about.nexthdr)) return TC_ACT_SHOT;
  // What of UDP is too big is fragmented, and grows by a fragment header more.
  const __u32 growth =
      kGrowth + (from.about.nexthdr == IPPROTO_UDP ? sizeof(struct fragment_header) : 0);
  if (!icmp_type_to4(&from.icmp, growth, &to.icmp)) return TC_ACT_SHOT;
  if (!is_prefix(&from.about.saddr) || !is_client(&from.about.daddr)) return TC_ACT_SHOT;

  fill4(&to.about, &from.about, from.about.nexthdr, NET16(from.about.payload_len));
  to.about.saddr = from.about.saddr.s6_addr32[3];
  to.about.daddr = NET32(BERTH_CLIENT4);
  checksum4(&to.about);
  __builtin_memcpy(to.quoted, from.quoted, kQuoted);
  to.icmp.checksum = 0;
  to.icmp.checksum = folded((__u32)csum_diff(0, 0, &to, sizeof to, 0));

  fill4(&outer, outer6, IPPROTO_ICMP, sizeof to);
  outer.saddr = NET32(BERTH_CLIENT4);
  outer.daddr = outer6->daddr.s6_addr32[3];
  checksum4(&outer);
  if (skb_change_proto(skb, NET16(ETH_P_IP), 0) ||
      skb_change_tail(skb, kL3 + kHeader4 + sizeof to, 0) ||
      skb_store_bytes(skb, kL3, &outer, kHeader4, 0) ||
      skb_store_bytes(skb, kL3 + kHeader4, &to, sizeof to, BPF_F_INVALIDATE_HASH) ||
      !set_protocol(skb, NET16(ETH_P_IP)))
    return TC_ACT_SHOT;
  return TC_ACT_OK;
}

// From the container or this host, about a packet of the client's.
INLINE int error_to6(struct __sk_buff* skb, const struct iphdr* outer4) {
  struct error4 from;
  struct error6 to;
  struct ipv6hdr outer;
  struct pseudo_header6 pseudo;
  if (skb_load_bytes(skb, kL3 + kHeader4, &from, sizeof from)) return TC_ACT_SHOT;
  if (!icmp_type_to6(&from.icmp, &to.icmp)) return TC_ACT_SHOT;
  if (!is_transport(from.about.protocol) || *(__u8*)&from.about != 0x45) return TC_ACT_SHOT;
  if (from.about.saddr != NET32(BERTH_CLIENT4)) return TC_ACT_SHOT;

  fill6(&to.about, &from.about, from.about.protocol, NET16(from.about.tot_len) - kHeader4);
  set_client(&to.about.saddr);
  set_prefix(&to.about.daddr, from.about.daddr);
  __builtin_memcpy(to.quoted, from.quoted, kQuoted);
  fill6(&outer, outer4, IPPROTO_ICMPV6, sizeof to);
  set_prefix(&outer.saddr, outer4->saddr);
  set_client(&outer.daddr);

  pseudo.from = outer.saddr;
  pseudo.to = outer.daddr;
  pseudo.length = NET32((__u32)sizeof to);
  pseudo.next = NET32((__u32)IPPROTO_ICMPV6);
  to.icmp.icmp6_cksum = 0;
  to.icmp.icmp6_cksum = folded(
      (__u32)csum_diff(0, 0, &to, sizeof to, (__u32)csum_diff(0, 0, &pseudo, sizeof pseudo, 0)));
  if (skb_change_proto(skb, NET16(ETH_P_IPV6), 0) ||
      skb_change_tail(skb, kL3 + kHeader6 + sizeof to, 0) ||
      skb_store_bytes(skb, kL3, &outer, kHeader6, 0) ||
      skb_store_bytes(skb, kL3 + kHeader6, &to, sizeof to, BPF_F_INVALIDATE_HASH) ||
      !set_protocol(skb, NET16(ETH_P_IPV6)))
    return TC_ACT_SHOT;
  return TC_ACT_OK;
}

// ---- The two programs ------------------------------------------------------------------------

__attribute__((section("to4"), used)) int ipv6_to_ipv4(struct __sk_buff* skb) {
  struct ipv6hdr from;
  struct iphdr to;
  struct fragment_header fragment;
  if (skb->protocol != NET16(ETH_P_IPV6)) return TC_ACT_SHOT;
  if (skb_load_bytes(skb, kL3, &from, kHeader6)) return TC_ACT_SHOT;
  if (!is_prefix(&from.daddr)) return TC_ACT_SHOT;
  if (from.nexthdr == IPPROTO_ICMPV6) return error_to4(skb, &from);
  if (!is_client(&from.saddr)) return TC_ACT_SHOT;

  __u8 protocol = from.nexthdr;
  __u32 payload = NET16(from.payload_len);
  const int fragmented = protocol == IPPROTO_FRAGMENT;
  int first = 1;
  if (fragmented) {
    if (skb_load_bytes(skb, kL3 + kHeader6, &fragment, sizeof fragment)) return TC_ACT_SHOT;
    if (payload < sizeof fragment) return TC_ACT_SHOT;
    protocol = fragment.next;
    payload -= sizeof fragment;
    first = (NET16(fragment.offset) >> 3) == 0;
  }
  if (!is_transport(protocol) || payload > 0xffff - kHeader4) return TC_ACT_SHOT;
  const __u32 at = kL3 + kHeader6 + (fragmented ? sizeof fragment : 0);
  if (first && lacks_checksum(skb, protocol, at)) return TC_ACT_SHOT;

  fill4(&to, &from, protocol, payload);
  if (fragmented) {
    const __u16 offset = NET16(fragment.offset);
    to.id = NET16(NET32(fragment.id) & 0xffff);
    to.frag_off = NET16((offset >> 3) | ((offset & 1) ? 0x2000 : 0));  // MF
  }
  to.saddr = NET32(BERTH_CLIENT4);
  to.daddr = from.daddr.s6_addr32[3];
  checksum4(&to);
  const __u64 difference =
      csum_diff(&from.saddr, 2 * sizeof from.saddr, &to.saddr, 2 * sizeof to.saddr, 0);
  if (skb_change_proto(skb, NET16(ETH_P_IP), 0)) return TC_ACT_SHOT;
  if (fragmented && skb_adjust_room(skb, -(__s32)sizeof fragment, BPF_ADJ_ROOM_NET, 0))
    return TC_ACT_SHOT;
  if (skb_store_bytes(skb, kL3, &to, kHeader4, BPF_F_INVALIDATE_HASH)) return TC_ACT_SHOT;
  if (!set_protocol(skb, NET16(ETH_P_IP))) return TC_ACT_SHOT;
  if (first && !change_checksum(skb, protocol, kL3 + kHeader4, difference)) return TC_ACT_SHOT;
  return TC_ACT_OK;
}

__attribute__((section("to6"), used)) int ipv4_to_ipv6(struct __sk_buff* skb) {
  struct iphdr from;
  struct ipv6hdr to;
  struct fragment_header fragment;
  if (skb->protocol != NET16(ETH_P_IP)) return TC_ACT_SHOT;
  if (skb_load_bytes(skb, kL3, &from, kHeader4)) return TC_ACT_SHOT;
  if (from.daddr != NET32(BERTH_CLIENT4)) return TC_ACT_SHOT;
  if (*(__u8*)&from != 0x45) return TC_ACT_SHOT;  // options
  const __u32 length = NET16(from.tot_len);
  const __u16 offset = NET16(from.frag_off);
  const int fragmented = (offset & 0x3fff) != 0;  // MF or an offset
  const int first = (offset & 0x1fff) == 0;
  if (length < kHeader4) return TC_ACT_SHOT;
  if (from.protocol == IPPROTO_ICMP && !fragmented) return error_to6(skb, &from);
  if (!is_transport(from.protocol)) return TC_ACT_SHOT;
  if (first && lacks_checksum(skb, from.protocol, kL3 + kHeader4)) return TC_ACT_SHOT;

  const __u32 room = fragmented ? sizeof fragment : 0;
  fill6(&to, &from, fragmented ? IPPROTO_FRAGMENT : from.protocol, length - kHeader4 + room);
  set_prefix(&to.saddr, from.saddr);
  set_client(&to.daddr);
  const __u64 difference =
      csum_diff(&from.saddr, 2 * sizeof from.saddr, &to.saddr, 2 * sizeof to.saddr, 0);
  if (skb_change_proto(skb, NET16(ETH_P_IPV6), 0)) return TC_ACT_SHOT;
  if (fragmented) {
    fragment.next = from.protocol;
    fragment.reserved = 0;
    fragment.offset = NET16((offset << 3) | ((offset & 0x2000) ? 1 : 0));
    fragment.id = NET32((__u32)NET16(from.id));
    if (skb_adjust_room(skb, sizeof fragment, BPF_ADJ_ROOM_NET, 0)) return TC_ACT_SHOT;
    if (skb_store_bytes(skb, kL3 + kHeader6, &fragment, sizeof fragment, 0)) return TC_ACT_SHOT;
  }
  if (skb_store_bytes(skb, kL3, &to, kHeader6, BPF_F_INVALIDATE_HASH)) return TC_ACT_SHOT;
  if (!set_protocol(skb, NET16(ETH_P_IPV6))) return TC_ACT_SHOT;
  if (first && !change_checksum(skb, from.protocol, kL3 + kHeader6 + room, difference))
    return TC_ACT_SHOT;
  return TC_ACT_OK;
}

__attribute__((section("license"), used)) char license_text[] = "Apache-2.0";
