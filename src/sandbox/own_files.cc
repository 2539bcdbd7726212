#include "sandbox/own_files.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/files.h"
#include "sandbox/root.h"
#include "sandbox/shim/etc.h"
#include "sandbox/start_error.h"

namespace berth::sandbox {
namespace {

bool is_same_file(int one, int other) {
  struct stat first;
  struct stat second;
  return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// Whether the process has not become its command or init yet: then its mounts are being made just
// now.
bool is_being_made(pid_t pid) {
  const auto name = read_text(fmt::format("/proc/{}/comm", pid));
  return !name || name->empty() || *name == "berth-shim\n";
}

// Whether the process is in the mount namespace of this one: then the files there are not a sandbox's
// to replace.
bool shares_our_mounts(pid_t pid) {
  struct stat its, ours;
  const auto path = fmt::format("/proc/{}/ns/mnt", pid);
  return stat(path.c_str(), &its) != 0 || stat("/proc/self/ns/mnt", &ours) != 0 ||
         (its.st_ino == ours.st_ino && its.st_dev == ours.st_dev);
}

// Mounts `file` on `target` in the mount namespace of the process that `pidfd` stands for.
Status mount_in(int pidfd, int file, const std::string& target) {
  const UniqueFd tree(open_tree(file, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!tree) return fail_sys(errno, "copy the mount of its own {}", target);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_sys(errno, "make a pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = fork();
  if (child < 0) return fail_sys(errno, "fork");
  if (child == 0) {  // setns(2): a process joins a mount namespace with all of its threads or not
    const shim::FailurePipe failures(writer.get());
    if (setns(pidfd, CLONE_NEWNS) != 0) failures.give_up("join its mount namespace");
    shim::restore_file(tree.get(), target.c_str(), failures);
    _exit(0);
  }
  writer.reset();
  shim::Failure failure{};
  const bool failed = shim::read_failure(reader.get(), failure);
  TEMP_FAILURE_RETRY(waitpid(child, nullptr, 0));
  if (failed) return std::unexpected(start_error(failure, {}, "its own " + target).error);
  return {};
}

}  // namespace

Result<std::vector<std::string>> restore_own_files(const ProcessId& process,
                                                   const std::string& directory) {
  const auto pidfd = TRY(open_process(process));
  const auto root = fmt::format("/proc/{}/root", process.pid);
  std::vector<std::string> restored;
  if (is_being_made(process.pid) || shares_our_mounts(process.pid)) return restored;
  for (const auto* name : {"hosts", "hostname", "resolv.conf"}) {
    const auto own = directory + "/" + name;
    const auto target = fmt::format("/etc/{}", name);
    const UniqueFd file(open(own.c_str(), O_PATH | O_CLOEXEC));
    // Removed with the sandbox whose network this one shares: it keeps what it has.
    if (!file && errno == ENOENT) continue;
    if (!file) return fail_sys(errno, "open {}", own);
    const auto seen = open_in_root(root, target.c_str(), O_PATH);
    if (seen && is_same_file(file.get(), seen.get())) continue;
    TRY(mount_in(pidfd.get(), file.get(), target));
    restored.emplace_back(name);
  }
  return restored;
}

}  // namespace berth::sandbox
