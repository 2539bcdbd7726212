#include "kernel/conntrack/conntrack.h"

#include <fmt/format.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/result.h"

namespace berth::kernel {
namespace {

// What CTA_FILTER_ORIG_FLAGS and CTA_FILTER_REPLY_FLAGS say of a tuple's members: compare this one.
// Part of the kernel's interface but in no header of it (net/netfilter/nf_internals.h).
constexpr std::uint32_t kCompareSource = 1 << 0;
constexpr std::uint32_t kCompareDestination = 1 << 1;
constexpr std::uint32_t kCompareProtocol = 1 << 3;
constexpr std::uint32_t kCompareDestinationPort = 1 << 5;

constexpr std::uint16_t conntrack_type(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message);
}

Message conntrack_message(int type, std::uint8_t address_family) {
  return {conntrack_type(type), 0,
          nfgenmsg{.nfgen_family = address_family, .version = NFNETLINK_V0}};
}

std::uint8_t family_of(const Ip& ip) {
  return ip.is_v4() ? AF_INET : AF_INET6;
}

std::string describe(const FlowFilter& filter) {
  auto text = fmt::format("delete {} flows", name(filter.protocol));
  if (filter.destination) text += " to " + filter.destination->str();
  if (filter.destination_port) text += fmt::format(" port {}", *filter.destination_port);
  if (filter.reply_source) text += " answered by " + filter.reply_source->str();
  return text;
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

// Whether the kernel compares all that the filter says, and rightly.
bool kernel_can_filter(const FlowFilter& filter) {
  const auto is_v6 = [](const std::optional<Ip>& ip) { return ip && !ip->is_v4(); };
  if (is_v6(filter.destination) || is_v6(filter.reply_source)) return false;
  return filter.protocol != Protocol::kSctp || !filter.destination_port;
}

// Deletes whatever matches in one message. It always names a CTA_TUPLE_ORIG, and an incomplete one:
// a kernel that knows no filter takes that for one flow badly described and refuses it, where
// without a tuple it would take the message for "delete all".
Request delete_request(const FlowFilter& filter, std::uint8_t address_family) {
  auto message = conntrack_message(IPCTNL_MSG_CT_DELETE, address_family);
  std::uint32_t original = kCompareProtocol;
  {
    const auto tuple = message.nest(CTA_TUPLE_ORIG);
    if (filter.destination) {
      original |= kCompareDestination;
      const auto ip = message.nest(CTA_TUPLE_IP);
      message.put_ip(CTA_IP_V4_DST, *filter.destination);
    }
    {
      const auto protocol = message.nest(CTA_TUPLE_PROTO);
      message.put_u8(CTA_PROTO_NUM, static_cast<std::uint8_t>(filter.protocol));
      if (filter.destination_port) {
        original |= kCompareDestinationPort;
        message.put_be16(CTA_PROTO_DST_PORT, *filter.destination_port);
      }
    }
  }
  if (filter.reply_source) {
    const auto tuple = message.nest(CTA_TUPLE_REPLY);
    const auto ip = message.nest(CTA_TUPLE_IP);
    message.put_ip(CTA_IP_V4_SRC, *filter.reply_source);
  }
  {
    const auto flags = message.nest(CTA_FILTER);
    message.put_u32(CTA_FILTER_ORIG_FLAGS, original);
    if (filter.reply_source) message.put_u32(CTA_FILTER_REPLY_FLAGS, kCompareSource);
  }
  return {std::move(message), describe(filter)};
}

Request delete_request(const Flow& flow, const std::string& operation) {
  auto message = conntrack_message(IPCTNL_MSG_CT_DELETE, family_of(flow.original.source));
  put_tuple(message, CTA_TUPLE_ORIG, flow.original);
  // The id keeps a new flow of the same addresses and ports out of it.
  if (flow.id) message.put_u32(CTA_ID, *flow.id);
  return {std::move(message), operation};
}

// The families that a filter can match.
std::vector<std::uint8_t> families(const FlowFilter& filter) {
  if (filter.destination) return {family_of(*filter.destination)};
  if (filter.reply_source) return {family_of(*filter.reply_source)};
  return {AF_INET, AF_INET6};
}

Status check(const FlowFilter& filter) {
  if (filter.destination && filter.reply_source &&
      filter.destination->family() != filter.reply_source->family())
    return fail(ErrorKind::kInvalid,
                "{}: one address is IPv4 and the other IPv6; a flow has addresses of one family",
                describe(filter));
  return {};
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

bool matches(const FlowFilter& filter, const Flow& flow) {
  return flow.original.protocol == static_cast<std::uint8_t>(filter.protocol) &&
         (!filter.destination || flow.original.destination == *filter.destination) &&
         (!filter.destination_port || flow.original.destination_port == *filter.destination_port) &&
         (!filter.reply_source || flow.reply.source == *filter.reply_source);
}

Result<std::vector<Flow>> list_flows(Socket& netfilter) {
  std::vector<Flow> flows;
  for (const std::uint8_t family : {AF_INET, AF_INET6}) {
    auto some = TRY(netfilter.dump<Flow>(
        {conntrack_message(IPCTNL_MSG_CT_GET, family), "list tracked flows"}, &parse_flow));
    flows.insert(flows.end(), some.begin(), some.end());
  }
  return flows;
}

Status flush_flows(Socket& netfilter, const FlowFilter& filter) {
  TRY(check(filter));
  if (!kernel_can_filter(filter)) return flush_flows_one_by_one(netfilter, filter);
  for (const auto family : families(filter)) {
    const auto done = netfilter.request(delete_request(filter, family));
    if (done) continue;
    // Before 6.11 a filter is EOPNOTSUPP, or the tuple is found incomplete first.
    if (done.error().sys == EOPNOTSUPP || done.error().sys == EINVAL)
      return flush_flows_one_by_one(netfilter, filter);
    return done;
  }
  return {};
}

Status flush_flows_one_by_one(Socket& netfilter, const FlowFilter& filter) {
  TRY(check(filter));
  const auto operation = describe(filter);
  std::vector<Request> requests;
  for (const auto& flow : TRY(list_flows(netfilter)))
    if (matches(filter, flow)) requests.push_back(delete_request(flow, operation));
  for (auto& done : netfilter.batch(requests))
    if (!done && done.error().sys != ENOENT) return std::move(done);  // ENOENT: it ended by itself
  return {};
}

}  // namespace berth::kernel
