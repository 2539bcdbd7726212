// --init: the init of a sandbox's PID namespace, with the command as its child.
//
// It reaps what others leave behind, passes every signal on to the command and ends with the
// command's exit code. A signal that a terminal sends reaches the command as well, which is in the
// same process group, so that is not passed on. Docker's --init is tini, which does the same.
//
// Part of berth-shim: plain libc.
#pragma once

#include "sandbox/shim/failure.h"

namespace berth::shim {

/// The name that it has in /proc/PID/comm from here on.
inline constexpr char kInitName[] = "berth-init";

/// Runs `argv` in a child. Every signal must be blocked.
[[noreturn]] void become_init(char* const argv[], const FailurePipe& failures);

}  // namespace berth::shim
