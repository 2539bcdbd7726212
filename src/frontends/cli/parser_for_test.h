// Parses words as a verb with the given declarations would.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "frontends/cli/options.h"

namespace berth::cli {

/// The options that `declare(app, options)` declares, as `words` set them. `command` is what
/// follows.
template <typename Options, bool kTakesCommand = false>
struct Parsed {
  Options options;
  std::vector<std::string> command;
  std::string usage_error;

  explicit Parsed(const std::vector<std::string>& words) {
    static Options* target;  // a Verb's build is a plain function: this is how it finds them
    target = &options;
    const Verb verb{.name = "test",
                    .summary = "",
                    .examples = "",
                    .build =
                        [](CLI::App& app) {
                          declare(app, *target);
                          return Action();
                        },
                    .command_after = kTakesCommand ? 0 : -1};
    Context context;
    Parser parser(verb, context);
    const auto wanted = parser.parse(words);
    if (!wanted) usage_error = wanted.error().sentence;
    command = context.command;
  }
};

}  // namespace berth::cli
