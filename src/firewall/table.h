// berth's nftables table `inet berth`, written down once, and keeping it in the kernel.
//
// Theory of operation. The table's chains and rules are fixed, whatever the number of networks,
// containers and ports: what grows is elements of sets and maps (intents.h makes them), so a packet
// costs the same with one container or thousands and a change is a few elements. Sets that an
// attach touches are hash sets; only masq, snat, hairpin and linked hold prefixes (rbtree and pipapo,
// whose commits cost in proportion to their size). Those change with networks alone, and linked with
// containers that publish ports and are on several networks.
//
//   bridges        the bridges that are berth's
//   internal       those of networks without a way in or out
//   pair           bridge . bridge -> verdict: what may be forwarded between them unasked;
//                  br . br : accept lets the containers of a network talk to each other
// and for IPv4 (for IPv6 the same with a 6; a packet of one version is not looked up in the sets of
// the other):
//   publish4       proto . port -> address . port: ports published on every host address
//   publish4_addr  address . proto . port -> address . port: on one host address
//   hairpin4       subnet . bridge: a network's own subnet on its own bridge
//   linked4        subnet . address: a container with published ports at that address, and a subnet
//                  that it is linked to by another network
//   masq4          subnets that leave the host under one of its addresses
//   snat4          subnet -> address: which one; without, that of the interface
//   routed4        bridges of routed networks, whose containers are reached by their own addresses
//   open4          address . proto . port: containers' ports that are open to everyone there
//   unprotected4   bridges whose containers everyone may reach, on every port
//   trusted4       interface . address . proto . port: containers' ports open from one interface
//   instance       no rule looks here: whose the table is (engine/claim.h)
//
// The way of a packet:
//   raw      route_localnet is on for bridges so that the host's 127.0.0.1 reaches published ports;
//            this keeps containers from the host's loopback. A bridge keeps frames to its own group
//            addresses (01:80:c2:00:00:0x), and what is in them goes to the host as if it had come
//            in by the port (br_handle_frame): past the settings of the bridge and past every rule
//            here that looks for one. No IP packet belongs in such a frame.
//   pre,out  what comes in or starts here for one of the host's own addresses may go to a published
//            port (chain publish, the one address first). Packets from outside to 127/8 may not:
//            else a neighbour on the LAN could reach ports published on 127.0.0.1 by routing 127/8
//            to this host (CVE-2020-8558 is that class).
//   forward  the administrator's chain `user` first. Then only traffic from or to a bridge is
//            judged: established connections, pairs, nothing with internal networks, and to a
//            bridge (chain into) just what was sent to a published port and what the sets open4,
//            routed4, unprotected4 and trusted4 let in. A packet that conntrack finds invalid is
//            not translated, so it may not leave either. So a container's own address cannot be
//            reached from another network or the LAN, published port or not, unless its network's
//            gateway mode says so (GatewayMode in intents.h).
//   input    a TCP segment for this host that connection tracking calls invalid and that the host
//            has no socket for is dropped (chain stray). It may belong to a container: tracking takes
//            a segment outside of the window for no part of a connection, so it is not translated
//            back, and the host would answer it with a reset, which ends the container's connection.
//            What the host has a socket for is its own business, and so is what a container sends
//            (chain forward has dropped that already).
//   post     masquerade (1) the host's 127/8 on its way to a container, (2) what came back into the
//            network it started from through a published port, or goes to a container that is linked
//            to the sender's subnet as well: the answer would otherwise take the direct way and not
//            be recognised, (3) what leaves the host from a masqueraded subnet, this under a chosen
//            address where there is one (chain leave). A client on the LAN keeps its address.
//
// hairpin4 goes by source address and not by the bridge a packet came from: where br_netfilter
// hands bridged packets to nft, these reach postrouting without an incoming interface
// (br_nf_post_routing). The same br_netfilter sends what DNAT turns back into its own bridge
// through the bridge and not the IP stack (br_nf_pre_routing_finish), so there the bridge ports
// need hairpin mode and must not be isolated from each other.
//
// Neighbour discovery is not forwarded, and where br_netfilter shows it to chain forward all the
// same, it is part of what the containers of a network may send each other.
//
// The host's own [::1]. From outside nobody can use it: the kernel drops packets with it that come
// from another interface than lo (ip6_rcv_core), so a port published on [::1] is for this host
// alone. On the way to a container [::1] is masqueraded as 127/8 is. The answer is for ::1 again
// once it is translated back, and two things decide whether the kernel takes it:
//   - There is no route_localnet for IPv6. A route to ::1 counts only if it is one of the interface
//     that the packet came in by (rt6_need_strict, rt6_score_route), so without more the answer
//     ends in ip6_pkt_discard. The route `local ::1 dev <bridge> table local metric 2000` lets it
//     in, and the host's own connections keep to lo, whose route has metric 0.
//   - br_netfilter (net.bridge.bridge-nf-call-ip6tables) translates in the bridge, before the IP
//     stack sees the packet; ip6_rcv_core then finds ::1 in a packet from a bridge and drops it.
//     Nothing of nft's helps there.
// So what is published on every address is not on [::1] by itself: its element with the key ::1 in
// publish6_addr belongs there only where both are right. Elsewhere a program may listen on [::1].
//
// Ports that are published on IPv6 for a container with IPv4 alone lead to the translator
// (translator/translator.h). What goes into it is masqueraded, and so is what comes out of it; it
// takes nothing but what was sent to a published port, and leads nowhere but to bridges. It also
// answers on [::1] for every container that has IPv4, whatever br_netfilter does: the answers come
// in by its device and not by a bridge.
//
// The chain `user` belongs to the administrator: created empty, never flushed, and it outlives the
// last network if there is something in it.
//
// Facts: packet flow and priorities from nft(8); masquerade and `iifname` in the kernel's
// net/netfilter/nf_nat_masquerade.c and nft_meta.c; ::1 in net/ipv6/ip6_input.c and route.c.
#pragma once

#include <string>
#include <string_view>

#include "berth/address.h"
#include "berth/result.h"
#include "kernel/nft/connection.h"
#include "kernel/nft/spec.h"

namespace berth::firewall {

inline constexpr std::string_view kTable = "berth";
inline constexpr std::string_view kUserChain = "user";

inline constexpr std::string_view kBridges = "bridges";
inline constexpr std::string_view kInternal = "internal";
inline constexpr std::string_view kPair = "pair";

/// The names of the sets that there are once for each IP version.
struct FamilySets {
  std::string_view publish;
  std::string_view publish_addr;
  std::string_view hairpin;
  std::string_view linked;
  std::string_view masq;
  std::string_view snat;
  std::string_view routed;
  std::string_view open;
  std::string_view unprotected;
  std::string_view trusted;
};
inline constexpr FamilySets kSets4{"publish4",     "publish4_addr", "hairpin4", "linked4",
                                   "masq4",        "snat4",         "routed4",  "open4",
                                   "unprotected4", "trusted4"};
inline constexpr FamilySets kSets6{"publish6",     "publish6_addr", "hairpin6", "linked6",
                                   "masq6",        "snat6",         "routed6",  "open6",
                                   "unprotected6", "trusted6"};
[[nodiscard]] constexpr const FamilySets& sets_of(Ip::Family family) {
  return family == Ip::Family::kV4 ? kSets4 : kSets6;
}
inline constexpr std::string_view kInstance = "instance";

/// The table; text(table()) is what `nft -f` loads.
[[nodiscard]] const nft::TableSpec& table();

/// Whether the kernel has the table as table() has it: only reads, a fixed and small number of
/// rules.
[[nodiscard]] Result<bool> table_intact(nft::Connection& connection);

/// Makes the table as table() has it: adds what is missing and, where a chain is not as it should
/// be, replaces all of berth's rules in one transaction. Elements stay, chain `user` and whatever
/// the administrator added stay. True if something was changed. With nothing to do it reads, and
/// that is cheap: the number of rules is fixed.
[[nodiscard]] Result<bool> ensure_table(nft::Connection& connection);

/// Deletes the table if no network uses it (`bridges` is empty). Where the administrator has put
/// something into it, that stays and only berth's own chains and sets go. True if it was unused.
[[nodiscard]] Result<bool> remove_table_if_unused(nft::Connection& connection);

/// Whether a published port leads to an IPv6 address in `prefix`.
[[nodiscard]] Result<bool> publishes_into(nft::Connection& connection, const Cidr& prefix);

}  // namespace berth::firewall
