// The macvlan driver: network + endpoint -> the devices, addresses and routes they consist of.
//
// Theory of operation (documents: ip-link(8) "MACVLAN Type Support", drivers/net/macvlan.c;
// Docker's macvlan driver). An endpoint is a macvlan with a MAC address of its own on the network's
// parent, born in the sandbox. To the parent's segment it is one more machine, so the segment's
// router is its gateway, and berth has no rules, ports or forwarding for it. See ../parent.h for
// the parent and the host's access. Pure: nothing here makes a system call.
#pragma once

#include "berth/network.h"
#include "drivers/interface.h"
#include "plan/op.h"

namespace berth::drivers::macvlan {

/// The parent, where it is the network's own, and the host's sub-interface.
[[nodiscard]] plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts);

/// The MAC address of the host's sub-interface, made as an endpoint's: of its IPv4 address, else of
/// the network's id.
[[nodiscard]] Mac host_mac(const Network& network);

/// The sandbox's interface, and the host's routes to it.
[[nodiscard]] plan::Plan attach(const Network& network, const Endpoint& endpoint,
                                const plan::NsRef& sandbox, const Facts& facts);

}  // namespace berth::drivers::macvlan
