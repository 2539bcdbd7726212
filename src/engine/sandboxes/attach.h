// Connecting a new sandbox to the networks that it starts on.
#pragma once

#include <vector>

#include "berth/engine.h"
#include "engine/state/draft.h"
#include "engine/targets/targets.h"

namespace berth::engine {

struct Instance;

/// Connects a new sandbox to the networks that `run` asks for, in their order.
[[nodiscard]] Result<std::vector<Endpoint>> attach_all(Instance& instance, Draft& draft,
                                                       const RunProcess& request,
                                                       TargetSandbox target);

}  // namespace berth::engine
