// berth lab up|exec|ls|down
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "base/result.h"
#include "frontends/cli/listing.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"
#include "lab/lab.h"

namespace berth::cli {
namespace {

using Json = Listing::Json;

// Labs are per --run, as everything else that ends with the machine.
Result<std::string> labs_directory(const Context& context) {
  return TRY(context.settings()).run + "/labs";
}

std::string hosts_table(const lab::Lab& lab) {
  std::vector<std::string> lines = {"HOST\tADDRESS"};
  for (const auto& host : lab.hosts) lines.push_back(host.name + "\t" + host.address.str());
  lines.push_back(fmt::format("{}\t{}/{}, and outside: {}", lab::kSwitch, lab::gateway().str(),
                              lab.hosts.front().address.prefix(), lab::outside().str()));
  return aligned(lines);
}

// A lab is made without an engine: there are commands, but no typed operations.
Result<int> show_lab_plan(const DryRun& dry_run, const Result<std::vector<std::string>>& commands) {
  TRY(check_plan_format(dry_run.format));
  if (dry_run.format == "json")
    return fail(ErrorKind::kUnsupported, "--format json: a lab is planned as commands only");
  if (!commands) return std::unexpected(commands.error());
  print_commands(*commands);
  return kExitOk;
}

Action build_up(CLI::App& app) {
  struct Options {
    std::string name, hosts = "2";
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "NAME", options->name, "Name of the lab: a-z, 0-9 and -");
  add_text(app, "--hosts", "N", options->hosts, "How many hosts, 1 to 200 [2]");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    const auto hosts = TRY(parse_number("--hosts", options->hosts, 1, lab::kMaxHosts));
    const lab::LabSpec spec{.name = options->name,
                            .hosts = static_cast<int>(hosts),
                            .directory = TRY(labs_directory(context))};
    if (options->dry_run.on) return show_lab_plan(options->dry_run, lab::plan_up(spec));
    const auto made = TRY(lab::up(spec));
    print(hosts_table(made));
    print(
        fmt::format("\n"
                    "A shell on a host:   berth lab exec {0}/h1\n"
                    "One command:         berth lab exec {0}/h1 -- berth network ls\n"
                    "Remove all of it:    berth lab down {0}\n",
                    made.name));
    return kExitOk;
  };
}

Json row_of(const lab::Lab& lab) {
  std::string addresses;
  for (const auto& host : lab.hosts)
    addresses += (addresses.empty() ? "" : ",") + host.name + "=" + host.address.ip().str();
  return {{"Name", lab.name},
          {"Hosts", std::to_string(lab.hosts.size())},
          {"Status", lab.intact ? "up" : "broken"},
          {"Addresses", addresses}};
}

Action build_ls(CLI::App& app) {
  struct Options {
    std::string format;
    bool quiet = false;
  };
  auto options = std::make_shared<Options>();
  add_text(app, "--format", "FORMAT", options->format,
           "table, json, a template, or table TEMPLATE");
  add_flag(app, "-q,--quiet", options->quiet, "Print names only");
  return [options](Context& context) -> Result<int> {
    auto listing = TRY(Listing::make(options->quiet ? "{{.Name}}" : options->format,
                                     R"({{.Name}}\t{{.Hosts}}\t{{.Status}})",
                                     Json{{"Name", "NAME"},
                                          {"Hosts", "HOSTS"},
                                          {"Status", "STATUS"},
                                          {"Addresses", "ADDRESSES"}}));
    for (const auto& lab : TRY(lab::list(TRY(labs_directory(context)))))
      TRY(listing.add(row_of(lab)));
    print(listing.text());
    return kExitOk;
  };
}

std::vector<std::string> own_environment() {
  std::vector<std::string> env;
  for (char** entry = environ; *entry != nullptr; ++entry) env.emplace_back(*entry);
  return env;
}

std::string own_shell() {
  const char* shell = std::getenv("SHELL");
  return shell != nullptr && *shell != '\0' ? shell : "/bin/sh";
}

Action build_exec(CLI::App& app) {
  auto place = std::make_shared<std::string>();
  add_argument(app, "NAME/HOST", *place, "The lab and the host in it, e.g. demo/h1");
  return [place](Context& context) -> Result<int> {
    const auto slash = place->find('/');
    if (slash == std::string::npos)
      return fail(ErrorKind::kInvalid,
                  "'{}' does not name a host: give the lab and the host, as in demo/h1", *place);
    const auto lab = TRY(lab::find(TRY(labs_directory(context)), place->substr(0, slash)));
    auto argv = context.command;
    if (argv.empty()) argv.push_back(own_shell());
    const auto exit_code = lab::exec(
        lab, {.host = place->substr(slash + 1), .argv = std::move(argv), .env = own_environment()});
    if (exit_code) return *exit_code;
    complain(exit_code.error().error.message);
    return exit_code.error().exit_code;
  };
}

Action build_down(CLI::App& app) {
  struct Options {
    std::vector<std::string> names;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_arguments(app, "NAME", options->names, "Labs to remove");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    const auto directory = TRY(labs_directory(context));
    int exit_code = kExitOk;
    for (const auto& name : options->names) {
      if (options->dry_run.on) {
        TRY(show_lab_plan(options->dry_run, lab::plan_down(directory, name)));
        continue;
      }
      const auto errors = lab::down(directory, name);
      for (const auto& error : errors) complain(error.message);
      if (errors.empty())
        print(name + "\n");
      else
        exit_code = kExitRefused;
    }
    return exit_code;
  };
}

constinit const Verb kUp = {
    .name = "up",
    .summary = "Make a lab: hosts on a common switch",
    .details =
        "The hosts are network namespaces with the addresses 192.0.2.11, 192.0.2.12 and so on; "
        "the switch, 192.0.2.1, is their default route. 198.51.100.1 answers pings as if it were "
        "the internet, but no packet leaves the machine. Each host has its own --root and --run, "
        "which commands run in it get by themselves.",
    .examples =
        "berth lab up demo\n"
        "berth lab up --hosts 5 cluster\n"
        "berth plan lab up demo\n",
    .build = build_up,
};
constinit const Verb kExec = {
    .name = "exec",
    .summary = "Run a command, or a shell, on a host of a lab",
    .details =
        "The command sees the host's network devices and this machine's files; berth in it acts on "
        "that host. The host 'switch' is the switch itself. The exit code is the command's; 125 "
        "when berth refuses, 126 when the command cannot be executed, 127 when it is not found.",
    .examples =
        "berth lab exec demo/h1\n"
        "berth lab exec demo/h1 -- berth network create web\n"
        "berth lab exec demo/h2 ping -c1 192.0.2.11\n"
        "berth lab exec demo/switch -- bridge link\n",
    .build = build_exec,
    .command_after = 1,
    .command_optional = true,
    .refused = kExitRun,
    .usage = kExitRun,
};
constinit const Verb kLs = {
    .name = "ls",
    .aliases = "list",
    .summary = "List the labs",
    .details =
        "A lab is broken when a host's namespace is gone or it was never finished; 'berth "
        "lab down' removes what there is of it.",
    .examples =
        "berth lab ls\n"
        "berth lab ls --format json\n",
    .build = build_ls,
};
constinit const Verb kDown = {
    .name = "down",
    .aliases = "rm",
    .summary = "Remove labs with everything that runs in them",
    .examples =
        "berth lab down demo\n"
        "berth lab down $(berth lab ls -q)\n",
    .build = build_down,
};

constexpr std::array kVerbs = {&kUp, &kExec, &kLs, &kDown};

}  // namespace

constinit const Verb kLabVerb = {
    .name = "lab",
    .summary = "Manage labs: throw-away hosts on a common switch, to try and learn with",
    .examples =
        "berth lab up demo\n"
        "berth lab exec demo/h1 -- berth run -d -p 8080:80 httpd -f\n"
        "berth lab exec demo/h2 -- curl http://192.0.2.11:8080/\n"
        "berth lab down demo\n",
    .verbs = kVerbs,
};

}  // namespace berth::cli
