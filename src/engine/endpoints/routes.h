// A network's routes (network create --route): checked when the network is made, and turned into an
// endpoint's when a sandbox joins.
//
// A gateway that is another sandbox ("via") may come before or after those who go by it, and leave
// before them: a route by way of it is unreachable while it is not on the network, so that nothing
// goes elsewhere, least of all to who has its address next; and in whoever has no address in one
// subnet with the gateway's. settle_routes() sees to that whenever
// somebody comes or goes. Whoever is the gateway itself does not get the route.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "berth/network.h"
#include "engine/state/state.h"
#include "plan/apply.h"

namespace berth::engine {

struct Draft;

/// Whether every endpoint of the network can have them: gateways inside its subnets, families that
/// it has, no two for the same destination and metric.
[[nodiscard]] Status check_routes(const Network& network);

/// What `joining` gets, with these addresses: the network's routes with gateway and metric in place
/// now. Refused where another of its endpoints (`others`) has a route of the same destination and
/// metric.
[[nodiscard]] Result<std::vector<Route>> routes_for(State& state, const Network& network,
                                                    const Sandbox& joining,
                                                    std::span<const Cidr> addresses,
                                                    std::span<const Endpoint> others);

/// Routes by way of sandboxes, in all who are on the network as `change` leaves it, lead to where
/// those are by then, and nowhere if they are not on it.
[[nodiscard]] Status update_via_routes(Draft& draft, plan::Kernel& kernel, const Network& network,
                                       const std::function<bool(const Sandbox&)>& is_alive);

/// Deletes one of the endpoint's routes.
[[nodiscard]] plan::DeleteRoute route_gone(const Route& route, const Endpoint& endpoint,
                                           const plan::NsRef& sandbox);
/// Deletes the endpoint's routes that do not go with its interface: blackholes and the like.
[[nodiscard]] plan::Plan unlinked_routes_gone(const Endpoint& endpoint, const plan::NsRef& sandbox);

}  // namespace berth::engine
