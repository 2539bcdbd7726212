// The lock of an instance: the file `lock` in --root, which the kernel unlocks if its holder dies.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "berth/result.h"

namespace berth::engine {

/// Waits for the lock; with LOCK_NB as `how` it is kInUse where another process has it. kNotFound if
/// the instance was reset meanwhile, and the file is not the one that others lock any more.
[[nodiscard]] Result<UniqueFd> lock_instance(const std::string& root, int how = 0);

}  // namespace berth::engine
