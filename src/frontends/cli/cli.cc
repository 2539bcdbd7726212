#include "frontends/cli/cli.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <csignal>

#include "base/nearest.h"
#include "base/result.h"
#include "frontends/cli/help.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/version.h"
#include "sandbox/shim/launch.h"

namespace berth::cli {
namespace {

int usage_error(const Walk& at, std::string_view sentence) {
  const auto name = full_name(at.path);
  // The prefix says "berth:" already.
  const auto subject = at.path.size() > 1 ? name.substr(name.find(' ') + 1) + ": " : "";
  complain(fmt::format("{}{}; see '{} --help'", subject, sentence, name));
  return at.verb().usage;
}

int parse_error(const Walk& at, const Parser::Wrong& wrong) {
  if (!wrong.is_value) return usage_error(at, wrong.sentence);
  complain(wrong.sentence);
  return at.verb().refused;
}

// A command line that ends at a group has named no verb: it asks for help, or is wrong.
int run_group(const Walk& at, Context& context) {
  const bool is_root = at.path.size() == 1;
  std::vector<std::string_view> names;
  for (const auto* verb : at.verb().verbs)
    if (!verb->hidden) names.push_back(verb->name);
  if (!at.unknown.empty()) {
    auto meant = did_you_mean(at.unknown, names);
    if (meant.empty()) meant = fmt::format("; the verbs are {}", fmt::join(names, ", "));
    return usage_error(at, fmt::format("unknown verb '{}'{}", at.unknown, meant));
  }
  Parser parser(at.verb(), context);
  const auto wanted = parser.parse(at.rest);
  if (!wanted) return parse_error(at, wanted.error());
  if (*wanted == Parser::Wanted::kVersion) {
    const auto printed = print_version(parser.version_format());
    if (!printed) complain(printed.error().message);
    return printed ? kExitOk : kExitRefused;
  }
  if (*wanted == Parser::Wanted::kHelp || (is_root && at.rest.empty())) {
    print(help_text(at.path));
    return kExitOk;
  }
  return usage_error(at,
                     fmt::format("the verb is missing; the verbs are {}", fmt::join(names, ", ")));
}

int run_verb(const Walk& at, Context& context) {
  Parser parser(at.verb(), context);
  const auto wanted = parser.parse(at.rest);
  if (!wanted) return parse_error(at, wanted.error());
  if (*wanted == Parser::Wanted::kHelp) {
    print(help_text(at.path));
    return kExitOk;
  }
  const auto exit_code = parser.action()(context);
  if (exit_code) return *exit_code;
  complain(exit_code.error().message);
  return at.verb().refused;
}

}  // namespace

// What the caller left this process with must not decide what it does, nor what it makes.
static bool settle_process() {
  ::umask(::umask(022) | 022);
  // A child's exit code is lost where SIGCHLD is ignored (wait(2)).
  return ::signal(SIGCHLD, SIG_DFL) != SIG_ERR && shim::open_missing_streams();
}

int run(std::span<const std::string> words, Context context) {
  if (!settle_process()) return kExitRefused;
  const auto at = walk(words);
  const int exit_code = at.verb().is_group() ? run_group(at, context) : run_verb(at, context);
  if (const auto flushed = flush(); !flushed) {
    complain(flushed.error().message);
    return exit_code == kExitOk ? at.verb().refused : exit_code;
  }
  return exit_code;
}

}  // namespace berth::cli
