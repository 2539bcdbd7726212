// The instance lock, and what dead processes left in the journal.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "berth/result.h"
#include "engine/change/lock.h"

namespace berth::engine {

struct Instance;

/// Takes the instance lock and recovers what dead processes left in the journal.
[[nodiscard]] Result<InstanceLock::Held> lock_instance(Instance& instance);

/// The lock alone. An error if the instance was reset since it was opened, and while a snapshot is
/// held; kInUse if another process has the lock and `how` is LOCK_NB.
[[nodiscard]] Result<InstanceLock::Held> take_lock(Instance& instance, int how = 0);

/// Recovers what dead processes left, unless a living one is at work.
[[nodiscard]] Status recover_abandoned(Instance& instance);

using Documents = std::vector<std::pair<std::string, std::string>>;  // key, text
/// All documents whose keys begin with `prefix`.
[[nodiscard]] Result<Documents> list_documents(Instance& instance, std::string_view prefix);

/// Journal entries that could not be read and were set aside: what they began stays as it is until
/// reconcile compares kernel and store.
[[nodiscard]] Result<Documents> unreadable_entries(Instance& instance);

}  // namespace berth::engine
