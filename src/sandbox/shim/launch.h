// Making a process and turning it into its command: the steps that berth-shim and `berth exec`
// share. Part of berth-shim: plain libc (see apps/berth_shim.cc).
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "sandbox/shim/failure.h"

namespace berth::shim {

/// Docker's PATH where none is given.
inline constexpr char kDefaultPath[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Opens /dev/null for each standard stream that is closed, so that no other file gets its number.
/// False if it cannot.
[[nodiscard]] bool open_missing_streams();

/// fork(2) with clone(2) flags: the child's pid in the parent, 0 in the child, -1 and errno on
/// failure. With CLONE_PIDFD in `flags`, `pidfd` receives a close-on-exec pidfd of the child.
[[nodiscard]] pid_t fork_with(std::uint64_t flags, int* pidfd = nullptr);

/// Moves this process into the network namespace that `netns_fd` stands for, and closes that.
void join_network(int netns_fd, const FailurePipe& failures);

/// Makes `fd` the standard stream `stream` (0, 1, 2), which survives exec. -1 leaves it as it is.
void use_as_stream(int fd, int stream, const FailurePipe& failures);

/// Replaces this process by `argv`, found in PATH of this process's environment: signals at their
/// defaults, none blocked, umask 022, and no file descriptor open but the three standard streams.
/// A failure is one of Stage::kExec.
[[noreturn]] void exec_command(char* const argv[], const FailurePipe& failures);

/// Every signal at its default, none blocked.
void unblock_signals();

/// 0-255 for an exit, 128 + signal for a death by signal; `status` is waitpid(2)'s.
[[nodiscard]] int exit_code_of(int status);

}  // namespace berth::shim
