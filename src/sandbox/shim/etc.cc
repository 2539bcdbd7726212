#include "sandbox/shim/etc.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "sandbox/shim/mount_steps.h"

namespace berth::shim {
namespace {

constexpr char kEtc[] = "/etc";
constexpr char kHostEtc[] = ".berth";
constexpr char kHostEtcPath[] = "/etc/.berth";
constexpr std::size_t kMaxPath = sizeof kHostEtcPath + NAME_MAX + 1;

// getdents64(2); readdir(3) would allocate.
struct DirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;
  std::uint8_t type;
  char name[];
};

bool is_own(const OwnFile (&files)[3], const char* path) {
  for (const auto& file : files) {
    if (file.tree >= 0 && std::strcmp(file.target, path) == 0) return true;
  }
  return false;
}

// Makes `path` ("/etc/NAME") show the entry `name` of the host's /etc, which `host` is open on.
void show_entry(int host, const char* name, const char* path, const FailurePipe& failures) {
  struct stat status;
  if (fstatat(host, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;  // it has just been removed
  if (S_ISDIR(status.st_mode)) {
    const int tree = copy_mount(host, name, AT_RECURSIVE, Missing::kIsFine, failures);
    if (tree < 0) return;
    make_directory(path, failures);
    if (!attach(tree, path)) failures.give_up("mount the host's directory on %s", path);
    close(tree);
    return;
  }
  char target[PATH_MAX];
  if (S_ISLNK(status.st_mode)) {
    const auto size = readlinkat(host, name, target, sizeof target - 1);
    if (size < 0) return;
    target[size] = '\0';
  } else {
    std::snprintf(target, sizeof target, "%s/%s", kHostEtc, name);
  }
  if (symlink(target, path) != 0) failures.give_up("make the link %s", path);
}

void show_entries(const OwnFile (&files)[3], const FailurePipe& failures) {
  const int host = open(kHostEtcPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (host < 0) failures.give_up("open the host's /etc");
  alignas(DirectoryEntry) char entries[4096];
  while (true) {
    const long size = syscall(SYS_getdents64, host, entries, sizeof entries);
    if (size < 0) failures.give_up("read the host's /etc");
    if (size == 0) break;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const DirectoryEntry*>(entries + at);
      at += entry->size;
      char path[kMaxPath];
      std::snprintf(path, sizeof path, "%s/%s", kEtc, entry->name);
      const bool passed_over = std::strcmp(entry->name, ".") == 0 ||
                               std::strcmp(entry->name, "..") == 0 ||
                               std::strcmp(entry->name, kHostEtc) == 0 || is_own(files, path);
      if (!passed_over) show_entry(host, entry->name, path, failures);
    }
  }
  close(host);
}

// Puts a file's mount on `target`, or on what it links to. A link that leads nowhere (a resolv.conf
// of a resolver that does not run) is itself covered; what does not exist at all is made.
void cover_file(int tree, const char* target, const FailurePipe& failures) {
  if (attach(tree, target)) return;
  if (errno == ENOENT && is_symlink(target)) {
    if (attach(tree, target, 0)) return;
  } else if (errno == ENOENT) {
    make_file(target, failures);
    if (attach(tree, target)) return;
  }
  failures.give_up("mount on %s", target);
}

}  // namespace

void make_own_etc(const OwnFile (&files)[3], const FailurePipe& failures) {
  const int host = copy_mount(AT_FDCWD, kEtc, AT_RECURSIVE, Missing::kIsFine, failures);
  if (host < 0) return;
  constexpr unsigned long kFlags = kNoPrivileges;
  mount_new("tmpfs", kEtc, kFlags, "mode=755,size=1m", failures);
  make_directory(kHostEtcPath, failures);
  if (!attach(host, kHostEtcPath)) failures.give_up("mount the host's /etc on %s", kHostEtcPath);
  close(host);
  show_entries(files, failures);
  cover_files(files, failures);
  if (mount(nullptr, kEtc, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kFlags, nullptr) != 0) {
    failures.give_up("make %s read-only", kEtc);
  }
}

void cover_files(const OwnFile (&files)[3], const FailurePipe& failures) {
  for (const auto& file : files) {
    if (file.tree >= 0) cover_file(file.tree, file.target, failures);
  }
}

void restore_file(int tree, const char* target, const FailurePipe& failures) {
  cover_file(tree, target, failures);
}

}  // namespace berth::shim
