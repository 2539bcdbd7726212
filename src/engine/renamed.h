// Devices of berth's that somebody has given another name.
//
// Theory of operation: berth knows its devices by name. One that is not there under it has been
// deleted, or only renamed: then it still works, and would be left behind, addresses and all. The
// MAC address, which berth has given it, tells.
#pragma once

#include <optional>
#include <span>

#include "berth/network.h"
#include "plan/apply.h"

namespace berth::engine {

/// What the sandbox's end of an endpoint is called, where deleting by name would leave it there:
/// its host end, or itself, is called otherwise by now. `endpoints` are all of the sandbox. What
/// cannot be looked up counts as gone.
[[nodiscard]] std::optional<IfName> under_another_name(plan::Kernel& kernel,
                                                       const plan::NsRef& sandbox,
                                                       const Endpoint& endpoint,
                                                       std::span<const Endpoint> endpoints);

/// What the bridge that was made for a network is called by now; none: there is no such bridge.
[[nodiscard]] Result<std::optional<IfName>> renamed_bridge(plan::Kernel& kernel,
                                                           const Network& network);

/// Refuses what a network whose bridge has been renamed cannot do.
[[nodiscard]] Status check_not_renamed(plan::Kernel& kernel, const Network& network);

}  // namespace berth::engine
