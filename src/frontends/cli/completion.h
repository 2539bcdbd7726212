// Shell completion. The scripts are thin: on each <Tab> they ask `berth __complete`, which walks
// the same tree of verbs that command lines are parsed by, so no script has to be made anew when a
// verb changes.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/result.h"
#include "frontends/cli/verb.h"

namespace berth::cli {

/// The script for bash, zsh or fish.
[[nodiscard]] Result<std::string> completion_script(std::string_view shell);

/// What exists of a type that options name: NETWORK, TARGET. `context` says in which instance.
using Names =
    std::function<std::vector<std::string>(const Context& context, std::string_view type)>;

/// What the last of `words` (it may be empty) can become: "word<Tab>what it is", one a line.
/// Nothing where a file name or free text is expected: the shell then completes file names.
[[nodiscard]] std::string complete(std::span<const std::string> words, const Names& names);

/// Names out of the instance's store; none where there is no instance, which is never made here.
[[nodiscard]] std::vector<std::string> stored_names(const Context& context, std::string_view type);

}  // namespace berth::cli
