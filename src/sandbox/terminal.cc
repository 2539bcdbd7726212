#include "sandbox/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "base/result.h"
#include "sandbox/root.h"

namespace berth::sandbox {
namespace {

// All of `bytes`, waiting where the descriptor is one that does not block.
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = TEMP_FAILURE_RETRY(::write(fd, bytes.data(), bytes.size()));
    if (written < 0 && errno == EAGAIN) {
      pollfd writable{fd, POLLOUT, 0};
      ::poll(&writable, 1, -1);
      continue;
    }
    if (written < 0) return false;
    bytes.remove_prefix(written);
  }
  return true;
}

}  // namespace

Result<RawMode> RawMode::enter() {
  RawMode mode;
  UniqueFd terminal(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!terminal || ::tcgetattr(terminal.get(), &mode.before_) != 0)
    return fail_sys(errno, "read the settings of the terminal");
  termios raw = mode.before_;
  ::cfmakeraw(&raw);
  if (::tcsetattr(terminal.get(), TCSANOW, &raw) != 0)
    return fail_sys(errno, "make the terminal raw");
  mode.terminal_ = std::move(terminal);
  return mode;
}

RawMode::~RawMode() {
  if (!terminal_) return;
  // From a background group this would stop the caller (tcsetattr(3)).
  sigset_t stop;
  sigset_t before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTTOU);
  sigprocmask(SIG_BLOCK, &stop, &before);
  ::tcsetattr(terminal_.get(), TCSADRAIN, &before_);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

Result<Terminal> Terminal::open(const std::string& root, bool forward_input) {
  if (forward_input && ::isatty(STDIN_FILENO) == 0)
    return fail(ErrorKind::kInvalid,
                "--interactive and --tty were given but standard input is not a terminal; give "
                "one of the two");
  Terminal terminal;
  terminal.forward_input_ = forward_input;
  terminal.master_ = open_in_root(root, "dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  const int unlock = 0;
  if (!terminal.master_ || ::ioctl(terminal.master_.get(), TIOCSPTLCK, &unlock) != 0)
    return fail_sys(errno, "open a pseudo-terminal");
  terminal.slave_ =
      UniqueFd(::ioctl(terminal.master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.slave_) return fail_sys(errno, "open the other end of a pseudo-terminal");
  terminal.resize();
  return terminal;
}

Terminal::~Terminal() {
  // The kernel hands over all that was written before the read (n_tty_read).
  while (copy_output()) continue;
}

Status Terminal::begin() {
  if (forward_input_) raw_ = TRY(RawMode::enter());
  return {};
}

void Terminal::ask(std::span<pollfd, 2> events) const {
  const bool room = input_.empty();
  events[0] = {forward_input_ && room ? STDIN_FILENO : -1, POLLIN, 0};
  events[1] = {master_.get(), static_cast<short>(room ? POLLIN : POLLIN | POLLOUT), 0};
}

void Terminal::copy(std::span<const pollfd, 2> events) {
  if (events[0].revents != 0) read_input();
  if ((events[1].revents & POLLOUT) != 0) write_input();
  if ((events[1].revents & ~POLLOUT) != 0) copy_output();
}

void Terminal::read_input() {
  char bytes[4096];
  const auto size = TEMP_FAILURE_RETRY(::read(STDIN_FILENO, bytes, sizeof bytes));
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0) return hang_up();  // so did the caller's: a raw terminal has no other end
  input_.assign(bytes, size);
  typed_ += input_;
  write_input();
}

void Terminal::write_input() {
  const auto size = TEMP_FAILURE_RETRY(::write(master_.get(), input_.data(), input_.size()));
  if (size >= 0)
    input_.erase(0, size);
  else if (errno != EAGAIN)
    hang_up();
}

// False when there is nothing more to read now.
bool Terminal::copy_output() {
  if (!master_) return false;
  char bytes[4096];
  const auto size = TEMP_FAILURE_RETRY(::read(master_.get(), bytes, sizeof bytes));
  if (size < 0 && errno == EAGAIN) return false;
  // Where output can no longer go, the command learns that its terminal is gone.
  if (size > 0 && write_all(STDOUT_FILENO, {bytes, static_cast<std::size_t>(size)})) return true;
  hang_up();
  return false;
}

void Terminal::hang_up() {
  master_.reset();
  forward_input_ = false;
  input_.clear();
}

// What the line discipline does (n_tty_receive_char_special in drivers/tty/n_tty.c).
int Terminal::signal_of_key(pid_t init) {
  const auto typed = std::exchange(typed_, {});
  termios settings{};
  if (typed.empty() || !master_ || ::tcgetattr(slave_.get(), &settings) != 0 ||
      (settings.c_lflag & ISIG) == 0)
    return 0;
  pid_t group = 0;
  if (::ioctl(master_.get(), TIOCGPGRP, &group) != 0 || group != ::getpgid(init)) return 0;
  for (const auto& [key, signal] : {std::pair(VINTR, SIGINT), std::pair(VQUIT, SIGQUIT)})
    if (typed.find(static_cast<char>(settings.c_cc[key])) != typed.npos) return signal;
  return 0;
}

void Terminal::resize() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 &&
      ::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0)
    return;
  if (master_) ::ioctl(master_.get(), TIOCSWINSZ, &size);
}

}  // namespace berth::sandbox
