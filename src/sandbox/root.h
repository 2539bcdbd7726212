// Files of somebody else's root directory: a sandbox's, whose owner may have made any link there.
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace berth::sandbox {

/// Opens `path` as one whose root is the directory `root` would, so that no link leads out of it.
/// Close-on-exec; invalid with errno set where it cannot be opened.
[[nodiscard]] UniqueFd open_in_root(const std::string& root, const char* path, int flags);

}  // namespace berth::sandbox
