// Files that berth keeps up to date and that the sandbox may edit as well: /etc/hosts and
// /etc/resolv.conf.
//
// Theory of operation: beside a file NAME stands NAME.written, the text that berth has put there.
// What is in the file and not in that text is the sandbox's own, and stays. NAME.written is
// replaced as a whole (rename(2)), and while the file itself is being written it holds both texts,
// the old and the new: so that after a kill at any moment both are known to be berth's.
//
// Docker, too, takes back the lines of a hosts file that it has added and no others
// (daemon/libnetwork/etchosts), and leaves a resolv.conf alone whose hash is not that of what it
// wrote (internal/resolvconf).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "berth/result.h"

namespace berth::sandbox {

/// How a file that holds `now`, and into which berth has put `written` (one text, or several after a
/// kill; "" is the empty file that it begins as), comes to hold `wanted`.
using Merge = std::string (*)(std::string_view now, std::span<const std::string> written,
                              const std::string& wanted);

/// By lines: those of `written` that are no longer wanted go, those of `wanted` that are missing
/// come, each after the one that is before it in `wanted`. All others stay where they are.
[[nodiscard]] std::string merge_lines(std::string_view now, std::span<const std::string> written,
                                      const std::string& wanted);
/// As a whole: `wanted`, unless somebody else has changed the file.
[[nodiscard]] std::string keep_changed(std::string_view now, std::span<const std::string> written,
                                       const std::string& wanted);

/// Brings the file at `path` up to date, in place. Whether it had to be changed.
[[nodiscard]] Result<bool> update_shared(const std::string& path, const std::string& wanted,
                                         Merge merge);

}  // namespace berth::sandbox
