// Repair: reconcile, reset, and what is done after a restart of the machine.
#pragma once

#include <vector>

#include "berth/engine.h"
#include "engine/state/draft.h"

namespace berth::engine {

struct Instance;

[[nodiscard]] Status prepare(Instance& instance, Draft& draft, const Reconcile& request);
[[nodiscard]] Status prepare(Instance& instance, Draft& draft, const Reset& request);

/// Makes the kernel agree with the store; what differed, and whether it was mended.
[[nodiscard]] Result<std::vector<Repair>> reconcile_instance(Instance& instance);
/// Removes everything that the instance made, whatever state its store is in.
[[nodiscard]] std::vector<Error> reset_instance(Instance& instance);
/// After a restart of the machine the kernel's part of everything is gone: records it so.
[[nodiscard]] Status notice_reboot(Instance& instance);

}  // namespace berth::engine
