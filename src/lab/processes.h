// Ending the processes that are in given network namespaces. Inside src/lab.
#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

#include "berth/result.h"
#include "sandbox/process_id.h"

namespace berth::lab {

/// The processes whose network namespace is one of `inodes`, but the calling one.
[[nodiscard]] Result<std::vector<sandbox::ProcessId>> processes_in(const std::set<ino_t>& inodes);

/// Sends SIGTERM to each process whose network namespace is one of `inodes`, SIGKILL to those that
/// are still there a second later, and returns when all are gone. Never the calling process.
[[nodiscard]] Status end_processes_in(const std::set<ino_t>& inodes);

}  // namespace berth::lab
