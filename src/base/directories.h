// Making directories for one's own files.
#pragma once

#include <sys/types.h>

#include <string>

#include "berth/result.h"

namespace berth {

/// Makes the directory `path` (absolute) and those above it that are missing, each with at most
/// `mode`: the umask can take permissions away, not give them. What is there stays as it is.
[[nodiscard]] Status make_directories(const std::string& path, mode_t mode);

}  // namespace berth
