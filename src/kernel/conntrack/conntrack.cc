#include "kernel/conntrack/conntrack.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <set>
#include <tuple>

#include "base/result.h"
#include "kernel/netlink/route.h"

namespace berth::kernel {
namespace {

// Of CTA_FILTER_ORIG_FLAGS: compare the protocol. Part of the kernel's interface but in no header of
// it (net/netfilter/nf_internals.h).
constexpr std::uint32_t kCompareProtocol = 1 << 3;

constexpr std::uint16_t conntrack_type(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message);
}

Message conntrack_message(int type, std::uint8_t address_family) {
  return {conntrack_type(type), 0,
          nfgenmsg{.nfgen_family = address_family, .version = NFNETLINK_V0}};
}

std::uint8_t af_of(Ip::Family family) {
  return family == Ip::Family::kV4 ? AF_INET : AF_INET6;
}

void put_tuple(Message& message, std::uint16_t direction, const FlowTuple& tuple) {
  const bool v4 = tuple.source.is_v4();
  const auto nest = message.nest(direction);
  {
    const auto ip = message.nest(CTA_TUPLE_IP);
    message.put_ip(v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, tuple.source);
    message.put_ip(v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, tuple.destination);
  }
  {
    const auto protocol = message.nest(CTA_TUPLE_PROTO);
    message.put_u8(CTA_PROTO_NUM, tuple.protocol);
    message.put_be16(CTA_PROTO_SRC_PORT, tuple.source_port);
    message.put_be16(CTA_PROTO_DST_PORT, tuple.destination_port);
  }
}

std::optional<FlowTuple> read_tuple(const Attributes& attributes) {
  const auto ip = attributes.find(CTA_TUPLE_IP);
  const auto protocol = attributes.find(CTA_TUPLE_PROTO);
  if (!ip || !protocol) return std::nullopt;
  std::optional<Ip> source;
  std::optional<Ip> destination;
  for (const auto& attribute : ip->nested()) {
    if (attribute.type == CTA_IP_V4_SRC || attribute.type == CTA_IP_V6_SRC) source = attribute.ip();
    if (attribute.type == CTA_IP_V4_DST || attribute.type == CTA_IP_V6_DST)
      destination = attribute.ip();
  }
  if (!source || !destination) return std::nullopt;
  FlowTuple tuple{.source = *source, .destination = *destination};
  for (const auto& attribute : protocol->nested()) {
    if (attribute.type == CTA_PROTO_NUM) tuple.protocol = attribute.u8().value_or(0);
    if (attribute.type == CTA_PROTO_SRC_PORT) tuple.source_port = attribute.be16().value_or(0);
    if (attribute.type == CTA_PROTO_DST_PORT) tuple.destination_port = attribute.be16().value_or(0);
  }
  return tuple;
}

Request list_request(Ip::Family family, std::optional<Protocol> protocol) {
  auto message = conntrack_message(IPCTNL_MSG_CT_GET, af_of(family));
  if (protocol) {
    {
      const auto tuple = message.nest(CTA_TUPLE_ORIG);
      const auto number = message.nest(CTA_TUPLE_PROTO);
      message.put_u8(CTA_PROTO_NUM, static_cast<std::uint8_t>(*protocol));
    }
    const auto flags = message.nest(CTA_FILTER);
    message.put_u32(CTA_FILTER_ORIG_FLAGS, kCompareProtocol);
  }
  return {std::move(message), "list tracked flows"};
}

Request delete_request(const Flow& flow) {
  auto message = conntrack_message(IPCTNL_MSG_CT_DELETE, af_of(flow.original.source.family()));
  put_tuple(message, CTA_TUPLE_ORIG, flow.original);
  // The id keeps a new flow of the same addresses and ports out of it.
  if (flow.id) message.put_u32(CTA_ID, *flow.id);
  return {std::move(message),
          fmt::format("delete a tracked flow to {} port {}", flow.original.destination.str(),
                      flow.original.destination_port)};
}

std::optional<std::uint32_t> parse_count(const MessageView& message) {
  const auto entries = message.attributes(sizeof(nfgenmsg)).find(CTA_STATS_GLOBAL_ENTRIES);
  const auto count = entries ? entries->u32() : std::nullopt;
  return count ? std::optional(ntohl(*count)) : std::nullopt;
}

// Whether the namespace has any flow; asking that walks no table.
bool tracks_anything(Socket& netfilter) {
  const auto count = netfilter.get<std::uint32_t>(
      {conntrack_message(IPCTNL_MSG_CT_GET_STATS, AF_UNSPEC), "count tracked flows"}, &parse_count);
  return !count || count->value_or(1) != 0;
}

}  // namespace

std::optional<Flow> parse_flow(const MessageView& message) {
  if (message.type() != conntrack_type(IPCTNL_MSG_CT_NEW)) return std::nullopt;
  const auto attributes = message.attributes(sizeof(nfgenmsg));
  const auto original = attributes.find(CTA_TUPLE_ORIG);
  const auto reply = attributes.find(CTA_TUPLE_REPLY);
  if (!original || !reply) return std::nullopt;
  const auto there = read_tuple(original->nested());
  const auto back = read_tuple(reply->nested());
  if (!there || !back) return std::nullopt;
  Flow flow{.original = *there, .reply = *back};
  if (const auto id = attributes.find(CTA_ID)) flow.id = id->u32();
  return flow;
}

Result<std::vector<Flow>> list_flows(Socket& netfilter, Ip::Family family,
                                     std::optional<Protocol> protocol) {
  return netfilter.dump<Flow>(list_request(family, protocol), &parse_flow);
}

Status flush_flows(Socket& netfilter, Socket& route, std::span<const FlowFilter> filters) {
  if (filters.empty() || !tracks_anything(netfilter)) return {};
  const std::set<FlowFilter> wanted(filters.begin(), filters.end());
  std::set<std::pair<Ip::Family, Protocol>> tables;
  for (const auto& each : wanted) tables.emplace(each.destination.family(), each.protocol);

  std::map<Ip, bool> known;  // addresses met, and whether they are this host's
  const auto is_ours = [&](const Ip& address) -> Result<bool> {
    const auto met = known.find(address);
    if (met != known.end()) return met->second;
    return known[address] = TRY(is_local_address(route, address));
  };
  std::vector<Request> deletions;
  for (const auto& [family, protocol] : tables) {
    for (const auto& flow : TRY(list_flows(netfilter, family, protocol))) {
      const auto& [to, port] = std::tie(flow.original.destination, flow.original.destination_port);
      if (flow.original.protocol != static_cast<std::uint8_t>(protocol)) continue;
      if (!wanted.contains({protocol, to, port}) &&
          !wanted.contains({protocol, Ip::from_number(family, 0), port}))
        continue;
      if (TRY(is_ours(to))) deletions.push_back(delete_request(flow));
    }
  }
  for (auto& done : netfilter.batch(deletions))
    if (!done && done.error().sys != ENOENT) return std::move(done);  // ENOENT: it ended by itself
  return {};
}

}  // namespace berth::kernel
