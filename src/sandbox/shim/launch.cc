#include "sandbox/shim/launch.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>

#include "sandbox/shim/protocol.h"

namespace berth::shim {

bool open_missing_streams() {
  for (int stream = 0; stream < 3; ++stream) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    if (open("/dev/null", O_RDWR) != stream) return false;  // the lowest number that is free
  }
  return true;
}

pid_t fork_with(std::uint64_t flags, int* pidfd) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(pidfd);
  // A sibling takes its maker's exit signal, and clone3 refuses to be told one.
  arguments.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

void join_network(int netns_fd, const FailurePipe& failures) {
  if (setns(netns_fd, CLONE_NEWNET) != 0) failures.give_up("join the network namespace");
  close(netns_fd);
}

void use_as_stream(int fd, int stream, const FailurePipe& failures) {
  if (fd < 0 || fd == stream) return;
  if (dup2(fd, stream) < 0) failures.give_up("make descriptor %d the stream %d", fd, stream);
}

// An ignored signal would stay ignored (execve(2)). By the raw system call, because libc's refuses
// the two real-time signals that it uses itself, and a parent may have ignored those too. All
// zeroes is the kernel's sigaction with SIG_DFL on every architecture.
static void reset_signals() {
  constexpr unsigned long kDefault[8] = {};
  for (int number = 1; number < NSIG; ++number) {
    syscall(SYS_rt_sigaction, number, kDefault, nullptr, (NSIG - 1) / 8);
  }
}

void unblock_signals() {
  reset_signals();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void exec_command(char* const argv[], const FailurePipe& failures) {
  unblock_signals();
  umask(022);
  if (syscall(SYS_close_range, 3U, UINT_MAX, CLOSE_RANGE_CLOEXEC) != 0) {
    failures.give_up("mark every descriptor close-on-exec");
  }
  execvp(argv[0], argv);
  failures.give_up(Stage::kExec, errno, "run \"%s\"", argv[0]);
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? kSignalExitBase + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace berth::shim
