// Private namespaces for tests of the real kernel: what they make, break and flush is never the
// host's, and an ordinary user can run them where the kernel allows user namespaces.
//
// Link private_ns_main.cc and a test program does all its work inside; if the kernel refuses, the
// program says why and exits with kSkipped, which CTest reports as skipped (SKIP_RETURN_CODE).
#pragma once

#include <string>

#include "berth/result.h"

namespace berth::testing {

inline constexpr int kSkipped = 77;  // automake's and CTest's customary exit code for "skipped"

/// Moves this process into a new network and mount namespace (mounts made here stay here), inside
/// a new user namespace first unless it is root. Call it before the first thread exists.
[[nodiscard]] Status enter_private_namespaces();

/// An empty directory of this program's own, removed with everything in it when the program ends.
[[nodiscard]] const std::string& scratch_dir();

}  // namespace berth::testing
