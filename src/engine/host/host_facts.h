// What the engine must know of the host before it plans: read from the kernel, never changed here.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/network.h"
#include "berth/result.h"
#include "kernel/netlink/route.h"
#include "kernel/netlink/socket.h"

namespace berth::engine {

/// The sysctl that makes the host forward packets of `family`.
[[nodiscard]] std::string_view forwarding_key(Ip::Family family);
[[nodiscard]] Result<bool> forwarding_on(Ip::Family family);
/// The devices by which the host has learned from router advertisements what goes unless it is
/// renewed: a prefix, a default route or another one.
[[nodiscard]] Result<std::set<IfName>> devices_with_routers(kernel::Socket& route);
/// accept_ra of those where it is 1: what forwarding would make deaf.
[[nodiscard]] Result<std::vector<std::string>> sysctls_of_devices_with_routers();

/// What a subnet that berth chooses keeps off, of one family.
struct HostPrefixes {
  std::vector<Cidr> needed;  ///< the host's own subnets, next hops and name servers: never taken
  std::vector<Cidr> routed;  ///< destinations of its other routes, but for default routes
};
[[nodiscard]] Result<HostPrefixes> host_prefixes(kernel::Socket& route, Ip::Family family);

/// The MTU of the device that the best default route goes by, in the table of `vrf` where one is
/// named; 1500 where there is none.
[[nodiscard]] Result<std::uint32_t> default_mtu(kernel::Socket& route, const IfName& vrf);

[[nodiscard]] Result<bool> link_exists(kernel::Socket& route, const IfName& name);

/// The links that are switched off in the namespace at `path`.
[[nodiscard]] Result<std::vector<IfName>> links_down(const std::string& path);

/// The routes of `family` of the namespace at `path`.
[[nodiscard]] Result<std::vector<kernel::Route>> routes_in(const std::string& path,
                                                           Ip::Family family);

/// A prefix that the host is on and that `subnet` overlaps, but for those of the link `except`: a
/// network there would cut the host off from its neighbours. A wider route without a gateway counts
/// only if it is that of an address: others, as a tunnel's, lead to the rest all the same.
[[nodiscard]] Result<std::optional<Cidr>> overlapped_link(kernel::Socket& route, const Cidr& subnet,
                                                          int except = 0);

/// Whether bridged IPv4 frames pass through netfilter: br_netfilter is there and switched on
/// (net.bridge.bridge-nf-call-iptables).
[[nodiscard]] Result<bool> bridge_netfilter_on();

/// Whether the kernel has IPv6.
[[nodiscard]] bool has_ipv6();
/// The error says why the host has no IPv6: not in the kernel, or switched off for all devices.
[[nodiscard]] Status check_ipv6_on();

/// A number that stays the same for this machine (/etc/machine-id, machine-id(5)) and `root`.
[[nodiscard]] std::uint64_t host_seed(std::string_view root);

}  // namespace berth::engine
