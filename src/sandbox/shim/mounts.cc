#include "sandbox/shim/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <initializer_list>

namespace berth::shim {
namespace {

constexpr unsigned long kNoPrivileges = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr char kShmOptions[] = "mode=1777,size=65536k";  // Docker's default --shm-size, 64 MiB

// Whether something of the host that is not there is an error.
enum class Missing : bool { kFails, kIsFine };

// Says why `type` could not be mounted on `target` (errno).
[[noreturn]] void give_up_mount(const char* type, const char* target, const FailurePipe& failures) {
  if (errno == EPERM) {
    failures.give_up(
        "mount %s on %s (needs CAP_SYS_ADMIN; in a user namespace also that the outer %s has "
        "nothing "
        "mounted over it)",
        type, target, target);
  }
  failures.give_up("mount %s on %s", type, target);
}

void mount_new(const char* type, const char* target, unsigned long flags, const char* options,
               const FailurePipe& failures) {
  if (mount(type, target, type, flags, options) != 0) give_up_mount(type, target, failures);
}

// A detached copy of the mount at `path`, to be put somewhere by attach().
int copy_mount(int directory, const char* path, unsigned flags, Missing missing,
               const FailurePipe& failures) {
  const int tree = open_tree(directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
  if (tree < 0 && !(errno == ENOENT && missing == Missing::kIsFine)) {
    failures.give_up("copy the mount of %s", path);
  }
  return tree;
}

bool attach(int tree, const char* target, unsigned symlinks = MOVE_MOUNT_T_SYMLINKS) {
  return move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH | symlinks) == 0;
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

// Puts a file's copied mount on `target`, or on what it links to. A link that leads nowhere (a
// resolv.conf of a resolver that does not run) is itself covered. A target that does not exist at
// all is made where `may_create`, and else left alone.
void cover_file(int tree, const char* target, bool may_create, const FailurePipe& failures) {
  if (tree < 0 || attach(tree, target)) return;
  if (errno == ENOENT) {
    if (is_symlink(target)) {
      if (attach(tree, target, 0)) return;
    } else if (may_create) {
      make_file(target, failures);
      if (attach(tree, target)) return;
    } else {
      return;
    }
  }
  failures.give_up("mount on %s", target);
}

// mqueue is a kernel option (CONFIG_POSIX_MQUEUE): without it the directory stays as it is.
void mount_mqueue(const FailurePipe& failures) {
  if (mount("mqueue", "/dev/mqueue", "mqueue", kNoPrivileges, nullptr) != 0 && errno != ENODEV) {
    failures.give_up("mount mqueue on /dev/mqueue");
  }
}

void make_everything_slave(const FailurePipe& failures) {
  if (mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) {
    failures.give_up("stop mounts from going back to the host");
  }
}

// A /sys of this network namespace over the host's, with the cgroup tree put back into it. In the
// host's own namespace the host's is the one: the kernel refuses it a second time on one place.
void cover_sysfs(const FailurePipe& failures) {
  constexpr char kCgroup[] = "/sys/fs/cgroup";
  const int cgroup = copy_mount(AT_FDCWD, kCgroup, AT_RECURSIVE, Missing::kIsFine, failures);
  const bool covered = mount("sysfs", "/sys", "sysfs", kNoPrivileges, nullptr) == 0;
  if (!covered && errno != EBUSY) give_up_mount("sysfs", "/sys", failures);
  if (cgroup < 0) return;
  if (covered && !attach(cgroup, kCgroup)) failures.give_up("put %s back", kCgroup);
  close(cgroup);
}

void make_host_mounts(const FailurePipe& failures) {
  mount_new("proc", "/proc", kNoPrivileges, nullptr, failures);
  cover_sysfs(failures);
  if (is_directory("/dev/shm")) {
    mount_new("tmpfs", "/dev/shm", kNoPrivileges, kShmOptions, failures);
  }
  if (is_directory("/dev/mqueue")) mount_mqueue(failures);
}

// The host's device `path` ("dev/null", below `old_root`) at `target`.
void bind_device(int old_root, const char* path, const char* target, Missing missing,
                 const FailurePipe& failures) {
  const int tree = copy_mount(old_root, path, 0, missing, failures);
  if (tree < 0) return;
  make_file(target, failures);
  if (!attach(tree, target)) failures.give_up("mount the host's /%s on %s", path, target);
  close(tree);
}

void make_devices(int old_root, const char* terminal, const FailurePipe& failures) {
  struct Link {
    const char* path;
    const char* to;
  };
  constexpr Link kLinks[] = {{"/dev/fd", "/proc/self/fd"},
                             {"/dev/stdin", "/proc/self/fd/0"},
                             {"/dev/stdout", "/proc/self/fd/1"},
                             {"/dev/stderr", "/proc/self/fd/2"},
                             {"/dev/ptmx", "pts/ptmx"}};
  constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
  constexpr const char* kDirectories[] = {"/dev/pts", "/dev/shm", "/dev/mqueue"};

  mount_new("tmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k", failures);
  for (const auto* device : kDevices) {
    char path[32];
    char target[32];
    std::snprintf(path, sizeof path, "dev/%s", device);
    std::snprintf(target, sizeof target, "/dev/%s", device);
    bind_device(old_root, path, target, Missing::kFails, failures);
  }
  for (const auto& link : kLinks) {
    if (symlink(link.to, link.path) != 0) failures.give_up("make the link %s", link.path);
  }
  for (const auto* directory : kDirectories) make_directory(directory, failures);
  mount_new("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620",
            failures);
  mount_new("tmpfs", "/dev/shm", kNoPrivileges, kShmOptions, failures);
  mount_mqueue(failures);
  // The terminal is of the host's devpts; as /dev/console it has a name inside, so ttyname(3)
  // works.
  if (terminal != nullptr) {
    bind_device(old_root, terminal + 1, "/dev/console", Missing::kIsFine, failures);
  }
}

// Makes `rootfs` the root; the old root's descriptor stays for binding devices from it.
int enter_rootfs(const char* rootfs, const FailurePipe& failures) {
  const int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old_root < 0) failures.give_up("open /");
  const int tree = copy_mount(AT_FDCWD, rootfs, AT_RECURSIVE, Missing::kFails, failures);
  if (!attach(tree, rootfs)) failures.give_up("make %s a mount point", rootfs);
  // pivot_root(".", ".") puts the old root over the new one, so it needs no directory inside
  // (pivot_root(2), NOTES); "/" is the new root from here on.
  if (fchdir(tree) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || chdir("/") != 0) {
    failures.give_up("make %s the root", rootfs);
  }
  close(tree);
  return old_root;
}

void leave_old_root(int old_root, const FailurePipe& failures) {
  if (fchdir(old_root) != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
    failures.give_up("leave the host's root");
  }
  close(old_root);
}

void make_rootfs_mounts(int old_root, const char* terminal, const FailurePipe& failures) {
  for (const auto* directory : {"/proc", "/sys", "/dev", "/etc"}) {
    make_directory(directory, failures);
  }
  mount_new("proc", "/proc", kNoPrivileges, nullptr, failures);
  mount_new("sysfs", "/sys", kNoPrivileges | MS_RDONLY, nullptr, failures);
  make_devices(old_root, terminal, failures);
}

}  // namespace

void make_mounts(const MountSettings& settings, const FailurePipe& failures) {
  struct File {
    const char* source;
    const char* target;
    int tree;
  };
  File files[] = {{settings.hosts_file, "/etc/hosts", -1},
                  {settings.hostname_file, "/etc/hostname", -1},
                  {settings.resolv_file, "/etc/resolv.conf", -1}};

  make_everything_slave(failures);
  // Copied now, because their paths are the host's.
  for (auto& file : files) {
    if (file.source == nullptr) continue;
    file.tree = copy_mount(AT_FDCWD, file.source, 0, Missing::kFails, failures);
  }
  const bool has_rootfs = settings.rootfs != nullptr;
  const int old_root = has_rootfs ? enter_rootfs(settings.rootfs, failures) : -1;
  if (has_rootfs) {
    make_rootfs_mounts(old_root, settings.terminal, failures);
  } else {
    make_host_mounts(failures);
  }
  for (const auto& file : files) cover_file(file.tree, file.target, has_rootfs, failures);
  if (has_rootfs) leave_old_root(old_root, failures);
}

void make_network_view(const FailurePipe& failures) {
  make_everything_slave(failures);
  cover_sysfs(failures);
}

}  // namespace berth::shim
