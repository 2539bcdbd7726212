// What the engine must know of the host before it plans: read from the kernel, never changed here.
#pragma once

#include <string>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/network.h"
#include "berth/result.h"
#include "kernel/netlink/socket.h"

namespace berth::engine {

inline constexpr std::string_view kIpForward = "net/ipv4/ip_forward";

/// Destinations of the host's routes (default routes left out): what a new subnet must not overlap.
[[nodiscard]] Result<std::vector<Cidr>> routed_prefixes(kernel::Socket& route);

/// The MTU of the device that the best default route goes by; 1500 where there is none.
[[nodiscard]] Result<std::uint32_t> default_mtu(kernel::Socket& route);

[[nodiscard]] Result<bool> link_exists(kernel::Socket& route, const IfName& name);

[[nodiscard]] Result<bool> ip_forward_on();

/// Whether the one default route of the namespace at `path` goes by `gateway`. It does not where
/// somebody inside has set another.
[[nodiscard]] Result<bool> has_default_route(const std::string& path,
                                             const std::optional<Ip>& gateway);

/// Subnets that the host is on: its routes without a gateway. A network over one of them would cut
/// the host off from its neighbours.
[[nodiscard]] Result<std::vector<Cidr>> connected_prefixes(kernel::Socket& route);

/// Whether bridged IPv4 frames pass through netfilter: br_netfilter is there and switched on
/// (net.bridge.bridge-nf-call-iptables).
[[nodiscard]] Result<bool> bridge_netfilter_on();

}  // namespace berth::engine
