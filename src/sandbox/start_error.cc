#include "sandbox/start_error.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/result.h"

namespace berth::sandbox {

StartError start_error(const shim::Failure& failure, std::string_view command,
                       std::string_view where) {
  if (failure.stage == shim::Stage::kSetup) {
    return in_context(system_error(failure.sys, failure.what), "{}", where);
  }
  // ENOENT with a slash may also be a missing interpreter; without one, execvp(3) searched PATH.
  const bool not_found = failure.sys == ENOENT || failure.sys == ENOTDIR;
  const int code = not_found ? kExitNotFound : kExitNotExecutable;
  if (failure.sys == ENOENT && command.find('/') == std::string_view::npos) {
    return {Error{ErrorKind::kNotFound,
                  fmt::format("{}: run \"{}\": executable file not found in PATH", where, command),
                  failure.sys},
            code};
  }
  // Not system_error(): a file that is not executable is no missing capability.
  auto error = system_error(failure.sys, std::string());
  error.message =
      fmt::format("{}: {}: {}", where, failure.what, std::generic_category().message(failure.sys));
  return {std::move(error), code};
}

}  // namespace berth::sandbox
