// The pseudo-terminal of a command in the foreground (--tty), and the copying between it and the
// caller's terminal.
//
// Theory of operation: the command gets the slave as its three streams and its controlling
// terminal; berth holds the master. With input forwarded the caller's terminal is raw as long as
// the copying goes on, so every key, Ctrl-C too, is a byte that the slave's line discipline makes
// a signal of, for the command's own foreground group. Input is forwarded with --interactive only,
// and output goes to berth's standard output, as Docker's client has it. The slave stays open here,
// so that a command that closes its own end (to open /dev/tty later, say) does not hang it up.
//
// The caller's terminal gets its settings back in the destructor; berth reads the signals that
// would end it from a descriptor meanwhile (foreground.h), so only SIGKILL can prevent that.
#pragma once

#include <poll.h>
#include <termios.h>

#include <span>
#include <string>

#include "base/unique_fd.h"
#include "berth/result.h"

namespace berth::sandbox {

/// The settings of standard input, a terminal, to be put back when this ends.
class RawMode {
 public:
  RawMode() = default;
  [[nodiscard]] static Result<RawMode> enter();
  RawMode(RawMode&&) noexcept = default;
  RawMode& operator=(RawMode&&) noexcept = default;
  ~RawMode();

 private:
  UniqueFd terminal_;
  termios before_{};
};

class Terminal {
 public:
  /// A new pseudo-terminal of the devpts at /dev/pts in the directory `root`, so that it has a name
  /// for those who have that root, and as large as the caller's terminal. kInvalid if input is to
  /// be forwarded and standard input is no terminal.
  [[nodiscard]] static Result<Terminal> open(const std::string& root, bool forward_input);
  Terminal(Terminal&&) noexcept = default;
  Terminal& operator=(Terminal&&) = delete;
  /// Copies what output is left, and gives the caller's terminal its settings back.
  ~Terminal();

  /// The command's end.
  [[nodiscard]] int slave() const { return slave_.get(); }

  /// The command runs: makes the caller's terminal raw if input is forwarded.
  [[nodiscard]] Status begin();
  /// What poll(2) must wait for, and what to do with its answer.
  void ask(std::span<pollfd, 2> events) const;
  void copy(std::span<const pollfd, 2> events);
  /// The signal that a key has sent to the group of `init` since the last call; 0: none. The kernel
  /// has sent it to the others of that group.
  [[nodiscard]] int signal_of_key(pid_t init);
  /// Takes the window's size over from the caller's terminal.
  void resize();

 private:
  Terminal() = default;
  void read_input();
  void write_input();
  bool copy_output();
  void hang_up();

  UniqueFd master_;  // invalid: hung up
  UniqueFd slave_;
  bool forward_input_ = false;
  std::string input_;  // read, and not taken by the master yet
  std::string typed_;  // read since the last signal_of_key()
  RawMode raw_;
};

}  // namespace berth::sandbox
