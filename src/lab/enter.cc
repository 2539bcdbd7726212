// Running a command in a lab's host.
//
// Theory of operation: the child is forked on a thread that is in the host's network namespace,
// with a new mount namespace. As `ip netns exec` does it mounts a matching /sys and cuts all mounts
// off from the caller's; but the lab's directory is copied before and put back after that, so that
// it is still the caller's shared mount and files of namespaces can be made in it (see lab.h).
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/netns/netns.h"
#include "lab/layout.h"
#include "sandbox/foreground.h"
#include "sandbox/pidfd.h"
#include "sandbox/shim/launch.h"
#include "sandbox/shim/mounts.h"
#include "sandbox/words.h"

namespace berth::lab {
namespace {

using sandbox::StartError;

std::vector<std::string> host_environment(const Lab& lab, const Command& command) {
  std::vector<std::string> env;
  std::ranges::copy_if(command.env, std::back_inserter(env), [](const std::string& entry) {
    return !entry.starts_with("BERTH_ROOT=") && !entry.starts_with("BERTH_RUN=");
  });
  env.push_back("BERTH_ROOT=" + lab.root_of(command.host));
  env.push_back("BERTH_RUN=" + lab.run_of(command.host));
  return sandbox::with_path(std::move(env));
}

// The child. It allocates nothing: the thread that it is a copy of was not the only one.
[[noreturn]] void become_command(const Lab& lab, char* const argv[], char** env,
                                 const shim::FailurePipe& failures) {
  const char* directory = lab.directory.c_str();
  const int tree =
      open_tree(AT_FDCWD, directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0) failures.give_up("copy the mounts of %s", directory);
  shim::make_network_view(failures);
  if (move_mount(tree, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH) != 0)
    failures.give_up("put %s back", directory);
  environ = env;  // execvp(3) searches this PATH
  shim::exec_command(argv, failures);
}

struct Child {
  pid_t pid = -1;
  UniqueFd failures;  // the reading end
};

Result<Child> start(const Lab& lab, const Command& command) {
  const auto netns = TRY(kernel::Netns::open(lab.netns_of(command.host)));
  auto argv = command.argv;
  auto env = host_environment(lab, command);
  const auto argument_pointers = sandbox::pointers(argv);
  auto environment_pointers = sandbox::pointers(env);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_sys(errno, "make a pipe");
  UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const auto pid = TRY(kernel::run_in(netns, [&]() -> Result<pid_t> {
    const pid_t forked = shim::fork_with(CLONE_NEWNS);
    if (forked < 0)
      return fail_sys(errno, "start a process with a private mount namespace in host {}",
                      command.host);
    if (forked == 0)
      become_command(lab, argument_pointers.data(), environment_pointers.data(),
                     shim::FailurePipe(writer.get()));
    return forked;
  }));
  return Child{pid, std::move(reader)};
}

Result<int> wait_for(pid_t pid) {
  const UniqueFd process(pidfd_open(pid, 0));
  if (!process) return fail_sys(errno, "open process {}", pid);
  auto foreground = TRY(sandbox::Foreground::enter(process.get(), ::isatty(STDIN_FILENO) == 1));
  TRY(foreground.wait_for(process.get()));
  int status = 0;
  if (TEMP_FAILURE_RETRY(::waitpid(pid, &status, 0)) != pid)
    return fail_sys(errno, "wait for process {}", pid);
  return shim::exit_code_of(status);
}

Status check_host(const Lab& lab, const std::string& host) {
  if (lab.hosts.empty())
    return fail(ErrorKind::kCorrupt,
                "lab '{}' was not finished: remove what there is of it with 'berth lab down {}'",
                lab.name, lab.name);
  if (host == kSwitch || std::ranges::find(lab.hosts, host, &Host::name) != lab.hosts.end())
    return {};
  return fail(ErrorKind::kNotFound, "lab '{}' has no host '{}'; there are {} to {}, and {}",
              lab.name, host, lab.hosts.front().name, lab.hosts.back().name, kSwitch);
}

}  // namespace

std::expected<int, StartError> exec(const Lab& lab, const Command& command) {
  TRY(check_host(lab, command.host));
  if (command.argv.empty() || command.argv.front().empty())
    return std::unexpected(Error{ErrorKind::kInvalid, "no command to run was given"});
  const auto child = TRY(start(lab, command));
  shim::Failure failure{};
  if (shim::read_failure(child.failures.get(), failure)) {
    TEMP_FAILURE_RETRY(::waitpid(child.pid, nullptr, 0));
    return std::unexpected(sandbox::start_error(
        failure, command.argv.front(), fmt::format("exec in {}/{}", lab.name, command.host)));
  }
  return TRY(wait_for(child.pid));
}

}  // namespace berth::lab
