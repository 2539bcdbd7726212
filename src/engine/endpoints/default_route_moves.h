// A sandbox's default routes, when endpoints come and go (the rule: default_route.h).
#pragma once

#include <vector>

#include "engine/state/draft.h"
#include "engine/targets/targets.h"
#include "plan/op.h"

namespace berth::engine {

struct Instance;

/// Decides for each family whether the default route goes by the last of `endpoints`, which is
/// joining or has a new lease, and notes it there. Returns what takes it away from another one.
[[nodiscard]] Result<plan::Plan> choose_default_routes(Instance& instance, Draft& draft,
                                                       const TargetSandbox& target,
                                                       std::vector<Endpoint>& endpoints);
/// Moves the default routes of `sandbox` from `leaving` to the best of the endpoints that stay.
[[nodiscard]] Status hand_on_default_routes(Draft& draft, const Sandbox& sandbox,
                                            const Endpoint& leaving,
                                            const std::vector<Endpoint>& all_leaving);

}  // namespace berth::engine
