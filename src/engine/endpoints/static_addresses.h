// Addresses that somebody else has chosen, as `berth attach` takes them: of the network's subnets
// or not, several of a family, with a gateway or none.
#pragma once

#include <span>

#include "berth/network.h"
#include "engine/instance.h"
#include "engine/state/draft.h"

namespace berth::engine {

/// Gives `endpoint`, which joins those of `others` in the target, the addresses it asks for and
/// their gateways. The default route comes to it with a gateway; a route of somebody else's stays,
/// and the gateway is refused.
[[nodiscard]] Status take_static_addresses(
    State& state, const Network& network, const Sandbox& sandbox, std::span<const Endpoint> others,
    const std::function<Result<bool>(Ip::Family)>& has_foreign_default, Endpoint& endpoint);

/// Whether an endpoint can have these link-local addresses beside its own.
[[nodiscard]] Status check_link_local(State& state, const Network& network,
                                      std::span<const Cidr> addresses);

}  // namespace berth::engine
