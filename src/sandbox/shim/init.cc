#include "sandbox/shim/init.h"

#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <csignal>

#include "sandbox/shim/launch.h"

namespace berth::shim {

// Reaps whatever has ended; ends with the command if that was among them.
static void reap_all(pid_t command) {
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == command) _exit(exit_code_of(status));
  }
}

void become_init(char* const argv[], const FailurePipe& failures) {
  prctl(PR_SET_NAME, kInitName);
  const pid_t command = fork();
  if (command < 0) failures.give_up("fork the command");
  if (command == 0) exec_command(argv, failures);
  syscall(SYS_close_range, 3U, UINT_MAX, 0);  // the command alone tells how its exec went
  sigset_t all;
  sigfillset(&all);
  while (true) {
    siginfo_t signal;
    const int number = sigwaitinfo(&all, &signal);
    if (number == SIGCHLD) reap_all(command);
    if (number > 0 && number != SIGCHLD && signal.si_code != SI_KERNEL) kill(command, number);
  }
}

}  // namespace berth::shim
