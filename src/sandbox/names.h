// Names of sandboxes: what is allowed, and one to give where none was chosen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "berth/result.h"

namespace berth::sandbox {

/// Docker's rule: two or more of [a-zA-Z0-9_.-], the first a letter or digit.
[[nodiscard]] Status check_name(std::string_view name);

/// "adjective_noun", chosen by the bits of `random` (give it a fresh random number). 4096 different
/// names; from the second `attempt` on a digit follows, as Docker does when a name is taken.
[[nodiscard]] std::string random_name(std::uint64_t random, int attempt = 0);

}  // namespace berth::sandbox
