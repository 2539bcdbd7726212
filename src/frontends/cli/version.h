// The version goes by two names: `version` and `--version`.
#pragma once

#include <string_view>

#include "berth/result.h"

namespace berth::cli {

/// One line, or in the form of `docker version` what `format` (json or a template) asks for.
[[nodiscard]] Status print_version(std::string_view format);

}  // namespace berth::cli
