// berth logs
#include <unistd.h>

#include <chrono>
#include <memory>

#include "base/result.h"
#include "frontends/cli/moment.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"
#include "sandbox/logs.h"

namespace berth::cli {
namespace {

constexpr std::int64_t kMaxTail = 1'000'000'000;  // lines

Action build_logs(CLI::App& app) {
  struct Options {
    std::string target, tail = "all", since;
    bool follow = false, timestamps = false;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "TARGET", options->target, "A sandbox's name or id");
  add_flag(app, "-f,--follow", options->follow, "Go on until the sandbox's process ends");
  add_text(app, "-n,--tail", "N", options->tail, "Only so many lines from the end [all]");
  add_flag(app, "-t,--timestamps", options->timestamps, "Put its time before each line");
  add_text(app, "--since", "TIME", options->since,
           "Only what is newer: 2020-11-03T10:00:05Z, seconds since 1970, or an age as 1h30m");
  return [options](Context& context) -> Result<int> {
    sandbox::LogOptions log{.timestamps = options->timestamps};
    if (options->tail != "all")
      log.tail = static_cast<std::size_t>(TRY(parse_number("--tail", options->tail, 0, kMaxTail)));
    if (!options->since.empty())
      log.since = TRY(parse_moment("--since", options->since, std::chrono::system_clock::now()));
    auto engine = TRY(context.open());
    const auto sandbox = TRY(engine.sandbox(options->target));
    if (!sandbox.log)
      return fail(ErrorKind::kNotFound, "sandbox {} has no log: only run --detach keeps one",
                  sandbox.name);
    if (options->follow && sandbox.state == SandboxState::kRunning)
      log.follow = sandbox::ProcessId{sandbox.shim_pid, sandbox.shim_start};
    TRY(sandbox::print_log(engine.sandbox_file(sandbox, "log"), log, STDOUT_FILENO, STDERR_FILENO));
    return kExitOk;
  };
}

}  // namespace

constinit const Verb kLogsVerb = {
    .name = "logs",
    .summary = "Show what a detached sandbox has printed",
    .examples =
        "berth logs server\n"
        "berth logs -f --tail 20 server\n"
        "berth logs -t --since 10m server\n",
    .build = build_logs,
};

}  // namespace berth::cli
