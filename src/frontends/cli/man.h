// Man pages, written from the tree of verbs: the same words as --help. Macros: man(7).
#pragma once

#include <span>
#include <string>

#include "frontends/cli/verb.h"

namespace berth::cli {

/// "berth-network-create"
[[nodiscard]] std::string man_name(std::span<const Verb* const> path);
[[nodiscard]] std::string man_page(std::span<const Verb* const> path);

}  // namespace berth::cli
