// The bridge driver: network + endpoint -> the devices, addresses and routes they consist of.
//
// Theory of operation (documents: Linux bridge(8), veth(4); Docker's bridge driver). A network is a
// Linux bridge that carries the gateways' addresses. An endpoint is a veth pair: the host's end is
// a port of the bridge, the sandbox's end has the addresses and, on a network with a way out, the
// default routes by the gateways.
//
// Two things depend on whether bridged frames pass through netfilter (br_netfilter):
//   They do not: with icc off every port is isolated, so that the bridge keeps the containers
//   apart. They do: the firewall's forward chain keeps them apart. What a published port sends back
//   into the bridge it came from then stays in the bridge (br_nf_pre_routing_finish), so a
//   container reaches its own published port only if its bridge port is in hairpin mode.
//
// A bridge that was there before the network is either adopted (it gets what it has not: the engine
// compares) or unmanaged (it gets nothing but ports). Either has others' machines on it, so an address
// that is asked for is probed.
//
// With a VLAN every port is an access port of it, the host's own too. With the MAC-spoof check a
// port is locked to its endpoint's address: frames from any other, ARP among them, go nowhere.
//
// Who may talk to whom beyond the bridge is the firewall's business (src/firewall).
// Pure: nothing here makes a system call; what must be known of the kernel comes in as facts.
#pragma once

#include "berth/network.h"
#include "drivers/interface.h"
#include "plan/op.h"

namespace berth::drivers::bridge {

/// The bridge's own addresses: the gateways', unless somebody else is to have them.
[[nodiscard]] std::vector<Cidr> host_addresses(const Network& network);

/// The bridge device with its gateways' addresses and its settings (docs/kernel-objects.md). 127.0.0.1
/// of the host reaches published ports through it, hence route_localnet
/// (Documentation/networking/ip-sysctl.rst), which the firewall guards.
[[nodiscard]] plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts);

/// The MAC address of the bridge that create() makes.
[[nodiscard]] Mac mac_of(const Network& network);

/// The access VLAN of the endpoint's port; 0: none.
[[nodiscard]] std::uint16_t vlan_of(const Network& network, const Endpoint& endpoint);

/// The sandbox's interface.
[[nodiscard]] plan::Plan attach(const Network& network, const Endpoint& endpoint,
                                const plan::NsRef& sandbox, const Facts& facts);
/// Switches the modes of a bridge port off that attach() leaves off: for a port that was attached
/// when bridged frames passed by another way.
[[nodiscard]] plan::Plan modes_off(const Network& network, const Endpoint& endpoint,
                                   const Facts& facts);
[[nodiscard]] plan::Plan detach(const Endpoint& endpoint, const plan::NsRef& sandbox);

}  // namespace berth::drivers::bridge
