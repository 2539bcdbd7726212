// Targets: finding the sandbox that a request names. One of berth's own by name or id, netns:PATH,
// pid:N, or a container of another runtime (docker:NAME, podman:NAME, oci:ID).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "berth/engine.h"
#include "engine/state/draft.h"
#include "kernel/netns/netns.h"
#include "plan/op.h"

namespace berth::engine {

struct Instance;

/// A sandbox that a request names, and what must be known of its namespace.
struct TargetSandbox {
  Sandbox sandbox;
  plan::NsRef ns;
  bool loopback_down = false;  ///< foreign: whether its lo is down and is to be set up
};

/// The target of a request that adds to it; a namespace that berth does not know yet becomes a
/// foreign sandbox. What it finds dead goes to draft.dead.
[[nodiscard]] Result<TargetSandbox> find_target(Instance& instance, Draft& draft,
                                                const Target& reference);

/// The sandbox that `reference` means, alive or not.
[[nodiscard]] Result<Sandbox> find_sandbox(Instance& instance, State& state,
                                           const Target& reference);

/// The namespace file of a target that is not one of berth's sandboxes; nullopt for those. Asks the
/// container's runtime where one is named.
[[nodiscard]] Result<std::optional<std::string>> foreign_path(Instance& instance,
                                                              const Target& reference);

/// The namespace that netns:PATH, pid:N, docker:NAME and so on mean.
[[nodiscard]] Result<kernel::Netns> open_foreign(Instance& instance, const Target& reference);

/// Whether the target, a foreign namespace, has a default route that belongs to none of
/// `endpoints`, which are all that berth gave it.
[[nodiscard]] Result<bool> has_foreign_default(Instance& instance, Draft& draft,
                                               const TargetSandbox& target,
                                               std::span<const Endpoint> endpoints,
                                               Ip::Family family);

/// Whether what the record describes is still there: the process, the namespace.
[[nodiscard]] bool alive(const Sandbox& sandbox);

}  // namespace berth::engine
