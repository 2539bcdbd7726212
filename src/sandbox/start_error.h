// Why a command did not run, with the exit code that stands for it.
//
// The codes are Docker's (docs/reference/commandline/run "Exit status"), which scripts know: 125
// the sandbox itself failed, 126 the command cannot be run, 127 it cannot be found.
#pragma once

#include <string_view>
#include <utility>

#include "berth/result.h"
#include "sandbox/shim/failure.h"

namespace berth::sandbox {

inline constexpr int kExitSandboxFailed = 125;
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;

struct StartError {
  Error error;
  int exit_code = kExitSandboxFailed;

  StartError(Error why) : error(std::move(why)) {}  // NOLINT: so that TRY passes an Error on
  StartError(Error why, int code) : error(std::move(why)), exit_code(code) {}
};

/// From what a child said before it died. `command` is argv[0], `where` a name for the sandbox.
[[nodiscard]] StartError start_error(const shim::Failure& failure, std::string_view command,
                                     std::string_view where);

}  // namespace berth::sandbox
