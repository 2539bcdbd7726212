// A sandbox's record as a request asks for it.
#pragma once

#include <string>
#include <vector>

#include "berth/engine.h"
#include "engine/sandboxes/modes.h"
#include "engine/state/draft.h"

namespace berth::engine {

/// A name that is free and allowed, or one made up.
[[nodiscard]] Result<std::string> name_for(State& state, const std::string& asked);
/// What `run` asks for, checked as far as it can be without the kernel.
[[nodiscard]] Result<Sandbox> sandbox_for(State& state, const RunProcess& request,
                                          const Mode& mode);
/// The networks that a sandbox of mode kNetworks starts on.
[[nodiscard]] std::vector<Attachment> networks_of(const RunProcess& request);
/// Whether each network is there, and given once.
[[nodiscard]] Status check_networks(State& state, const std::vector<Attachment>& networks);

}  // namespace berth::engine
