// Tracked connections (flows): which there are, and forgetting those that a changed rule must not
// keep alive. A flow remembers the NAT it got with its first packet, so a port that is published,
// moved or withdrawn takes effect for running UDP traffic only once the old flow is gone.
//
// Theory of operation: flush_flows gives the kernel a filter (CTA_FILTER), and one message removes
// all that match. Where that cannot be trusted the flows are listed, compared here and deleted in
// batches: before Linux 6.11, which refuses the filter, and where the kernel's comparison has
// holes, as of 6.18 (ctnetlink_filter_match_tuple in net/netfilter/nf_conntrack_netlink.c): it
// compares no SCTP ports, and takes IPv6 addresses that differ for equal and equal ones for
// different.
//
// The socket is one of NETLINK_NETFILTER; it speaks for the namespace it was opened in.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "berth/address.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

/// Flows of one protocol for which all that is set here is true.
struct FlowFilter {
  Protocol protocol = Protocol::kTcp;
  std::optional<Ip> destination;         ///< where the first packet was sent, before any DNAT
  std::optional<Port> destination_port;  ///< likewise
  std::optional<Ip> reply_source;        ///< who answers: after a DNAT, the container
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

[[nodiscard]] bool matches(const FlowFilter& filter, const Flow& flow);

/// Every IPv4 and IPv6 flow of the socket's namespace.
[[nodiscard]] Result<std::vector<Flow>> list_flows(Socket& netfilter);

/// Removes the flows that match; that none does is fine. kInvalid if the filter's addresses are of
/// different families.
[[nodiscard]] Status flush_flows(Socket& netfilter, const FlowFilter& filter);
/// The way of older kernels: list the flows and delete those that match. flush_flows takes it where
/// it must.
[[nodiscard]] Status flush_flows_one_by_one(Socket& netfilter, const FlowFilter& filter);

}  // namespace berth::kernel
