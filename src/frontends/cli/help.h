// --help, and the words about options that the man pages share with it.
#pragma once

#include <span>
#include <string>

#include "frontends/cli/options.h"
#include "frontends/cli/verb.h"

namespace berth::cli {

/// The whole help of the verb that `path` leads to: usage, what it does, its verbs or options,
/// examples.
[[nodiscard]] std::string help_text(std::span<const Verb* const> path);

/// "berth network rm [OPTIONS] NETWORK..."
[[nodiscard]] std::string usage(std::span<const Verb* const> path,
                                std::span<const Parser::Item> items);
/// "-d, --driver DRIVER"
[[nodiscard]] std::string spelled(const Parser::Item& item);
/// What `verb` takes, its own before the global options.
[[nodiscard]] std::vector<Parser::Item> items_of(const Verb& verb);

}  // namespace berth::cli
