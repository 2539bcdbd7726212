#include "sandbox/foreground.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>

#include "base/result.h"
#include "sandbox/pidfd.h"

namespace berth::sandbox {
namespace {

constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
// Blocked with them, and dropped: the copying hears of a reader that has gone from write(2).
constexpr int kDropped = SIGPIPE;
constexpr int kPatience = 3;  // interrupts until the process is killed

// Whether `signal` is neither handled, ignored nor blocked by the process (proc(5), status): each
// line is a mask in hexadecimal, whose bit 0 is signal 1.
bool is_at_default(pid_t pid, int signal) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("SigBlk:") && !line.starts_with("SigIgn:") &&
        !line.starts_with("SigCgt:"))
      continue;
    const auto mask = std::strtoull(line.c_str() + sizeof "SigBlk:" - 1, nullptr, 16);
    if ((mask >> (signal - 1) & 1) != 0) return false;
  }
  return true;
}

}  // namespace

Result<Foreground> Foreground::enter(int process, bool lent) {
  sigset_t forwarded;
  sigemptyset(&forwarded);
  for (const int number : kForwarded) sigaddset(&forwarded, number);
  sigaddset(&forwarded, kDropped);

  Foreground foreground;
  foreground.process_ = process;
  foreground.lent_ = lent;
  UniqueFd signals(signalfd(-1, &forwarded, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail_sys(errno, "make a signalfd");
  sigprocmask(SIG_BLOCK, &forwarded, &foreground.mask_before_);
  foreground.terminal_group_ = isatty(STDIN_FILENO) ? tcgetpgrp(STDIN_FILENO) : -1;
  foreground.signals_ = std::move(signals);
  return foreground;
}

Result<Foreground> Foreground::enter(int process, std::optional<Terminal> terminal,
                                     std::optional<Init> init) {
  auto foreground = TRY(enter(process, false));
  foreground.init_ = init;
  if (terminal) {
    foreground.terminal_.emplace(*std::move(terminal));
    TRY(foreground.terminal_->begin());
  }
  return foreground;
}

Foreground::Foreground(Foreground&&) noexcept = default;

Foreground::~Foreground() {
  if (!signals_) return;
  terminal_.reset();
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
  sigset_t dropped;
  sigemptyset(&dropped);
  sigaddset(&dropped, kDropped);
  constexpr timespec kNoTime{};
  sigtimedwait(&dropped, nullptr, &kNoTime);
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

Status Foreground::wait_for(int fd) {
  while (true) {
    pollfd events[] = {{fd, POLLIN, 0}, {signals_.get(), POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
    const auto terminals = std::span(events).last<2>();
    if (terminal_) terminal_->ask(terminals);
    if (TEMP_FAILURE_RETRY(poll(events, std::size(events), -1)) < 0) {
      return fail_sys(errno, "wait for the process");
    }
    if (events[1].revents != 0) forward();
    if (terminal_) terminal_->copy(terminals);
    if (terminal_ && init_) act_on_keys();
    if (events[0].revents != 0) return {};
  }
}

void Foreground::forward() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    const int number = static_cast<int>(info.ssi_signo);
    if (number == kDropped) continue;
    if (number == SIGWINCH && terminal_) {
      terminal_->resize();
      continue;
    }
    pass_on(number, info.ssi_code == SI_KERNEL && !terminal_);
  }
}

// `has_it`: whether the kernel has sent it to the process as well.
void Foreground::pass_on(int number, bool has_it) {
  const bool is_interrupt = number == SIGINT || number == SIGTERM;
  if (is_interrupt && !lent_ && ++interrupts_ >= kPatience) return end_by(number);
  if (init_ && number != SIGWINCH && is_at_default(init_->pid, number)) return end_by(number);
  // A process that has just ended needs no signal.
  if (process_ >= 0 && !has_it) pidfd_send_signal(process_, number, nullptr, 0);
}

// The terminal of its own turns Ctrl-C into a signal, which an init does not get.
void Foreground::act_on_keys() {
  const int number = terminal_->signal_of_key(init_->pid);
  if (number != 0 && is_at_default(init_->pid, number)) end_by(number);
}

void Foreground::end_by(int number) {
  if (process_ < 0) return;
  const char stands_for = static_cast<char>(number);
  if (init_) send(init_->shim, &stands_for, 1, MSG_NOSIGNAL);
  pidfd_send_signal(process_, SIGKILL, nullptr, 0);
}

}  // namespace berth::sandbox
