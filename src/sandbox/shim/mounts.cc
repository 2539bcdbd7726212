#include "sandbox/shim/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
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
  OwnFile files[] = {{settings.hosts_file, "/etc/hosts", -1},
                     {settings.hostname_file, "/etc/hostname", -1},
                     {settings.resolv_file, "/etc/resolv.conf", -1}};

  make_everything_slave(failures);
  // Copied now, because their paths are the host's.
  for (auto& file : files) {
    if (file.source == nullptr) continue;
    file.tree = copy_mount(AT_FDCWD, file.source, 0, Missing::kFails, failures);
  }
  if (settings.rootfs == nullptr) {
    make_host_mounts(failures);
    make_own_etc(files, failures);
    return;
  }
  const int old_root = enter_rootfs(settings.rootfs, failures);
  make_rootfs_mounts(old_root, settings.terminal, failures);
  cover_files(files, failures);
  leave_old_root(old_root, failures);
}

void make_network_view(const FailurePipe& failures) {
  make_everything_slave(failures);
  cover_sysfs(failures);
}

}  // namespace berth::shim
