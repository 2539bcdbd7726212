// berth stop|rm
#include <algorithm>
#include <csignal>
#include <memory>

#include "base/result.h"
#include "frontends/cli/lifecycle.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"
#include "sandbox/process_id.h"

namespace berth::cli {
namespace {

constexpr std::int64_t kMaxTimeout = 24L * 3600;  // seconds

Action build_stop(CLI::App& app) {
  struct Options {
    std::vector<std::string> targets;
    std::string timeout = "10", signal;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_arguments(app, "TARGET", options->targets, "Names or ids of sandboxes");
  add_text(app, "-t,--time,--timeout", "SECONDS", options->timeout,
           "Kill what has not ended after so long [10]");
  add_text(app, "-s,--signal", "SIGNAL", options->signal, "Ask with this signal [SIGTERM]");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    const auto timeout = TRY(parse_number("--time", options->timeout, 0, kMaxTimeout));
    int signal = SIGTERM;
    if (!options->signal.empty()) {
      const auto parsed = sandbox::parse_signal(options->signal);
      if (!parsed) return std::unexpected(in_context(parsed.error(), "--signal"));
      signal = *parsed;
    }
    auto engine = TRY(context.open(options->dry_run));
    const StopSandboxes request{options->targets, std::chrono::seconds(timeout), signal};
    if (options->dry_run.on) return show_plan(engine, options->dry_run, request);
    return report(engine.stop_sandboxes(request));
  };
}

}  // namespace

Action build_rm(CLI::App& app) {
  struct Options {
    RemoveSandboxes request;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_arguments(app, "TARGET", options->request.targets,
                "Names or ids of sandboxes, netns:PATH, pid:N or docker:NAME");
  add_flag(app, "-f,--force", options->request.force,
           "Kill what still runs; what is not there is fine");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, options->request);
    return report(engine.remove_sandboxes(options->request));
  };
}

constinit const Verb kStopVerb = {
    .name = "stop",
    .summary = "End the processes of sandboxes",
    .details =
        "Every process of the sandbox ends: its first one is asked with a signal, and after "
        "a while all that is left is killed. Several sandboxes are stopped at the same time.",
    .examples =
        "berth stop server\n"
        "berth stop -t 2 -s SIGINT server worker\n",
    .build = build_stop,
};

constinit const Verb kRmVerb = {
    .name = "rm",
    .summary = "Remove sandboxes",
    .examples =
        "berth rm server\n"
        "berth rm -f server worker\n"
        "berth rm -f $(berth ps -aq)\n",
    .build = build_rm,
};

}  // namespace berth::cli
