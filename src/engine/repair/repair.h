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
enum class StoreIs { kReadable, kLost };
/// Removes everything that the instance made, whatever state its store is in.
[[nodiscard]] std::vector<Error> reset_instance(Instance& instance,
                                                StoreIs store_is = StoreIs::kReadable);
/// The same where the store of `config` cannot be read; `why` not.
[[nodiscard]] std::vector<Error> reset_without_store(Instance& instance, const Config& config,
                                                     const Error& why);
/// Removes what another instance made in this network namespace whose store is lost.
[[nodiscard]] Status reset_foreign(Instance& instance);
/// After a restart of the machine the kernel's part of everything is gone, and in a new network
/// namespace if the old one is: records it so. Where the old one is still there, sets `elsewhere`.
[[nodiscard]] Status notice_reboot(Instance& instance);

}  // namespace berth::engine
