// Removing sandboxes goes by two names: `rm` and `sandbox rm`.
#pragma once

#include "frontends/cli/verb.h"

namespace berth::cli {

[[nodiscard]] Action build_rm(CLI::App& app);  // lifecycle_cmd.cc

}  // namespace berth::cli
