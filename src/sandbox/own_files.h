// Whether a sandbox's process sees its own /etc/hosts, hostname and resolv.conf, and putting back
// what it no longer sees.
//
// They are bind mounts, and a mount goes when its mount point is replaced or removed from outside
// of the sandbox (shim/etc.h); then the process sees what took its place.
#pragma once

#include <string>
#include <vector>

#include "berth/result.h"
#include "sandbox/process_id.h"

namespace berth::sandbox {

/// Mounts again what `process` does not see of the files hosts, hostname and resolv.conf in
/// `directory`. Returns the names of those.
[[nodiscard]] Result<std::vector<std::string>> restore_own_files(const ProcessId& process,
                                                                 const std::string& directory);

}  // namespace berth::sandbox
