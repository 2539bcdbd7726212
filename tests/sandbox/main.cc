// The sandbox tests run in user, mount and network namespaces of their own, so they need no root
// where the kernel allows that, and cannot touch the host.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE of the ctest entry

bool write_file(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

// Makes this user root of a new user namespace.
bool become_root() {
  const auto uid = std::to_string(getuid());
  const auto gid = std::to_string(getgid());
  return unshare(CLONE_NEWUSER) == 0 && write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", "0 " + uid + " 1") &&
         write_file("/proc/self/gid_map", "0 " + gid + " 1");
}

}  // namespace

int main(int argc, char* argv[]) {
  testing::InitGoogleTest(&argc, argv);
  if ((getuid() != 0 && !become_root()) || unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
      mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) {
    std::fprintf(stderr, "SKIPPED: the sandbox tests need private namespaces: %s\n",
                 std::strerror(errno));
    return kSkipped;
  }
  return RUN_ALL_TESTS();
}
