// Devices of berth's that somebody has given another name.
//
// Theory of operation: berth knows its devices by name. One that is not there under it has been
// deleted, or only renamed: then it still works, and would be left behind, addresses and all. The
// MAC address, which berth has given it, tells. It tells as well whether what has the name is
// somebody else's (plan/whose.h).
#pragma once

#include <optional>
#include <span>

#include "berth/network.h"
#include "plan/apply.h"
#include "plan/op.h"

namespace berth::engine {

/// What the sandbox's end of an endpoint is called, where deleting by name would leave it there:
/// its host end, or itself, is called otherwise by now. `endpoints` are all of the sandbox. What
/// cannot be looked up counts as gone.
[[nodiscard]] std::optional<IfName> under_another_name(plan::Kernel& kernel,
                                                       const plan::NsRef& sandbox,
                                                       const Endpoint& endpoint,
                                                       std::span<const Endpoint> endpoints);

/// What the link that `made` would delete is called, if it has another name by now; none: it is
/// gone, has its name, or nothing tells it from others.
[[nodiscard]] Result<std::optional<IfName>> new_name_of(plan::Kernel& kernel,
                                                        const plan::DeleteLink& made);

/// Refuses what cannot be done on a network whose devices have been renamed, or have given their
/// names to somebody else's.
[[nodiscard]] Status check_not_renamed(plan::Kernel& kernel, const Network& network);

}  // namespace berth::engine
