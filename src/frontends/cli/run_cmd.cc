// berth run
#include <cstdio>
#include <memory>

#include "base/result.h"
#include "frontends/cli/background.h"
#include "frontends/cli/output.h"
#include "frontends/cli/run_options.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

Action build_run(CLI::App& app) {
  auto options = std::make_shared<RunOptions>();
  declare(app, *options);
  return [options](Context& context) -> Result<int> {
    const auto request = TRY(to_request(*options, context.command));
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, request);
    auto started = engine.run(request);
    if (!started) {
      complain(started.error().error.message);
      return started.error().exit_code;
    }
    if (const auto endpoints = engine.endpoints_of_sandbox(started->sandbox))
      announce_in_background(engine, *endpoints);
    if (!request.detach) return started->process->wait();
    print(started->sandbox.id + "\n");
    // It runs all the same, and 125 would say that it does not.
    if (const auto printed = flush(); !printed) {
      complain(fmt::format("{} runs, but its id was not printed: {}", started->sandbox.name,
                           printed.error().message));
      std::clearerr(stdout);
    }
    return kExitOk;
  };
}

}  // namespace

constinit const Verb kRunVerb = {
    .name = "run",
    .summary = "Run a command in a new sandbox",
    .details =
        "The process gets network, mount, UTS, IPC and PID namespaces of its own, and its own "
        "/etc/hosts, /etc/hostname and /etc/resolv.conf, over the host's file system or the "
        "directory given by --rootfs. Of the host's file system it sees all, but its /etc is a "
        "read-only directory of its own with the host's entries in it. Instead of a network "
        "namespace of its own it has the host's "
        "with --network host, that of another sandbox with container:NAME, which brings its hosts "
        "file, host name and ports with it, and one that somebody else made with ns:PATH; none "
        "is one of its own with lo alone. It has Docker's default capabilities: --cap-add "
        "NET_ADMIN "
        "lets it change its network, --privileged gives it all. Options after COMMAND are the "
        "command's. The exit code "
        "is the command's; 125 when berth refuses, 126 when the command cannot be executed, "
        "127 when it is not found.",
    .examples =
        "berth run --rm -- ip addr\n"
        "berth run -dt --rm --network mybridge0 --name br0_container -p 12211:8080 bash\n"
        "berth run -d --name server -p 127.0.0.1:8080:80 -p 53:53/udp -- httpd -f\n"
        "berth run -d --network container:server -- tail -f /var/log/syslog\n"
        "berth run --rm --network web --link server:db -- curl http://db/\n"
        "berth run -d --network web:ip=10.1.0.7,ifname=web0 --network back:alias=db -- httpd -f\n"
        "berth run --rm -it --rootfs /srv/alpine sh\n"
        "berth run -d -u www-data -v /srv/www:/srv/www:ro -p 8080:80 -- httpd -f -p 80 -h "
        "/srv/www\n",
    .build = build_run,
    .command_after = 0,
    .refused = kExitRun,
    .usage = kExitRun,
};

}  // namespace berth::cli
