#include "store/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdint>

#include "base/result.h"

namespace berth::store {

bool is_disk_error(const Error& error) {
  return error.sys == ENOSPC || error.sys == EDQUOT || error.sys == EROFS;
}

Status check_room(const std::string& directory) {
  constexpr std::uint64_t kKept = 1 << 20;
  struct statvfs disk;
  if (::statvfs(directory.c_str(), &disk) != 0 || disk.f_blocks == 0) return {};  // it has no limit
  const auto left = std::uint64_t{disk.f_bfree} * disk.f_frsize;
  if (left >= kKept) return {};
  auto full = fail(ErrorKind::kIo,
                   "the disk of {} is full: {} KiB are left, and {} KiB are kept for removals",
                   directory, left >> 10, kKept >> 10);
  full.error().sys = ENOSPC;
  return full;
}

void reserve(int fd, std::size_t bytes) {
  constexpr std::size_t kBlock = 512;  // st_blocks counts in these (stat(2))
  struct stat file;
  if (::fstat(fd, &file) != 0 || static_cast<std::size_t>(file.st_blocks) * kBlock >= bytes) return;
  (void)::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes));
}

}  // namespace berth::store
