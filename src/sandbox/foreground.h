// Standing in for a process in the foreground: waiting for it, and passing on the signals that
// berth gets meanwhile.
//
// SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and SIGWINCH are blocked and read from a
// signalfd while a Foreground lives, and sent to the process. A terminal sends its signals to the
// whole foreground process group, which the process shares unless it has a terminal of its own, so
// one that the kernel sent (signalfd_siginfo.ssi_code SI_KERNEL) is not sent twice.
//
// A sandbox's process is the init of its PID namespace, for which the kernel drops signals that it
// does not handle (pid_namespaces(7)): Ctrl-C would not end `run -- sleep 100`. So the signal's
// default action is taken here: where the process neither handles, ignores nor blocks the signal it
// is killed, and its exit code is 128 + that signal, as it would be outside of a sandbox. So that a
// terminal can always be had back, the third SIGINT or SIGTERM kills any process, unless it was lent
// the caller's terminal: there Ctrl-C is its own matter. (Docker's client gives up at the third as
// well, but leaves the container running.)
//
// For a process with a terminal of its own (terminal.h) the Foreground copies to and fro, and a
// SIGWINCH sets that terminal's size, of which the kernel tells the process.
//
// A shell in the process's place makes itself the caller's terminal's foreground group; when the
// Foreground goes, the group that had the terminal before gets it back. For single-threaded
// programs (the CLI).
#pragma once

#include <sys/types.h>

#include <csignal>
#include <optional>

#include "base/unique_fd.h"
#include "berth/result.h"
#include "sandbox/terminal.h"

namespace berth::sandbox {

class Foreground {
 public:
  /// The init of a sandbox, and the socket of its shim, which is told what a SIGKILL stands for.
  struct Init {
    pid_t pid;
    int shim;
  };

  /// `process` is a pidfd, which must outlive this; -1 if it is gone already. Without a terminal
  /// of its own it shares the caller's streams; `lent`: and is in charge of the caller's terminal.
  [[nodiscard]] static Result<Foreground> enter(int process, bool lent);
  [[nodiscard]] static Result<Foreground> enter(int process, std::optional<Terminal> terminal,
                                                std::optional<Init> init = std::nullopt);
  Foreground(Foreground&&) noexcept;
  Foreground& operator=(Foreground&&) = delete;
  ~Foreground();

  /// Passes signals and the terminal's text on until `fd` is readable or at its end.
  [[nodiscard]] Status wait_for(int fd);

 private:
  Foreground() = default;
  void forward();
  void pass_on(int number, bool has_it);
  void act_on_keys();
  void end_by(int number);

  int process_ = -1;
  bool lent_ = false;
  std::optional<Terminal> terminal_;
  std::optional<Init> init_;
  int interrupts_ = 0;
  UniqueFd signals_;  // valid: this is the one to restore what enter() changed
  sigset_t mask_before_{};
  pid_t terminal_group_ = -1;
};

}  // namespace berth::sandbox
