// What a network's endpoints share a segment with: endpoints of the networks beside it
// (State::on_one_segment) and the host itself. What others have put there only a probe tells.
#pragma once

#include <span>
#include <vector>

#include "berth/network.h"
#include "engine/state/state.h"
#include "kernel/netlink/socket.h"

namespace berth::engine {

/// The host's own addresses on the segment: those of the network's parent, or of its bridge if that
/// was there before it; of the families of the network, and of `given`. Of a bridge that berth
/// makes none: its only address is the gateway.
[[nodiscard]] Result<std::vector<Ip>> addresses_of_host(kernel::Socket& route,
                                                        const Network& network,
                                                        std::span<const Cidr> given = {});

/// `subnet` with those of `kept` that are in it among its auxiliary addresses: none is given out.
[[nodiscard]] Subnet keeping(Subnet subnet, std::span<const Ip> kept);

/// Refuses `ip` if it is one of `hosts`, which addresses_of_host() has found.
[[nodiscard]] Status check_not_hosts(const Network& network, std::span<const Ip> hosts,
                                     const Ip& ip);

/// With host_access: routes to those of `hosts` in the endpoint's subnets, by way of the host's own
/// sub-interface. A sub-interface cannot speak with its parent, and the host is known by the
/// parent's address. Where one of `others`, the sandbox's endpoints, leads already, a further route
/// waits for that one's end with a higher metric.
[[nodiscard]] std::vector<Route> routes_to_host(const Network& network, std::span<const Ip> hosts,
                                                const Endpoint& endpoint,
                                                std::span<const Endpoint> others);

/// Refuses a MAC address that the host or an endpoint has on the segment.
[[nodiscard]] Status check_mac(State& state, kernel::Socket& route, const Network& network,
                               const Mac& mac);

}  // namespace berth::engine
