#include "sandbox/exec.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/foreground.h"
#include "sandbox/pidfd.h"
#include "sandbox/shim/launch.h"
#include "sandbox/shim/mounts.h"
#include "sandbox/shim/privileges.h"
#include "sandbox/terminal.h"
#include "sandbox/words.h"

namespace berth::sandbox {
namespace {

// Where the command goes.
struct Place {
  // Joins its namespaces in a child; gives up on the pipe if it cannot.
  std::function<void(const shim::FailurePipe&)> join;
  std::string root;  // a path that leads to its root from here
  std::string name;  // for errors
};

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_sys(errno, "make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// `terminal`: the slave's descriptor, or -1.
void open_streams(const ExecSpec& spec, int terminal, const shim::FailurePipe& failures) {
  if (terminal >= 0) {
    if (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) != 0) {
      failures.give_up("make the pseudo-terminal the controlling one");
    }
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      shim::use_as_stream(terminal, stream, failures);
    }
    return;
  }
  if (!spec.detach && spec.open_stdin) return;
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) failures.give_up("open /dev/null");
  shim::use_as_stream(null, STDIN_FILENO, failures);
  if (!spec.detach) return;
  shim::use_as_stream(null, STDOUT_FILENO, failures);
  shim::use_as_stream(null, STDERR_FILENO, failures);
}

shim::Privileges privileges_of(const ExecSpec& spec) {
  shim::Privileges privileges{.capabilities = spec.capabilities,
                              .no_new_privileges = spec.no_new_privileges};
  if (!spec.user) return privileges;
  privileges.has_user = true;
  privileges.uid = spec.user->uid;
  privileges.gid = spec.user->gid;
  privileges.groups = spec.user->groups.data();
  privileges.group_count = spec.user->groups.size();
  return privileges;
}

// The command's process, inside the namespaces.
[[noreturn]] void become_command(const ExecSpec& spec, int terminal,
                                 const shim::FailurePipe& failures) {
  auto argv = spec.argv;
  auto env = with_path(spec.env);
  if (spec.detach) setsid();
  open_streams(spec, terminal, failures);
  if (spec.detach && chdir("/") != 0) failures.give_up("change to the working directory /");
  if (!spec.workdir.empty() && chdir(spec.workdir.c_str()) != 0) {
    failures.give_up("change to the working directory %s", spec.workdir.c_str());
  }
  if (spec.user && terminal >= 0 && fchown(terminal, spec.user->uid, -1) != 0) {
    failures.give_up("give the pseudo-terminal to user %u", spec.user->uid);
  }
  shim::take_privileges(privileges_of(spec), failures);
  auto environment = pointers(env);
  environ = environment.data();  // execvp(3) searches this PATH
  shim::exec_command(pointers(argv).data(), failures);
}

// Makes this process a child of the init of its PID namespace: an orphan goes to the init of its
// dead parent's namespace (kernel/exit.c, find_new_reaper), so the parent has to be in there too.
// The machine's init would do, but a sandbox could not end before that has reaped it.
void leave_to_init(const shim::FailurePipe& failures) {
  const pid_t pid = fork();
  if (pid < 0) failures.give_up("fork in the sandbox");
  if (pid > 0) _exit(0);
}

// The child that joins, makes the command's process, says its pid on `announce` and ends.
[[noreturn]] void join_and_fork(const ExecSpec& spec, const Place& place, int terminal,
                                int announce, const shim::FailurePipe& failures) {
  place.join(failures);
  const pid_t pid = shim::fork_with(spec.detach ? 0 : CLONE_PARENT);
  if (pid < 0) failures.give_up("fork in the sandbox");
  if (pid == 0) {
    if (spec.detach) leave_to_init(failures);
    become_command(spec, terminal, failures);
  }
  if (spec.detach) TEMP_FAILURE_RETRY(waitpid(pid, nullptr, 0));
  const bool said = write(announce, &pid, sizeof pid) == sizeof pid;
  _exit(said ? 0 : 1);
}

Result<int> wait_for(pid_t pid, std::optional<Terminal> terminal) {
  const UniqueFd process(pidfd_open(pid, 0));
  if (!process) return fail_sys(errno, "open process {}", pid);
  auto foreground = TRY(Foreground::enter(process.get(), std::move(terminal)));
  TRY(foreground.wait_for(process.get()));
  int status = 0;
  if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) != pid) {
    return fail_sys(errno, "wait for process {}", pid);
  }
  return shim::exit_code_of(status);
}

std::expected<int, StartError> run(const ExecSpec& spec, const Place& place) {
  if (spec.argv.empty() || spec.argv.front().empty()) {
    return std::unexpected(Error{ErrorKind::kInvalid, "no command to run was given"});
  }
  std::optional<Terminal> terminal;
  if (spec.tty && !spec.detach) terminal.emplace(TRY(Terminal::open(place.root, spec.open_stdin)));
  Pipe failures = TRY(make_pipe());
  Pipe announce = TRY(make_pipe());
  const pid_t joiner = fork();
  if (joiner < 0) return std::unexpected(system_error(errno, "fork"));
  if (joiner == 0) {
    join_and_fork(spec, place, terminal ? terminal->slave() : -1, announce.writer.get(),
                  shim::FailurePipe(failures.writer.get()));
  }
  failures.writer.reset();
  announce.writer.reset();

  pid_t pid = -1;
  const auto size = TEMP_FAILURE_RETRY(read(announce.reader.get(), &pid, sizeof pid));
  TEMP_FAILURE_RETRY(waitpid(joiner, nullptr, 0));
  const bool was_made = size == sizeof pid;
  shim::Failure failure{};
  if (shim::read_failure(failures.reader.get(), failure)) {
    if (was_made && !spec.detach) TEMP_FAILURE_RETRY(waitpid(pid, nullptr, 0));
    return std::unexpected(start_error(failure, spec.argv.front(), place.name));
  }
  if (!was_made) {
    return std::unexpected(Error{
        ErrorKind::kIo, fmt::format("{}: the process that was to join it was killed", place.name)});
  }
  if (spec.detach) return 0;
  return TRY(wait_for(pid, std::move(terminal)));
}

}  // namespace

std::expected<int, StartError> exec_in(const ProcessId& target, const ExecSpec& spec) {
  auto opened = open_process(target);
  if (!opened)
    return std::unexpected(in_context(std::move(opened).error(), "exec in {}", spec.sandbox));
  const UniqueFd process = *std::move(opened);
  const auto join = [&](const shim::FailurePipe& failures) {
    constexpr int kNamespaces =
        CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID;
    if (setns(process.get(), kNamespaces) != 0) {
      failures.give_up("join the namespaces of process %d", target.pid);
    }
  };
  return run(spec, {.join = join,
                    .root = fmt::format("/proc/{}/root", target.pid),
                    .name = "exec in " + spec.sandbox});
}

std::expected<int, StartError> exec_in_netns(int netns, const ExecSpec& spec) {
  const auto join = [&](const shim::FailurePipe& failures) {
    if (setns(netns, CLONE_NEWNET) != 0) failures.give_up("join the network namespace");
    if (unshare(CLONE_NEWNS) != 0) failures.give_up("make a private mount namespace");
    shim::make_network_view(failures);
  };
  return run(spec, {.join = join, .root = "/", .name = "exec in " + spec.sandbox});
}

}  // namespace berth::sandbox
