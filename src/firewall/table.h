// berth's nftables table `inet berth`, written down once, and keeping it in the kernel.
//
// Theory of operation. The table's chains and rules are fixed, whatever the number of networks,
// containers and ports: what grows is elements of sets and maps (intents.h makes them), so a packet
// costs the same with one container or thousands and a change is a few elements. Sets that an
// attach touches are hash sets; only masq4 and hairpin4 hold prefixes (rbtree and pipapo, whose
// commits cost in proportion to their size), and those change with networks alone.
//
//   publish4       proto . port -> address . port: ports published on every host address
//   publish4_addr  address . proto . port -> address . port: on one host address
//   bridges        the bridges that are berth's
//   internal       those of networks without a way in or out
//   pair           bridge . bridge -> verdict: what may be forwarded between them unasked;
//                  br . br : accept lets the containers of a network talk to each other
//   hairpin4       subnet . bridge: a network's own subnet on its own bridge
//   masq4          subnets that leave the host under its address
//   shared         no rule looks here: what the instances of berth in this namespace must know of
//                  each other. `ip_forward`: one of them switched it; the comment is the value
//                  before, for the last of them to put back. `instances`: there have been several
//
// The way of a packet:
//   raw      route_localnet is on for bridges so that the host's 127.0.0.1 reaches published ports;
//            this keeps containers from the host's loopback.
//   pre,out  what comes in or starts here for one of the host's own addresses may go to a published
//            port (chain publish, the one address first). Packets from outside to 127/8 may not:
//            else a neighbour on the LAN could reach ports published on 127.0.0.1 by routing 127/8
//            to this host (CVE-2020-8558 is that class).
//   forward  the administrator's chain `user` first. Then only traffic from or to a bridge is
//            judged: established connections, pairs, nothing with internal networks, and to a
//            bridge just what was sent to a published port. A packet that conntrack finds
//            invalid is not translated, so it may not leave either. So a container's own address
//            cannot be reached from another network or the LAN, published port or not.
//   post     masquerade (1) the host's 127/8 on its way to a container, (2) what came back into the
//            network it started from through a published port: the answer would otherwise take the
//            direct way and not be recognised, (3) what leaves the host from a masqueraded subnet.
//            A client on the LAN keeps its address.
//
// hairpin4 goes by source address and not by the bridge a packet came from: where br_netfilter
// hands bridged packets to nft, these reach postrouting without an incoming interface
// (br_nf_post_routing). The same br_netfilter sends what DNAT turns back into its own bridge
// through the bridge and not the IP stack (br_nf_pre_routing_finish), so there the bridge ports
// need hairpin mode and must not be isolated from each other.
//
// The chain `user` belongs to the administrator: created empty, never flushed, and it outlives the
// last network if there is something in it.
//
// Facts: packet flow and priorities from nft(8); masquerade and `iifname` in the kernel's
// net/netfilter/nf_nat_masquerade.c and nft_meta.c.
#pragma once

#include <string>
#include <string_view>

#include "berth/result.h"
#include "kernel/nft/connection.h"
#include "kernel/nft/spec.h"

namespace berth::firewall {

inline constexpr std::string_view kTable = "berth";
inline constexpr std::string_view kUserChain = "user";

inline constexpr std::string_view kPublish4 = "publish4";
inline constexpr std::string_view kPublish4Addr = "publish4_addr";
inline constexpr std::string_view kBridges = "bridges";
inline constexpr std::string_view kInternal = "internal";
inline constexpr std::string_view kPair = "pair";
inline constexpr std::string_view kHairpin4 = "hairpin4";
inline constexpr std::string_view kMasq4 = "masq4";
inline constexpr std::string_view kShared = "shared";
inline constexpr std::string_view kSharedForwarding = "ip_forward";
inline constexpr std::string_view kSharedInstances = "instances";

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

}  // namespace berth::firewall
