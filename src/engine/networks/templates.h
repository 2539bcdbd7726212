// Templates (network create --config-only): networks that are never made, from which others take
// what they are like (--config-from). Docker's "configuration networks"; the rules are those of
// moby daemon/libnetwork/network.go, validateConfiguration and applyConfigurationTo.
#pragma once

#include "berth/engine.h"
#include "engine/state/state.h"

namespace berth::engine {

/// The template that `request` asks for, checked as far as it can be while the driver is open.
[[nodiscard]] Result<Network> make_template(const CreateNetwork& request);

/// `request` with what its template says. Refused where it says something about that itself.
[[nodiscard]] Result<CreateNetwork> from_template(State& state, const CreateNetwork& request);

/// The names of the networks that were made from it.
[[nodiscard]] Result<std::vector<std::string>> made_from(State& state, const Network& network);

}  // namespace berth::engine
