// Tracked connections (flows): which there are, and forgetting those that a changed rule must not
// keep alive. A flow remembers the NAT it got with its first packet, so a port that is published,
// moved or withdrawn takes effect for running UDP traffic only once the old flow is gone.
//
// Theory of operation: whatever is asked of the tracking table, the kernel walks all of its buckets
// (4 ms with the 262,144 of a large host), once a message. So flush_flows takes all that a change
// has to forget at once, lists the flows of each family and protocol that matter, and deletes what
// matches, each flow by its addresses and id, in one batch. The kernel leaves out the other
// protocols (CTA_FILTER, since Linux 5.8; an older one lists all). Its own deletion by filter (Linux
// 6.11) would be a walk for each port, and as of 6.18 it takes IPv6 addresses that differ for equal
// ones (ctnetlink_filter_match_tuple in net/netfilter/nf_conntrack_netlink.c).
//
// Which address is this host's is for its routing tables to say, as for nft's `fib daddr type
// local`, by which the rules of published ports go. A flow to the same port of another host, which
// only passes through, is left alone.
//
// The sockets are one of NETLINK_NETFILTER and one of NETLINK_ROUTE; they speak for the namespace
// they were opened in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "berth/address.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

/// Flows to one port of this host.
struct FlowFilter {
  Protocol protocol = Protocol::kTcp;
  Ip destination;  ///< where the first packet was sent, before any DNAT; unspecified: every address of
                   ///< the family
  Port destination_port = 0;  ///< likewise
  friend auto operator<=>(const FlowFilter&, const FlowFilter&) = default;
};

/// One direction of a flow.
struct FlowTuple {
  Ip source;
  Ip destination;
  std::uint8_t protocol = 0;  ///< IANA's number
  Port source_port = 0;       ///< 0 for protocols without ports
  Port destination_port = 0;
};

struct Flow {
  FlowTuple original;  ///< as its first packet was sent
  FlowTuple reply;     ///< as the answers come, before they are translated back
  std::optional<std::uint32_t> id;
};

/// Reads one IPCTNL_MSG_CT_NEW message; nullopt if it is none or lacks a direction.
[[nodiscard]] std::optional<Flow> parse_flow(const MessageView& message);

/// The flows of one family in the socket's namespace; of all protocols or of one.
[[nodiscard]] Result<std::vector<Flow>> list_flows(Socket& netfilter, Ip::Family family,
                                                   std::optional<Protocol> protocol = std::nullopt);

/// Forgets the flows to an address of this host that match one of `filters`; that none does is fine.
[[nodiscard]] Status flush_flows(Socket& netfilter, Socket& route,
                                 std::span<const FlowFilter> filters);

}  // namespace berth::kernel
