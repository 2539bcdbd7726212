// A disk that is full or read-only: telling so, and keeping room for removals.
#pragma once

#include <cstddef>
#include <string>

#include "berth/result.h"

namespace berth::store {

/// Whether `error` is that nothing can be written where the state is: a full disk, a used-up quota
/// or a read-only file system. What only reads goes on.
[[nodiscard]] bool is_disk_error(const Error& error);

/// Refuses where so little is left in `directory` that removals need it.
[[nodiscard]] Status check_room(const std::string& directory);

/// Makes sure that the first `bytes` of the file can be written when the disk is full, without a
/// change of its size (fallocate(2), FALLOC_FL_KEEP_SIZE). A file system that cannot do that, or
/// has no room left, is no error: removals may then fail on a full disk.
void reserve(int fd, std::size_t bytes);

}  // namespace berth::store
