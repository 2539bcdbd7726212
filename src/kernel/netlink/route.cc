#include "kernel/netlink/route.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/result.h"

namespace berth::kernel {
namespace {

std::uint8_t af_of(Ip::Family family) {
  return family == Ip::Family::kV4 ? AF_INET : AF_INET6;
}

// "default via 192.168.100.1 metric 5", as `ip route` writes it.
std::string describe(const Route& route) {
  auto text = route.destination ? route.destination->str() : std::string("default");
  if (route.gateway) text += " via " + route.gateway->str();
  if (route.link_index != 0) text += fmt::format(" on the link with index {}", route.link_index);
  if (route.metric != 0) text += fmt::format(" metric {}", route.metric);
  return text;
}

void put_route(Message& message, const Route& route) {
  if (route.destination) message.put_ip(RTA_DST, route.destination->ip());
  if (route.gateway) message.put_ip(RTA_GATEWAY, *route.gateway);
  if (route.link_index != 0) message.put_u32(RTA_OIF, static_cast<std::uint32_t>(route.link_index));
  if (route.source) message.put_ip(RTA_PREFSRC, *route.source);
  if (route.metric != 0) message.put_u32(RTA_PRIORITY, route.metric);
}

rtmsg route_header(const Route& route) {
  return {
      .rtm_family = af_of(route.family),
      .rtm_dst_len = static_cast<std::uint8_t>(route.destination ? route.destination->prefix() : 0),
      .rtm_table = RT_TABLE_MAIN};
}

// The first next hop of a multipath route (a list of rtnexthop, each with its attributes).
void read_first_hop(Route& route, const Attribute& multipath) {
  const auto bytes = multipath.payload;
  rtnexthop hop;
  if (bytes.size() < sizeof hop) return;
  std::memcpy(&hop, bytes.data(), sizeof hop);
  if (hop.rtnh_len < sizeof hop || hop.rtnh_len > bytes.size()) return;
  route.link_index = hop.rtnh_ifindex;
  const Attributes attributes(bytes.subspan(sizeof hop, hop.rtnh_len - sizeof hop));
  if (const auto gateway = attributes.find(RTA_GATEWAY)) route.gateway = gateway->ip();
}

// Of a route, in the kernel's clock ticks; 0: for good.
std::int32_t lifetime(const Attribute& info) {
  rta_cacheinfo about{};
  if (info.payload.size() < sizeof about) return 0;
  std::memcpy(&about, info.payload.data(), sizeof about);
  return about.rta_expires;
}

}  // namespace

std::uint32_t default_metric(Ip::Family family) {
  constexpr std::uint32_t kOfIpv6 = 1024;  // IP6_RT_PRIO_USER of linux/ipv6_route.h
  return family == Ip::Family::kV4 ? 0 : kOfIpv6;
}

std::optional<Route> parse_route(const MessageView& message) {
  const auto header = message.header<rtmsg>();
  if (message.type() != RTM_NEWROUTE || !header) return std::nullopt;
  if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) return std::nullopt;
  Route route{.family = header->rtm_family == AF_INET ? Ip::Family::kV4 : Ip::Family::kV6,
              .type = header->rtm_type,
              .protocol = header->rtm_protocol};
  route.table = header->rtm_table;
  std::optional<Ip> destination;
  for (const auto& attribute : message.attributes(sizeof *header)) {
    switch (attribute.type) {
      case RTA_TABLE:
        route.table = attribute.u32().value_or(route.table);
        break;
      case RTA_DST:
        destination = attribute.ip();
        break;
      case RTA_GATEWAY:
        route.gateway = attribute.ip();
        break;
      case RTA_OIF:
        route.link_index = attribute.s32().value_or(0);
        break;
      case RTA_PREFSRC:
        route.source = attribute.ip();
        break;
      case RTA_CACHEINFO:
        route.expires = lifetime(attribute) != 0;
        break;
      case RTA_PRIORITY:
        route.metric = attribute.u32().value_or(0);
        break;
      case RTA_MULTIPATH:
        read_first_hop(route, attribute);
        break;
      default:
        break;
    }
  }
  if (destination && header->rtm_dst_len <= destination->bits())
    route.destination = Cidr(*destination, header->rtm_dst_len);
  // IPv6 names lo where there is no way (fib6_nh_init in net/ipv6/route.c), IPv4 nothing.
  if (route.type == RTN_BLACKHOLE || route.type == RTN_UNREACHABLE || route.type == RTN_PROHIBIT)
    route.link_index = 0;
  return route;
}

Result<std::vector<Route>> list_routes(Socket& socket, Ip::Family family, std::uint32_t table) {
  rtmsg header{.rtm_family = af_of(family)};
  if (table <= 0xff) header.rtm_table = static_cast<std::uint8_t>(table);
  Message message(RTM_GETROUTE, 0, header);
  if (table > 0xff) message.put_u32(RTA_TABLE, table);
  auto found = socket.dump<Route>({std::move(message), "list routes"}, &parse_route);
  // A namespace has no main table before its first route.
  if (!found && found.error().sys == ENOENT) return std::vector<Route>{};
  // A kernel without IPv6 answers with all families that it has (rtnl_dump_all).
  if (found)
    std::erase_if(*found,
                  [&](const Route& each) { return each.family != family || each.table != table; });
  return found;
}

Request add_route(const Route& route) {
  auto header = route_header(route);
  header.rtm_protocol = route.protocol;
  header.rtm_type = route.type;
  // A neighbour's scope is the link; what is further away, or nowhere, has the universe's.
  const bool on_link = route.type == RTN_UNICAST && !route.gateway;
  header.rtm_scope = on_link && route.family == Ip::Family::kV4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
  put_route(message, route);
  return {std::move(message), fmt::format("add route {}", describe(route))};
}

Request delete_route(const Route& route) {
  auto header = route_header(route);
  header.rtm_scope = RT_SCOPE_NOWHERE;  // of any scope
  if (route.type != RTN_UNICAST) header.rtm_type = route.type;
  Message message(RTM_DELROUTE, 0, header);
  auto which = route;  // without a metric the kernel takes the best of those that fit
  if (which.metric == 0) which.metric = default_metric(route.family);
  put_route(message, which);
  return {std::move(message), fmt::format("delete route {}", describe(route))};
}

Request append_local_route(const Ip& address, int link_index, std::uint32_t metric) {
  const Route route{.family = address.family(),
                    .destination = Cidr(address, address.bits()),
                    .link_index = link_index,
                    .metric = metric};
  auto header = route_header(route);
  header.rtm_table = RT_TABLE_LOCAL;
  header.rtm_type = RTN_LOCAL;
  header.rtm_protocol = route.protocol;
  header.rtm_scope = RT_SCOPE_HOST;
  // Without NLM_F_APPEND the kernel takes it for the route by lo (fib6_add_rt2node).
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, header);
  put_route(message, route);
  return {std::move(message), fmt::format("append local route {}", describe(route))};
}

Result<bool> has_local_route(Socket& socket, const Ip& address, int link_index) {
  const auto found = TRY(list_routes(socket, address.family(), RT_TABLE_LOCAL));
  return std::ranges::any_of(found, [&](const Route& each) {
    return each.type == RTN_LOCAL && each.link_index == link_index && each.destination &&
           each.destination->ip() == address;
  });
}

Result<bool> is_local_address(Socket& socket, const Ip& address) {
  Message message(RTM_GETROUTE, 0,
                  rtmsg{.rtm_family = af_of(address.family()),
                        .rtm_dst_len = static_cast<std::uint8_t>(address.bits())});
  message.put_ip(RTA_DST, address);
  const auto found = socket.get<Route>(
      {std::move(message), fmt::format("look up the route to {}", address.str())}, &parse_route);
  if (found) return *found && (*found)->type == RTN_LOCAL;
  // No way there, for whatever reason (fib_lookup's and ip6_route_output's errors).
  if (found.error().sys != 0) return false;
  return std::unexpected(found.error());
}

}  // namespace berth::kernel
