// Namespaces that live where this process does not see them.
//
// Theory of operation: a sandbox's namespace is known by a path, which tells nothing where it is a
// mount of another mount namespace (`ip netns exec`, `unshare -m`, a service with PrivateMounts),
// or the /proc of a process that has ended while others stay in the namespace. /proc has the
// namespaces and the mounts of all processes. The kernel gives the number of a namespace that has
// ended to the next one, so a number alone is no proof.
#pragma once

#include <optional>
#include <string>

#include "berth/network.h"
#include "engine/state/state.h"

namespace berth::engine {

/// A path that opens the namespace of `sandbox`, which its own path does not; none: it has ended.
/// Reads all of /proc: for when it seems to be gone.
[[nodiscard]] std::optional<std::string> find_netns(State& state, const Sandbox& sandbox);

}  // namespace berth::engine
