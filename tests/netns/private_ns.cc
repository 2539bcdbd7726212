#include "private_ns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace berth::testing {
namespace {

Status write_file(const char* path, std::string_view text) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  if (!file) return fail_sys(errno, "open {}", path);
  if (write(file.get(), text.data(), text.size()) < 0)
    return fail_sys(errno, "write '{}' to {}", text, path);
  return {};
}

// user_namespaces(7): an ordinary user may map its own ids only, and setgroups must be given up.
Status become_root_of_new_user_namespace() {
  const auto uid = geteuid();
  const auto gid = getegid();
  if (unshare(CLONE_NEWUSER) != 0) return fail_sys(errno, "make a user namespace");
  TRY(write_file("/proc/self/setgroups", "deny"));
  TRY(write_file("/proc/self/uid_map", fmt::format("0 {} 1", uid)));
  TRY(write_file("/proc/self/gid_map", fmt::format("0 {} 1", gid)));
  return {};
}

class ScratchDir {
 public:
  ScratchDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "berth-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

Status enter_private_namespaces() {
  if (geteuid() != 0) TRY(become_root_of_new_user_namespace());
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
    return fail_sys(errno, "make a network and a mount namespace");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail_sys(errno, "make every mount private");
  return {};
}

const std::string& scratch_dir() {
  static const ScratchDir dir;
  return dir.path();
}

}  // namespace berth::testing
