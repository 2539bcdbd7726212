// What the drivers have in common: an interface in a sandbox gets its settings, addresses and
// routes, whatever kind of device it is. And what they must know of the kernel, as facts.
// Pure: nothing here makes a system call.
#pragma once

#include "berth/network.h"
#include "plan/op.h"

namespace berth::drivers {

/// What a driver must know of the host.
struct Facts {
  bool bridge_netfilter = false;   ///< bridged IPv4 frames pass through netfilter
  bool ipv6 = true;                ///< the kernel has IPv6
  bool heard_router = false;       ///< the host takes router advertisements on an adopted bridge
  std::uint16_t default_vlan = 1;  ///< that new ports of the network's bridge are in; 0: none
};

/// Whether an interface of this MTU (0: not known) can have IPv6: below 1280 bytes (RFC 8200, 5)
/// the kernel takes it away, settings and all.
[[nodiscard]] constexpr bool carries_ipv6(std::uint32_t mtu) {
  return mtu == 0 || mtu >= 1280;
}

/// Settings, addresses and routes of an interface that is there and down, and sets it up.
///
/// IPv6 is switched off where the endpoint has no IPv6 address: else the kernel would give it one
/// of its own (a link-local one, or what a router advertises). Where it has one, router
/// advertisements are not listened to, and the link-local address is usable at once
/// (Documentation/networking/ip-sysctl.rst: disable_ipv6, accept_ra, accept_dad).
[[nodiscard]] plan::Plan configure(const Network& network, const Endpoint& endpoint,
                                   const plan::NsRef& sandbox, const Facts& facts);

/// The default route of an endpoint in a family; none where it is no way out.
[[nodiscard]] std::optional<plan::AddRoute> default_route(const Network& network,
                                                          const Endpoint& endpoint,
                                                          const plan::NsRef& sandbox,
                                                          Ip::Family family);

}  // namespace berth::drivers
