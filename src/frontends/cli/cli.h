// The `berth` command line: words in, an exit code out. Thin over the engine: a verb parses its
// options into one typed request, calls the engine and prints what came back, in Docker's forms.
//
// Layout: verb.h what a verb is; verbs.cc the tree; *_cmd.cc one group of verbs each; options.h
// parsing; listing.h tables and --format; template.h Go's templates; help.h, man.h and completion.h
// what is generated from the tree.
#pragma once

#include <span>
#include <string>

#include "frontends/cli/verb.h"

namespace berth::cli {

/// Runs the command line `words` (without the program's name); what goes wrong is on stderr.
[[nodiscard]] int run(std::span<const std::string> words, Context context = {});

}  // namespace berth::cli
