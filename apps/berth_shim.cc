// berth-shim: the parent of one sandbox's process.
//
// Job: make the process in new mount, UTS, IPC and PID namespaces and in a new network namespace or
// one that it is given, hold it until berth has attached its networks, let it go, log what it
// writes if it is detached, and run the on-exit program when it ends. It lives as long as its
// sandbox and knows nothing of networks.
//
// Theory of operation: berth starts the shim with one end of a sync socket; sandbox/shim/protocol.h
// is what the two say. The process makes its mounts while berth attaches the networks, and execs
// when both are done. Whatever dies, nothing remains:
//   berth before "go"   the socket ends; the shim kills the process and exits
//   the shim            the kernel kills the process: PR_SET_PDEATHSIG, and the "go" pipe's end of
//                       file if the shim died before that was set (getppid() cannot tell: it is 0
//                       in a new PID namespace)
//   the process         as the init of its PID namespace it takes all others in there with it
// PR_SET_PDEATHSIG is cleared when the command is a set-user-ID program that changes the user or
// has file capabilities (prctl(2)): only such a command can outlive a killed shim.
//
// In the foreground the shim and the process stay in berth's session and process group, so the
// terminal's Ctrl-C reaches the process; the shim itself blocks every signal. A foreground process
// has berth's own streams, or with --tty a pseudo-terminal whose text berth copies, and no log.
// Detached, the shim leads a session of its own and is no child of berth.
//
// The on-exit program replaces the shim, with the exit code as its last argument, PATH as its whole
// environment and the sync socket still open: a berth in the foreground sees the socket's end when
// the clean-up is done.
//
// Memory: one shim per sandbox, so it is static, allocates nothing, and its code is libc's and a
// few small files (no iostreams, fmt or exceptions); see /proc/PID/smaps_rollup.
//
// Debugging: `ps` shows its settings; `strace -f -p` shows the rest. Exit: 0 unless it could not do
// its work.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "sandbox/shim/init.h"
#include "sandbox/shim/launch.h"
#include "sandbox/shim/log_writer.h"
#include "sandbox/shim/mounts.h"
#include "sandbox/shim/options.h"
#include "sandbox/shim/privileges.h"
#include "sandbox/shim/protocol.h"
#include "sandbox/shim/streams.h"

namespace berth::shim {
namespace {

struct Pipe {
  int reader = -1;
  int writer = -1;
  [[nodiscard]] bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    reader = ends[0];
    writer = ends[1];
    return true;
  }
};

struct Sandbox {
  Options options;
  Streams streams;
  Pipe go;        // the process waits for one byte on it
  Pipe failures;  // see FailurePipe
  int log_fd = -1;
  int pidfd = -1;
  pid_t pid = -1;
};

void send_report(const Sandbox& sandbox, const Report& report) {
  // Nobody listening is not an error here: what follows does not depend on it.
  send(sandbox.options.sync_fd, &report, sizeof report, MSG_NOSIGNAL);
}

[[noreturn]] void fail(const Sandbox& sandbox, const Failure& failure) {
  send_report(sandbox, {.event = Event::kFailed, .failure = failure});
  _exit(1);
}

// The kernel kills this process when the shim dies; so does this, if that was before.
void die_with_shim(const Sandbox& sandbox, const FailurePipe& failures) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) failures.give_up("ask to die with the shim");
  pollfd reader{sandbox.failures.writer, 0, 0};
  if (poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR) != 0) _exit(1);
}

// "net.ipv4.ip_forward=1": a dot stands for a slash of the path, a slash for a dot (sysctl(8)).
void set(const char* setting, const FailurePipe& failures) {
  constexpr char kDirectory[] = "/proc/sys/";
  const char* equals = std::strchr(setting, '=');
  const std::size_t size = equals - setting;
  char path[256] = "/proc/sys/";
  if (equals == nullptr || size >= sizeof path - sizeof kDirectory) {
    failures.give_up(Stage::kSetup, EINVAL, "set %s", setting);
  }
  for (std::size_t i = 0; i < size; ++i) {
    const char byte = setting[i];
    path[sizeof kDirectory - 1 + i] = byte == '.' ? '/' : byte == '/' ? '.' : byte;
  }
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  const auto length = static_cast<ssize_t>(std::strlen(equals + 1));
  if (fd < 0 || write(fd, equals + 1, length) != length) failures.give_up("set %s", setting);
  close(fd);
}

// Streams that are the sandbox's alone, so that its user can open /dev/stdout.
void give_streams(const Privileges& privileges) {
  if (!privileges.has_user) return;
  for (int stream = 0; stream < 3; ++stream) {
    struct stat status;
    const bool is_own = isatty(stream) || (fstat(stream, &status) == 0 && S_ISFIFO(status.st_mode));
    [[maybe_unused]] const int given = is_own ? fchown(stream, privileges.uid, -1) : 0;
  }
}

// The sandbox's process, from its birth to its exec.
[[noreturn]] void become_process(const Sandbox& sandbox) {
  const FailurePipe failures(sandbox.failures.writer);
  const Options& options = sandbox.options;
  close(options.sync_fd);
  close(sandbox.go.writer);
  die_with_shim(sandbox, failures);
  if (options.netns_fd >= 0) join_network(options.netns_fd, failures);
  umask(0);
  if (sethostname(options.hostname, std::strlen(options.hostname)) != 0) {
    failures.give_up("set the host name \"%s\"", options.hostname);
  }
  if (options.domainname != nullptr &&
      setdomainname(options.domainname, std::strlen(options.domainname)) != 0) {
    failures.give_up("set the domain name \"%s\"", options.domainname);
  }
  make_mounts({.rootfs = options.rootfs,
               .hosts_file = options.hosts_file,
               .hostname_file = options.hostname_file,
               .resolv_file = options.resolv_file,
               .terminal = sandbox.streams.terminal(),
               .binds = options.binds,
               .bind_count = options.bind_count,
               .read_only = options.read_only,
               .no_devices = options.protect},
              failures);
  char go = 0;
  if (TEMP_FAILURE_RETRY(read(sandbox.go.reader, &go, 1)) != 1) _exit(1);
  for (std::size_t i = 0; i < options.sysctl_count; ++i) set(options.sysctls[i], failures);
  if (options.protect) protect_kernel(failures);
  if (chdir("/") != 0 || (options.workdir != nullptr && chdir(options.workdir) != 0)) {
    failures.give_up("change to the working directory %s",
                     options.workdir != nullptr ? options.workdir : "/");
  }
  sandbox.streams.use(failures);
  if (options.detach || options.tty) give_streams(options.privileges);
  take_privileges(options.privileges, failures);
  die_with_shim(sandbox, failures);  // another user does not, until it asks again
  if (options.init) become_init(options.command, failures);
  exec_command(options.command, failures);
}

// Leaves berth's session and parenthood: the parent exits, the child goes on.
void detach_from_starter(const Sandbox& sandbox) {
  const pid_t pid = fork();
  if (pid < 0) fail(sandbox, make_failure(Stage::kSetup, errno, "fork berth-shim"));
  if (pid > 0) _exit(0);
  setsid();
}

void make_process(Sandbox& sandbox) {
  const Options& options = sandbox.options;
  Failure failure{};
  if (options.detach) {
    sandbox.log_fd = open(options.log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (sandbox.log_fd < 0) {
      fail(sandbox, make_failure(Stage::kSetup, errno, "open the log %s", options.log_file));
    }
  }
  if (!sandbox.streams.open(options, failure)) fail(sandbox, failure);
  if (!sandbox.go.open() || !sandbox.failures.open()) {
    fail(sandbox, make_failure(Stage::kSetup, errno, "make a pipe"));
  }
  std::uint64_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID;
  if (options.netns_fd < 0) namespaces |= CLONE_NEWNET;
  sandbox.pid = fork_with(namespaces | CLONE_PIDFD, &sandbox.pidfd);
  if (sandbox.pid < 0) {
    fail(sandbox, make_failure(Stage::kSetup, errno, "make a process in new namespaces"));
  }
  if (sandbox.pid == 0) become_process(sandbox);
  if (options.netns_fd >= 0) close(options.netns_fd);  // the process alone keeps it
  close(sandbox.go.reader);
  close(sandbox.failures.writer);
  sandbox.streams.close_childs_ends();
}

int reap(const Sandbox& sandbox) {
  int status = 0;
  TEMP_FAILURE_RETRY(waitpid(sandbox.pid, &status, 0));
  char stands_for = 0;  // see protocol.h
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
      recv(sandbox.options.sync_fd, &stands_for, 1, MSG_DONTWAIT) == 1 && stands_for != kGo) {
    return kSignalExitBase + stands_for;
  }
  return exit_code_of(status);
}

// Holds the process until berth says go, and answers how its exec went.
void start_process(const Sandbox& sandbox) {
  send_report(sandbox,
              {.event = Event::kReady, .pid = sandbox.pid, .shim_pid = static_cast<int>(getpid())});
  char word = 0;
  if (TEMP_FAILURE_RETRY(recv(sandbox.options.sync_fd, &word, 1, 0)) != 1 || word != kGo) {
    kill(sandbox.pid, SIGKILL);
    reap(sandbox);
    _exit(0);
  }
  // A process that is dead already has left its reason in the pipe; SIGPIPE is blocked.
  [[maybe_unused]] const auto written = write(sandbox.go.writer, &kGo, 1);
  close(sandbox.go.writer);
  Failure failure{};
  if (read_failure(sandbox.failures.reader, failure)) {
    reap(sandbox);
    fail(sandbox, failure);
  }
  close(sandbox.failures.reader);
  send_report(sandbox, {.event = Event::kStarted});
}

// Ends as the on-exit program, if there is one.
int run_on_exit(Options& options, int exit_code) {
  if (options.on_exit_words == 0) return 0;
  char code[8];
  std::snprintf(code, sizeof code, "%d", exit_code);
  options.on_exit[options.on_exit_words] = code;
  char path[sizeof kDefaultPath];
  std::memcpy(path, kDefaultPath, sizeof path);
  char* environment[] = {path, nullptr};
  // The terminal's signals were for the process: one that waits here, or comes now, must not end the
  // program that records its end.
  setsid();
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_IGN);  // drops what is pending
  unblock_signals();
  execve(options.on_exit[0], options.on_exit, environment);
  std::fprintf(stderr, "berth-shim: run the on-exit program %s: %s\n", options.on_exit[0],
               std::strerror(errno));
  return 1;
}

int run(int argc, char* argv[]) {
  static Sandbox sandbox;
  Options& options = sandbox.options;
  if (!open_missing_streams() || !parse_options(argc, argv, options)) return 1;
  signal(SIGCHLD, SIG_DFL);  // ignored, the process's exit code would be lost (wait(2))
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  if (dup2(options.sync_fd, 3) < 0) {
    std::fprintf(stderr, "berth-shim: --sync-fd %d: %s\n", options.sync_fd, std::strerror(errno));
    return 1;
  }
  options.sync_fd = 3;
  if (options.netns_fd >= 0 && dup2(options.netns_fd, 4) < 0) {
    std::fprintf(stderr, "berth-shim: --netns-fd %d: %s\n", options.netns_fd, std::strerror(errno));
    return 1;
  }
  if (options.netns_fd >= 0) options.netns_fd = 4;
  close_range(options.netns_fd >= 0 ? 5 : 4, UINT_MAX, 0);

  if (options.detach) detach_from_starter(sandbox);
  make_process(sandbox);
  if (chdir("/") != 0) return 1;  // the starter's directory can be removed or unmounted
  start_process(sandbox);
  if (options.detach) {
    static LogWriter log(sandbox.log_fd);
    sandbox.streams.pump(sandbox.pidfd, log);
  }
  const int exit_code = reap(sandbox);
  send_report(sandbox, {.event = Event::kExited, .exit_code = exit_code});
  return run_on_exit(options, exit_code);
}

}  // namespace
}  // namespace berth::shim

int main(int argc, char* argv[]) {
  return berth::shim::run(argc, argv);
}
