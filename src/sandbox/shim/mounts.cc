#include "sandbox/shim/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "sandbox/shim/etc.h"
#include "sandbox/shim/mount_steps.h"

namespace berth::shim {
namespace {

constexpr char kShmOptions[] = "mode=1777,size=65536k";  // Docker's default --shm-size, 64 MiB

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

  mount_new("tmpfs", "/dev", kNoPrivileges, "mode=755,size=64k", failures);
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
int enter_rootfs(const char* rootfs, bool no_devices, const FailurePipe& failures) {
  const int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old_root < 0) failures.give_up("open /");
  const int tree = copy_mount(AT_FDCWD, rootfs, AT_RECURSIVE, Missing::kFails, failures);
  if (no_devices) {
    set_attributes(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_NODEV, failures);
  }
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

int copy_bind(const Bind& bind, bool no_devices, const FailurePipe& failures) {
  const int tree = copy_mount(AT_FDCWD, bind.source, AT_RECURSIVE, Missing::kFails, failures);
  const std::uint64_t attributes =
      (bind.read_only ? MOUNT_ATTR_RDONLY : 0) | (no_devices ? MOUNT_ATTR_NODEV : 0);
  set_attributes(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, attributes, failures);
  return tree;
}

// Makes `target` as a mount point, with the directories above it.
void make_mount_point(const char* target, bool is_directory, const FailurePipe& failures) {
  char path[PATH_MAX];
  std::snprintf(path, sizeof path, "%s", target);
  for (char* slash = path + 1; (slash = std::strchr(slash, '/')) != nullptr; ++slash) {
    *slash = '\0';
    make_directory(path, failures);
    *slash = '/';
  }
  if (is_directory) return make_directory(path, failures);
  make_file(path, failures);
}

// In the host's file system nothing is made.
void place_bind(int tree, const char* target, bool may_create, const FailurePipe& failures) {
  struct stat source;
  if (fstat(tree, &source) != 0) failures.give_up("look at what is to be mounted on %s", target);
  if (may_create) make_mount_point(target, S_ISDIR(source.st_mode), failures);
  if (!attach(tree, target)) failures.give_up("mount on %s", target);
  close(tree);
}

// Hides a file behind /dev/null, a directory behind an empty one.
void cover(const char* path, const FailurePipe& failures) {
  if (is_directory(path)) {
    return mount_new("tmpfs", path, kNoPrivileges | MS_RDONLY, "size=0k", failures);
  }
  const int null = copy_mount(AT_FDCWD, "/dev/null", 0, Missing::kFails, failures);
  if (!attach(null, path) && errno != ENOENT) failures.give_up("cover %s", path);
  close(null);
}

}  // namespace

void make_mounts(const MountSettings& settings, const FailurePipe& failures) {
  OwnFile files[] = {{settings.hosts_file, "/etc/hosts", -1},
                     {settings.hostname_file, "/etc/hostname", -1},
                     {settings.resolv_file, "/etc/resolv.conf", -1}};
  int binds[kMaxBinds];

  make_everything_slave(failures);
  // Copied now, because their paths are the host's.
  for (auto& file : files) {
    if (file.source == nullptr) continue;
    file.tree = copy_mount(AT_FDCWD, file.source, 0, Missing::kFails, failures);
  }
  for (std::size_t i = 0; i < settings.bind_count; ++i) {
    binds[i] = copy_bind(settings.binds[i], settings.no_devices, failures);
  }
  const bool has_rootfs = settings.rootfs != nullptr;
  if (has_rootfs) {
    const int old_root = enter_rootfs(settings.rootfs, settings.no_devices, failures);
    make_rootfs_mounts(old_root, settings.terminal, failures);
    cover_files(files, failures);
    leave_old_root(old_root, failures);
  } else {
    if (settings.read_only) {
      set_attributes(AT_FDCWD, "/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, failures);
    }
    make_host_mounts(failures);
    make_own_etc(files, failures);
  }
  for (std::size_t i = 0; i < settings.bind_count; ++i) {
    place_bind(binds[i], settings.binds[i].target, has_rootfs, failures);
  }
  if (has_rootfs && settings.read_only) {
    set_attributes(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY, failures);
  }
}

void protect_kernel(const FailurePipe& failures) {
  constexpr const char* kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                       "/proc/sysrq-trigger"};
  constexpr const char* kCovered[] = {"/proc/acpi",
                                      "/proc/asound",
                                      "/proc/interrupts",
                                      "/proc/kcore",
                                      "/proc/keys",
                                      "/proc/latency_stats",
                                      "/proc/sched_debug",
                                      "/proc/scsi",
                                      "/proc/timer_list",
                                      "/proc/timer_stats",
                                      "/sys/devices/virtual/powercap",
                                      "/sys/firmware"};
  for (const auto* path : kReadOnly) {
    const int tree = copy_mount(AT_FDCWD, path, 0, Missing::kIsFine, failures);
    if (tree < 0) continue;
    set_attributes(tree, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, failures);
    if (!attach(tree, path)) failures.give_up("mount %s read-only", path);
    close(tree);
  }
  for (const auto* path : kCovered) cover(path, failures);
  set_attributes(AT_FDCWD, "/sys", AT_RECURSIVE, MOUNT_ATTR_RDONLY, failures);
}

void make_network_view(const FailurePipe& failures) {
  make_everything_slave(failures);
  cover_sysfs(failures);
}

}  // namespace berth::shim
