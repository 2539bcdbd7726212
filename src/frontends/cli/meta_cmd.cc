// berth plan|help|completion|man: verbs about verbs.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>

#include "base/result.h"
#include "frontends/cli/cli.h"
#include "frontends/cli/completion.h"
#include "frontends/cli/help.h"
#include "frontends/cli/man.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

bool has_option(const Verb& verb, std::string_view option) {
  for (const auto& item : items_of(verb)) {
    if (std::ranges::find(item.names, option) != item.names.end()) return true;
  }
  return false;
}

Action build_plan(CLI::App& app) {
  auto format = std::make_shared<std::string>();
  add_text(app, "--format", "FORMAT", *format,
           "commands (the default), or json for the typed operations");
  return [format](Context& context) -> Result<int> {
    TRY(check_plan_format(*format));
    const auto at = walk(context.command);
    auto words = at.rest;
    if (!at.verb().is_group()) {
      if (!has_option(at.verb(), "--dry-run")) {
        print(fmt::format("# {}: there is nothing to plan\n", full_name(at.path)));
        return kExitOk;
      }
      words.insert(words.begin(), "--dry-run");
      if (!format->empty()) words.insert(words.begin() + 1, {"--format", *format});
    }
    // The verb's own words go before, so that run() finds it as it would without `plan`.
    for (std::size_t i = 1; i < at.path.size(); ++i)
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(i - 1),
                   std::string(at.path[i]->name));
    if (!at.unknown.empty()) words = context.command;
    return run(words, context);
  };
}

Action build_help(CLI::App&) {
  return [](Context& context) -> Result<int> {
    const auto at = walk(context.command);
    if (!at.unknown.empty())
      return fail(ErrorKind::kInvalid, "help: {} has no verb '{}'", full_name(at.path), at.unknown);
    print(help_text(at.path));
    return kExitOk;
  };
}

Action build_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  add_argument(app, "SHELL", *shell, "bash, zsh or fish");
  return [shell](Context&) -> Result<int> {
    print(TRY(completion_script(*shell)));
    return kExitOk;
  };
}

// The words that complete the last of the command line's; called by the scripts of `completion`.
Action build_complete(CLI::App&) {
  return [](Context& context) -> Result<int> {
    print(complete(context.command, stored_names));
    return kExitOk;
  };
}

Action build_man(CLI::App& app) {
  auto directory = std::make_shared<std::string>();
  add_argument(app, "DIR", *directory, "Write the pages here");
  return [directory](Context&) -> Result<int> {
    if (::mkdir(directory->c_str(), 0755) != 0 && errno != EEXIST)
      return fail_sys(errno, "making {}", *directory);
    Status written;
    for_each_verb([&](std::span<const Verb* const> path) {
      const auto file = *directory + "/" + man_name(path) + ".1";
      std::ofstream out(file);
      out << man_page(path);
      out.close();
      if (!out && written) written = fail_sys(errno, "writing {}", file);
    });
    TRY(written);
    return kExitOk;
  };
}

}  // namespace

constinit const Verb kPlanVerb = {
    .name = "plan",
    .summary = "Print what a verb would do, as commands, and change nothing",
    .details =
        "The same as the verb with --dry-run. Run in order, the ip, bridge, nft and sysctl "
        "commands leave the kernel as the verb would.",
    .examples =
        "berth plan network create --subnet 192.168.100.0/24 web\n"
        "berth plan --format json network connect web server\n"
        "berth plan run -d -p 8080:80 httpd\n",
    .build = build_plan,
    .command_after = 0,
    .command_name = "VERB...",
};
constinit const Verb kHelpVerb = {
    .name = "help",
    .summary = "Show the help of a verb",
    .examples = "berth help network create\n",
    .build = build_help,
    .command_after = 0,
    .command_name = "VERB...",
    .command_optional = true,
    .refused = kExitUsage,
};
constinit const Verb kCompletionVerb = {
    .name = "completion",
    .summary = "Print a script that teaches a shell to complete berth's command lines",
    .examples =
        "source <(berth completion bash)\n"
        "berth completion bash >/etc/bash_completion.d/berth\n"
        "berth completion zsh >/usr/local/share/zsh/site-functions/_berth\n"
        "berth completion fish >~/.config/fish/completions/berth.fish\n",
    .build = build_completion,
};
constinit const Verb kCompleteVerb = {
    .name = "__complete",
    .summary = "Print the words that complete a command line",
    .examples = "berth __complete -- network c\n",
    .hidden = true,
    .build = build_complete,
    .command_after = 0,
    .command_name = "WORD...",
    .command_optional = true,
};
constinit const Verb kManVerb = {
    .name = "man",
    .summary = "Write the man pages of all verbs",
    .examples = "berth man /usr/local/share/man/man1\n",
    .hidden = true,
    .build = build_man,
};

}  // namespace berth::cli
