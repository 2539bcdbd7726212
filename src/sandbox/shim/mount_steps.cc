#include "sandbox/shim/mount_steps.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace berth::shim {

void give_up_mount(const char* type, const char* target, const FailurePipe& failures) {
  if (errno == EPERM) {
    failures.give_up(
        "mount %s on %s (needs CAP_SYS_ADMIN; in a user namespace also that the outer %s has "
        "nothing mounted over it)",
        type, target, target);
  }
  failures.give_up("mount %s on %s", type, target);
}

void mount_new(const char* type, const char* target, unsigned long flags, const char* options,
               const FailurePipe& failures) {
  if (mount(type, target, type, flags, options) != 0) give_up_mount(type, target, failures);
}

int copy_mount(int directory, const char* path, unsigned flags, Missing missing,
               const FailurePipe& failures) {
  const int tree = open_tree(directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
  if (tree < 0 && !(errno == ENOENT && missing == Missing::kIsFine)) {
    failures.give_up("copy the mount of %s", path);
  }
  return tree;
}

bool attach(int tree, const char* target, unsigned symlinks) {
  return move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH | symlinks) == 0;
}

void set_attributes(int directory, const char* path, unsigned flags, std::uint64_t attributes,
                    const FailurePipe& failures) {
  mount_attr wanted{};
  wanted.attr_set = attributes;
  if (mount_setattr(directory, path, flags, &wanted, sizeof wanted) != 0) {
    failures.give_up("set attributes of the mount %s", path);
  }
}

void make_directory(const char* path, const FailurePipe& failures) {
  if (mkdir(path, 0755) != 0 && errno != EEXIST) {
    failures.give_up("make the directory %s in the root file system", path);
  }
}

void make_file(const char* path, const FailurePipe& failures) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0 && errno != EEXIST) failures.give_up("make %s in the root file system", path);
  if (fd >= 0) close(fd);
}

bool is_directory(const char* path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_symlink(const char* path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

}  // namespace berth::shim
