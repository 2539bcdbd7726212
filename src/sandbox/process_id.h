// Naming a process so that it is never mistaken for another, and acting on it.
//
// A pid alone is reused; with its start time (field 22 of /proc/PID/stat, proc(5): clock ticks
// since boot) it is not. Every action opens a pidfd first, compares the start time after that, and
// acts through the pidfd, so there is no moment at which another process could be hit. A zombie
// counts as gone: it runs nothing and holds nothing.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/unique_fd.h"
#include "berth/result.h"

namespace berth::sandbox {

struct ProcessId {
  pid_t pid = 0;                 ///< in the caller's PID namespace
  std::uint64_t start_time = 0;  ///< clock ticks since boot

  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

/// The identity of the process that has `pid` now. kNotFound if there is none, or a zombie.
[[nodiscard]] Result<ProcessId> identify(pid_t pid);

[[nodiscard]] bool alive(const ProcessId& process);

/// A close-on-exec pidfd of exactly this process. kNotFound if it is gone.
[[nodiscard]] Result<UniqueFd> open_process(const ProcessId& process);

/// Sends the signal `number`. kNotFound if the process is gone.
[[nodiscard]] Status signal(const ProcessId& process, int number);

/// Waits until all of `processes` are gone; false if some are still there after `timeout`. Needs
/// one descriptor for each. Processes end on their own or by signal(): send all signals first.
[[nodiscard]] Result<bool> wait_gone(std::span<const ProcessId> processes,
                                     std::chrono::milliseconds timeout);

/// "SIGTERM", "TERM", "term", "RTMIN+3" or "15" as a number that kill(2) takes (1 to 64).
[[nodiscard]] Result<int> parse_signal(std::string_view text);

}  // namespace berth::sandbox
