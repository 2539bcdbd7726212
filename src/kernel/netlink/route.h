// Routes of the main table (and, for reading, of a VRF's) over rtnetlink, IPv4 and IPv6 alike.
//
// Sources: net/ipv4/fib_frontend.c, net/ipv6/route.c; rtnetlink(7).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "berth/address.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

inline constexpr std::uint32_t kMainTable = 254;  // RT_TABLE_MAIN

struct Route {
  Ip::Family family = Ip::Family::kV4;
  std::optional<Cidr> destination;  ///< none: the default route
  std::optional<Ip> gateway;        ///< none: the destination is on the link itself
  int link_index = 0;               ///< of several next hops, the first one's; 0: none (blackhole)
  std::optional<Ip> source;         ///< the source address that the host prefers on this route
  std::uint32_t metric = 0;         ///< less is preferred; 0: the kernel's default
  std::uint8_t type = 1;            ///< RTN_* of linux/rtnetlink.h; RTN_UNICAST
  std::uint8_t protocol = 4;        ///< RTPROT_*, who made it; RTPROT_STATIC
  std::uint32_t table = kMainTable;
  bool expires = false;  ///< it goes unless it is renewed

  friend bool operator==(const Route&, const Route&) = default;
};

/// What a route gets that is added without a metric.
[[nodiscard]] std::uint32_t default_metric(Ip::Family family);

/// Reads one RTM_NEWROUTE message; nullopt if it is none.
[[nodiscard]] std::optional<Route> parse_route(const MessageView& message);

/// The table's routes, blackholes and their like among them (they occupy a subnet too).
[[nodiscard]] Result<std::vector<Route>> list_routes(Socket& socket, Ip::Family family,
                                                     std::uint32_t table = kMainTable);

/// A route of protocol "static", so that network managers and routing daemons leave it alone.
[[nodiscard]] Request add_route(const Route& route);
[[nodiscard]] Request delete_route(const Route& route);

/// One more way in for packets to `address`, one of this host's own: those that come by the link.
/// `ip route append local ADDRESS dev LINK table local metric N`. kExists if it is there.
[[nodiscard]] Request append_local_route(const Ip& address, int link_index, std::uint32_t metric);
[[nodiscard]] Result<bool> has_local_route(Socket& socket, const Ip& address, int link_index);

/// Whether packets to `address` are for this host, by its routing tables.
[[nodiscard]] Result<bool> is_local_address(Socket& socket, const Ip& address);

}  // namespace berth::kernel
