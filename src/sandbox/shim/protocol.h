// What berth-shim and the process that started it say to one another.
//
// The sync socket is one end of a SOCK_SEQPACKET pair, so a message arrives whole and the death of
// either side is an end of file. In order:
//
//   shim:    kReady (the sandbox exists, its process waits)   or kFailed
//   starter: kGo                                              or end of file: undo everything
//   shim:    kStarted (the command runs)                      or kFailed
//   starter: the number of a signal: a SIGKILL that follows stands for it
//   shim:    kExited (with the exit code; nobody may be listening any more)
//   shim:    end of file, when the on-exit program is done too
//
// Both sides are built and installed together, so the structs go over the wire as they are.
#pragma once

#include <cstdint>

#include "sandbox/shim/failure.h"

namespace berth::shim {

inline constexpr char kGo = 'g';  // no signal's number: those are 1 to 64

/// The exit code that stands for a death by signal is this plus the signal, as in a shell.
inline constexpr int kSignalExitBase = 128;

enum class Event : std::int32_t { kReady, kStarted, kFailed, kExited };

struct Report {
  Event event;
  std::int32_t pid = 0;  ///< kReady: the sandbox's process
  std::int32_t shim_pid =
      0;  ///< kReady: the shim, which is not the child that was spawned if detached
  std::int32_t exit_code = 0;  ///< kExited: 0-255
  Failure failure{};           ///< kFailed
};

}  // namespace berth::shim
