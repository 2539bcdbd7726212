// The ipvlan driver: network + endpoint -> the devices, addresses and routes they consist of.
//
// Theory of operation (documents: Documentation/networking/ipvlan.rst; Docker's ipvlan driver). An
// endpoint is an ipvlan on the network's parent, born in the sandbox. All ipvlans of a parent have
// its MAC address and are told apart by their IP addresses. In l2 mode they take part in the
// segment's ARP, and its router is their gateway. In the l3 modes the parent's own network stack
// routes for them: there is no neighbour to ask, so the default route is the device itself, and the
// segment's router needs routes to the endpoints. See ../parent.h for the parent and the host's
// access.
// Pure: nothing here makes a system call.
#pragma once

#include "berth/network.h"
#include "drivers/interface.h"
#include "plan/op.h"

namespace berth::drivers::ipvlan {

/// The parent, where it is the network's own, and the host's sub-interface.
[[nodiscard]] plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts);

/// The sandbox's interface, and the host's routes to it.
[[nodiscard]] plan::Plan attach(const Network& network, const Endpoint& endpoint,
                                const plan::NsRef& sandbox, const Facts& facts);

}  // namespace berth::drivers::ipvlan
