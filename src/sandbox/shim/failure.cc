#include "sandbox/shim/failure.h"

#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

namespace berth::shim {
namespace {

Failure format_failure(Stage stage, int sys, const char* format, std::va_list arguments) {
  Failure failure{stage, sys, {}};
  std::vsnprintf(failure.what, sizeof failure.what, format, arguments);
  return failure;
}

}  // namespace

Failure make_failure(Stage stage, int sys, const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  const Failure failure = format_failure(stage, sys, format, arguments);
  va_end(arguments);
  return failure;
}

void FailurePipe::give_up(Stage stage, int sys, const char* format, ...) const {
  std::va_list arguments;
  va_start(arguments, format);
  const Failure failure = format_failure(stage, sys, format, arguments);
  va_end(arguments);
  send_and_exit(failure);
}

void FailurePipe::give_up(const char* format, ...) const {
  const int sys = errno;
  std::va_list arguments;
  va_start(arguments, format);
  const Failure failure = format_failure(Stage::kSetup, sys, format, arguments);
  va_end(arguments);
  send_and_exit(failure);
}

void FailurePipe::send_and_exit(const Failure& failure) const {
  // Nobody left to read it: the exit says as much.
  [[maybe_unused]] const auto written = TEMP_FAILURE_RETRY(write(fd_, &failure, sizeof failure));
  _exit(1);
}

bool read_failure(int read_end, Failure& failure) {
  const auto size = TEMP_FAILURE_RETRY(read(read_end, &failure, sizeof failure));
  if (size != sizeof failure) return false;
  failure.what[sizeof failure.what - 1] = '\0';
  return true;
}

}  // namespace berth::shim
