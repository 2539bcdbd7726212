#include "sandbox/foreground.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/result.h"
#include "sandbox/pidfd.h"

namespace berth::sandbox {
namespace {

constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
constexpr int kPatience = 3;  // interrupts until the process is killed

}  // namespace

Result<Foreground> Foreground::enter(int process, bool tty) {
  sigset_t forwarded;
  sigemptyset(&forwarded);
  for (const int number : kForwarded) sigaddset(&forwarded, number);

  Foreground foreground;
  foreground.process_ = process;
  foreground.tty_ = tty;
  UniqueFd signals(signalfd(-1, &forwarded, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail_sys(errno, "make a signalfd");
  sigprocmask(SIG_BLOCK, &forwarded, &foreground.mask_before_);
  foreground.terminal_group_ = isatty(STDIN_FILENO) ? tcgetpgrp(STDIN_FILENO) : -1;
  foreground.signals_ = std::move(signals);
  return foreground;
}

Foreground::Foreground(Foreground&&) noexcept = default;

Foreground::~Foreground() {
  if (!signals_) return;
  if (terminal_group_ > 0 && tcgetpgrp(STDIN_FILENO) != terminal_group_) {
    // From a background group this would stop the caller (tcsetpgrp(3)).
    sigset_t stop;
    sigset_t before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTTOU);
    sigprocmask(SIG_BLOCK, &stop, &before);
    tcsetpgrp(STDIN_FILENO, terminal_group_);
    sigprocmask(SIG_SETMASK, &before, nullptr);
  }
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

Status Foreground::wait_for(int fd) {
  while (true) {
    pollfd events[] = {{fd, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    if (TEMP_FAILURE_RETRY(poll(events, 2, -1)) < 0) {
      return fail_sys(errno, "wait for the process");
    }
    if (events[1].revents != 0) forward();
    if (events[0].revents != 0) return {};
  }
}

void Foreground::forward() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    int number = static_cast<int>(info.ssi_signo);
    const bool is_interrupt = number == SIGINT || number == SIGTERM;
    const bool gave_up = is_interrupt && !tty_ && ++interrupts_ >= kPatience;
    if (gave_up) number = SIGKILL;
    if (info.ssi_code == SI_KERNEL && !gave_up) continue;
    // A process that has just ended needs no signal.
    if (process_ >= 0) pidfd_send_signal(process_, number, nullptr, 0);
  }
}

}  // namespace berth::sandbox
