// What macvlan and ipvlan networks have in common: sub-interfaces on one parent device of the host,
// and the host's own one among them.
//
// Theory of operation: the parent is a device that was there before, a VLAN of one that the network
// makes, or a dummy that it makes, which leads nowhere. The kernel lets nothing pass between a
// parent and its sub-interfaces, so host and containers reach each other only if the host has a
// sub-interface too (host_access). That one must not get in the way of the parent's own addresses,
// which are often of the same subnet:
//   Its addresses are alone in their prefixes (/32, /128), so that no route to the whole subnet
//   appears beside the parent's. What goes by it is a route for each endpoint's address.
//   It answers ARP for its own addresses only, and asks under them only (arp_ignore 1, arp_announce
//   2: Documentation/networking/ip-sysctl.rst). Else it would answer for the parent's addresses as
//   well, and the neighbours would learn the wrong MAC address for the host.
// Pure.
#pragma once

#include "berth/network.h"
#include "drivers/interface.h"
#include "plan/op.h"

namespace berth::drivers {

/// Makes the parent where it is the network's own, with that MTU, and sets it up.
[[nodiscard]] plan::Plan make_parent(const Network& network, std::uint32_t mtu, const Facts& facts);

/// Do sub-interfaces take part in the segment's ARP? Not in ipvlan's l3 modes.
[[nodiscard]] bool is_asked_by_arp(const Network& network);

/// Settings of the host's sub-interface, which is there and down; sets it up, and gives it its
/// addresses if nobody on the segment has them.
[[nodiscard]] plan::Plan configure_host_access(const Network& network, const Facts& facts);

/// The host's routes to an endpoint by its own sub-interface; none without host_access.
[[nodiscard]] plan::Plan host_routes(const Network& network, const Endpoint& endpoint);
/// Takes them back, and then deletes the sandbox's interface.
[[nodiscard]] plan::Plan detach_from_parent(const Network& network, const Endpoint& endpoint,
                                            const plan::NsRef& sandbox);

}  // namespace berth::drivers
