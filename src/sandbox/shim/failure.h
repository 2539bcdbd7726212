// How a process that is still being made tells its maker why it could not become its command.
//
// The write end of a close-on-exec pipe goes to the child. A child that cannot go on writes one
// Failure and exits; a child that execs closes the pipe by that. So the maker reads either a
// Failure or the end of the file, and knows without waiting for anything else.
//
// Part of berth-shim: plain libc, no allocation, no exceptions (see apps/berth_shim.cc).
#pragma once

#include <cstdint>

namespace berth::shim {

enum class Stage : std::int32_t {
  kSetup,  ///< the sandbox around the command could not be made
  kExec,   ///< execve(2) of the command itself refused
};

struct Failure {
  Stage stage;
  std::int32_t sys;  ///< errno
  char what[240];    ///< the operation in words, NUL-ended; cut where it would be longer
};
// One write(2) of at most PIPE_BUF (4096, POSIX: 512 at least) bytes arrives whole.
static_assert(sizeof(Failure) <= 512);

/// A Failure made from a printf format.
[[nodiscard, gnu::format(printf, 3, 4)]] Failure make_failure(Stage stage, int sys,
                                                              const char* format, ...);

/// The child's end.
class FailurePipe {
 public:
  explicit FailurePipe(int write_end) : fd_(write_end) {}

  /// Reports that the operation `format...` failed with errno `sys`, and ends this process.
  [[noreturn, gnu::format(printf, 4, 5)]] void give_up(Stage stage, int sys, const char* format,
                                                       ...) const;
  /// The same for the setup stage and the current errno.
  [[noreturn, gnu::format(printf, 2, 3)]] void give_up(const char* format, ...) const;

 private:
  [[noreturn]] void send_and_exit(const Failure& failure) const;
  int fd_;
};

/// The maker's end: waits for the child to fail (true, and what it said) or to exec or die (false).
[[nodiscard]] bool read_failure(int read_end, Failure& failure);

}  // namespace berth::shim
