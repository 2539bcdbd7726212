#include "sandbox/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/result.h"
#include "sandbox/foreground.h"
#include "sandbox/pidfd.h"
#include "sandbox/shim/options.h"
#include "sandbox/shim/protocol.h"
#include "sandbox/words.h"

namespace berth::sandbox {
namespace {

constexpr int kShimSyncFd = 3;
constexpr int kShimNetnsFd = 4;
// How long a shim may take to undo an unstarted sandbox before it is killed (which undoes it as
// well). Its work is one kill and one wait.
constexpr int kAbandonTimeoutMs = 5000;

Status check(const ProcessSpec& spec) {
  if (spec.argv.empty() || spec.argv.front().empty()) {
    return fail(ErrorKind::kInvalid, "sandbox {}: no command to run was given", spec.name);
  }
  struct stat status{};
  if (spec.rootfs && (!spec.rootfs->starts_with('/') || stat(spec.rootfs->c_str(), &status) != 0 ||
                      !S_ISDIR(status.st_mode))) {
    return fail(ErrorKind::kInvalid, "rootfs \"{}\": the absolute path of a directory is allowed",
                *spec.rootfs);
  }
  if (spec.detach && spec.log_file.empty()) {
    return fail(ErrorKind::kInvalid, "sandbox {}: a detached process needs a log file", spec.name);
  }
  if (spec.binds.size() > shim::kMaxBinds || spec.sysctls.size() > shim::kMaxSysctls ||
      (spec.user && spec.user->groups.size() > shim::kMaxGroups)) {
    return fail(ErrorKind::kInvalid,
                "sandbox {}: at most {} bind mounts, {} sysctls and {} groups of its user are "
                "allowed",
                spec.name, shim::kMaxBinds, shim::kMaxSysctls, shim::kMaxGroups);
  }
  if (spec.on_exit.size() + 2 > shim::kMaxOnExitWords) {
    return fail(ErrorKind::kInvalid, "an on-exit command of {} words: at most {} are allowed",
                spec.on_exit.size(), shim::kMaxOnExitWords - 2);
  }
  return {};
}

std::vector<std::string> shim_command(const ProcessSpec& spec) {
  std::vector<std::string> words{"berth-shim"};
  const auto add = [&](const char* option, const std::string& value) {
    if (value.empty()) return;
    words.emplace_back(option);
    words.push_back(value);
  };
  add("--id", spec.id);
  add("--name", spec.name);
  words.insert(words.end(), {"--hostname", spec.hostname});  // may be empty
  add("--domainname", spec.domainname);
  if (spec.rootfs) add("--rootfs", *spec.rootfs);
  add("--hosts", spec.hosts_file);
  add("--hostname-file", spec.hostname_file);
  add("--resolv", spec.resolv_file);
  if (spec.detach) add("--log", spec.log_file);
  add("--workdir", spec.workdir);
  add("--sync-fd", std::to_string(kShimSyncFd));
  if (spec.netns >= 0) add("--netns-fd", std::to_string(kShimNetnsFd));
  if (spec.detach) words.emplace_back("--detach");
  if (spec.tty) words.emplace_back("--tty");
  if (spec.open_stdin) words.emplace_back("--stdin");
  const auto add_flag = [&](const char* option, bool on) {
    if (on) words.emplace_back(option);
  };
  add_flag("--init", spec.init);
  add_flag("--read-only", spec.read_only);
  add_flag("--protect", spec.protect);
  add_flag("--no-new-privileges", spec.no_new_privileges);
  for (const auto& bind : spec.binds) {
    add(bind.read_only ? "--bind-ro" : "--bind", bind.source);
    add("--on", bind.target);
  }
  for (const auto& setting : spec.sysctls) add("--sysctl", setting);
  if (spec.user)
    add("--user",
        fmt::format("{} {}{}{}", spec.user->uid, spec.user->gid,
                    spec.user->groups.empty() ? "" : " ", fmt::join(spec.user->groups, " ")));
  if (spec.capabilities != kAllCapabilities)
    add("--capabilities", fmt::format("{:x}", spec.capabilities));
  const char* option = "--on-exit";
  for (const auto& word : spec.on_exit) {
    words.insert(words.end(), {std::exchange(option, "--on-exit-arg"), word});
  }
  words.emplace_back("--");
  words.insert(words.end(), spec.argv.begin(), spec.argv.end());
  return words;
}

// Starts the program with `sync` as its descriptor 3 and the namespace to join as 4. A detached one
// gets no streams of ours, one with a terminal (not -1) has that as its standard input.
Result<pid_t> start_shim(const ProcessSpec& spec, int sync, int terminal) {
  auto words = shim_command(spec);
  auto env = with_path(spec.env);
  // Copied above the numbers that they get, so that none of them is put over another.
  const auto copy_of = [](int fd) {
    return UniqueFd(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, kShimNetnsFd + 1));
  };
  const auto netns = copy_of(spec.netns);
  const auto socket = copy_of(sync);
  const auto slave = copy_of(terminal);
  if (!socket || (spec.netns >= 0 && !netns) || (terminal >= 0 && !slave))
    return fail_sys(errno, "copy a descriptor for the helper");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket.get(), kShimSyncFd);
  if (netns) posix_spawn_file_actions_adddup2(&actions, netns.get(), kShimNetnsFd);
  if (spec.detach) {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
    }
  }
  if (slave) posix_spawn_file_actions_adddup2(&actions, slave.get(), STDIN_FILENO);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, spec.shim.c_str(), &actions, nullptr, pointers(words).data(),
                                 pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return fail_sys(failed, "start the helper {}", spec.shim);
  return pid;
}

void reap(pid_t pid) {
  TEMP_FAILURE_RETRY(waitpid(pid, nullptr, 0));
}

// The next report; nullopt when the shim is gone.
std::optional<shim::Report> receive(int sync) {
  shim::Report report{};
  const auto size = TEMP_FAILURE_RETRY(recv(sync, &report, sizeof report, 0));
  if (size != sizeof report) return std::nullopt;
  report.failure.what[sizeof report.failure.what - 1] = '\0';
  return report;
}

Error shim_died(const std::string& name) {
  return Error{
      ErrorKind::kIo,
      fmt::format("sandbox {}: its helper berth-shim ended before its work was done", name)};
}

}  // namespace

Result<PendingProcess> PendingProcess::spawn(const ProcessSpec& spec) {
  TRY(check(spec));
  PendingProcess pending;
  if (spec.tty && !spec.detach) {
    pending.terminal_.emplace(TRY(Terminal::open("/", spec.open_stdin)));
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_sys(errno, "make a socket for the helper of sandbox {}", spec.name);
  }
  UniqueFd sync(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child =
      TRY(start_shim(spec, theirs.get(), pending.terminal_ ? pending.terminal_->slave() : -1));
  theirs.reset();
  const auto report = receive(sync.get());
  // A detached shim has forked itself off by now, and what was spawned is ending.
  if (spec.detach || !report || report->event != shim::Event::kReady) {
    if (!report) kill(child, SIGKILL);
    reap(child);
  }
  if (!report) return std::unexpected(shim_died(spec.name));
  if (report->event != shim::Event::kReady) {
    return std::unexpected(
        start_error(report->failure, spec.argv.front(), "sandbox " + spec.name).error);
  }
  pending.sync_ = std::move(sync);
  pending.name_ = spec.name;
  pending.command_ = spec.argv.front();
  pending.detach_ = spec.detach;
  pending.shim_.pid = report->shim_pid;
  pending.process_.pid = report->pid;
  pending.shim_fd_ = UniqueFd(pidfd_open(report->shim_pid, 0));
  if (!pending.shim_fd_) return fail_sys(errno, "open the helper of sandbox {}", spec.name);
  pending.shim_ = TRY(identify(report->shim_pid));
  // A process that could not make its mounts is a zombie of the shim now; start() will say why.
  pending.process_fd_ = UniqueFd(pidfd_open(report->pid, 0));
  if (const auto process = identify(report->pid)) pending.process_ = *process;
  return pending;
}

PendingProcess::~PendingProcess() {
  if (sync_) abandon();
}

void PendingProcess::abandon() {
  sync_.reset();  // the shim's order to undo everything
  if (shim_fd_) {
    pollfd event{shim_fd_.get(), POLLIN, 0};
    if (TEMP_FAILURE_RETRY(poll(&event, 1, kAbandonTimeoutMs)) == 0) {
      pidfd_send_signal(shim_fd_.get(), SIGKILL, nullptr, 0);
    }
  }
  if (!detach_) reap(shim_.pid);
}

std::expected<StartedProcess, StartError> PendingProcess::start() && {
  send(sync_.get(), &shim::kGo, 1, MSG_NOSIGNAL);  // a dead shim shows in what comes back
  const auto report = receive(sync_.get());
  if (report && report->event == shim::Event::kStarted) return StartedProcess(std::move(*this));
  abandon();
  if (!report) return std::unexpected(StartError(shim_died(name_)));
  return std::unexpected(start_error(report->failure, command_, "sandbox " + name_));
}

StartedProcess::StartedProcess(PendingProcess&& from)
    : process_(from.process_),
      shim_(from.shim_),
      sync_(std::move(from.sync_)),
      process_fd_(std::move(from.process_fd_)),
      name_(std::move(from.name_)),
      detach_(from.detach_),
      terminal_(std::move(from.terminal_)) {}

Result<int> StartedProcess::wait() && {
  auto foreground =
      TRY(Foreground::enter(process_fd_.get(), std::move(terminal_),
                            Foreground::Init{.pid = process_.pid, .shim = sync_.get()}));
  std::optional<int> exit_code;
  while (true) {
    TRY(foreground.wait_for(sync_.get()));
    const auto report = receive(sync_.get());
    if (!report) break;
    if (report->event == shim::Event::kExited) exit_code = report->exit_code;
  }
  if (!detach_) reap(shim_.pid);
  if (!exit_code) return std::unexpected(shim_died(name_));
  return *exit_code;
}

}  // namespace berth::sandbox
