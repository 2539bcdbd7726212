// The bridge driver: network + endpoint -> the devices, addresses and routes they consist of.
//
// Theory of operation (documents: Linux bridge(8), veth(4); Docker's bridge driver). A network is a
// Linux bridge that carries the gateway's address. An endpoint is a veth pair: the host's end is a
// port of the bridge, the sandbox's end has the address and, on a network with a way out, the
// default route by the gateway.
//
// Two things depend on whether bridged frames pass through netfilter (br_netfilter):
//   They do not: with icc off every port is isolated, so that the bridge keeps the containers
//   apart. They do: the firewall's forward chain keeps them apart. What a published port sends back
//   into the bridge it came from then stays in the bridge (br_nf_pre_routing_finish), so a
//   container reaches its own published port only if its bridge port is in hairpin mode.
//
// Who may talk to whom beyond the bridge is the firewall's business (src/firewall).
// Pure: nothing here makes a system call; what must be known of the kernel comes in as facts.
#pragma once

#include "berth/network.h"
#include "plan/op.h"

namespace berth::drivers::bridge {

/// The bridge device with its gateway address. 127.0.0.1 of the host reaches published ports
/// through it, hence route_localnet (Documentation/networking/ip-sysctl.rst), which the firewall
/// guards.
[[nodiscard]] plan::Plan create(const Network& network, std::uint32_t mtu);
[[nodiscard]] plan::Plan remove(const Network& network);

/// The sandbox's interface. `bridge_netfilter`: bridged frames pass through netfilter.
[[nodiscard]] plan::Plan attach(const Network& network, const Endpoint& endpoint,
                                const plan::NsRef& sandbox, bool bridge_netfilter);
/// Switches the modes of a bridge port off that attach() leaves off: for a port that was attached
/// when bridged frames passed by another way.
[[nodiscard]] plan::Plan modes_off(const Network& network, const Endpoint& endpoint,
                                   bool bridge_netfilter);
[[nodiscard]] plan::Plan detach(const Endpoint& endpoint);

/// The default route of an endpoint.
[[nodiscard]] plan::AddRoute default_route(const Endpoint& endpoint, const plan::NsRef& sandbox);

}  // namespace berth::drivers::bridge
