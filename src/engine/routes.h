// A network's routes (network create --route): checked when the network is made, and turned into an
// endpoint's when a sandbox joins.
//
// A gateway that is another sandbox ("via") is looked up at that moment: the route keeps the
// address which the sandbox then has. Whoever is the gateway itself does not get the route.
#pragma once

#include <span>
#include <vector>

#include "berth/network.h"
#include "engine/state.h"
#include "plan/op.h"

namespace berth::engine {

/// Whether every endpoint of the network can have them: gateways inside its subnets, families that
/// it has, no two for the same destination and metric.
[[nodiscard]] Status check_routes(const Network& network);

/// What `joining` gets: the network's routes with gateway and metric in place. Refused where
/// another of its endpoints (`others`) has a route of the same destination and metric.
[[nodiscard]] Result<std::vector<Route>> routes_for(State& state, const Network& network,
                                                    const Sandbox& joining,
                                                    std::span<const Endpoint> others);

/// Refuses where another sandbox of the network has a route by way of `leaving`.
[[nodiscard]] Status check_not_on_the_way(State& state, const Network& network,
                                          const Sandbox& leaving);

/// Deletes the endpoint's routes that do not go with its interface: blackholes and the like.
[[nodiscard]] plan::Plan unlinked_routes_gone(const Endpoint& endpoint, const plan::NsRef& sandbox);

}  // namespace berth::engine
