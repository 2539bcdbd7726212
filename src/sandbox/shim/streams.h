// The standard streams of a sandbox's process.
//
//   in the foreground   what the shim itself has: berth's terminal, pipes or files. Standard input
//                       only with --stdin, else /dev/null (Docker's rule, so that a loop that
//                       reads a list and runs a sandbox for each line keeps its list).
//   foreground, --tty   a pseudo-terminal whose other end berth has: the shim's standard input.
//   detached            standard input /dev/null, or with --stdin a pipe that stays open and empty;
//                       standard output and error pipes into the log.
//   detached, --tty     a pseudo-terminal whose output goes into the log; its input stays open.
//
// Ownership: the descriptors live as long as the shim; all are close-on-exec. Part of berth-shim:
// plain libc.
#pragma once

#include "sandbox/shim/failure.h"
#include "sandbox/shim/log_writer.h"
#include "sandbox/shim/options.h"

namespace berth::shim {

class Streams {
 public:
  /// Opens what `options` ask for. On failure returns false and says why in `failure`.
  [[nodiscard]] bool open(const Options& options, Failure& failure);

  /// The path of the terminal among the streams, as the host sees it; null if there is none.
  [[nodiscard]] const char* terminal() const { return terminal_[0] != '\0' ? terminal_ : nullptr; }

  /// In the child: makes them streams 0, 1 and 2, and a pseudo-terminal the controlling one.
  void use(const FailurePipe& failures) const;

  /// In the shim, once the child has its copies.
  void close_childs_ends();

  /// Logs what the process writes until `process` (a pidfd) says that it has ended, and then what
  /// it left behind.
  void pump(int process, LogWriter& log);

 private:
  [[nodiscard]] bool open_terminal(Failure& failure);
  void adopt_terminal();
  [[nodiscard]] bool open_pipes(Failure& failure);
  bool pump_once(int& source, Stream stream, LogWriter& log);

  char terminal_[64] = {};
  int in_ = -1;  ///< the child's; -1: inherited
  int out_ = -1;
  int err_ = -1;
  int stdin_writer_ = -1;  ///< held open so that the child sees no end of file
  int out_reader_ = -1;    ///< what is logged; the terminal's master with --tty
  int err_reader_ = -1;
  bool has_terminal_ = false;
};

}  // namespace berth::shim
