// berth sandbox create|ls|rm|exited: namespaces without a process, and all sandboxes as such.
#include <array>
#include <memory>

#include "base/result.h"
#include "frontends/cli/human.h"
#include "frontends/cli/lifecycle.h"
#include "frontends/cli/listing.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

using Json = Listing::Json;

Action build_create(CLI::App& app) {
  struct Options {
    CreateSandbox request;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "NAME", options->request.name, "Name of the sandbox; else one is made up",
               Need::kOptional);
  add_text(app, "--hostname", "NAME", options->request.hostname,
           "Its name in /etc/hosts; else its id");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, options->request);
    print(TRY(engine.create_sandbox(options->request)).id + "\n");
    return kExitOk;
  };
}

const char* kind_text(SandboxKind kind) {
  switch (kind) {
    case SandboxKind::kProcess:
      return "process";
    case SandboxKind::kNamespace:
      return "namespace";
    case SandboxKind::kForeign:
      return "foreign";
  }
  return "";
}

Action build_ls(CLI::App& app) {
  struct Options {
    std::string format;
    bool quiet = false, no_trunc = false;
  };
  auto options = std::make_shared<Options>();
  add_text(app, "--format", "FORMAT", options->format,
           "table, json, a template, or table TEMPLATE");
  add_flag(app, "--no-trunc", options->no_trunc, "Print whole ids");
  add_flag(app, "-q,--quiet", options->quiet, "Print ids only");
  return [options](Context& context) -> Result<int> {
    auto listing = TRY(Listing::make(options->quiet ? "{{.ID}}" : options->format,
                                     R"({{.ID}}\t{{.Name}}\t{{.Kind}}\t{{.State}}\t{{.Netns}})",
                                     Json{{"ID", "SANDBOX ID"},
                                          {"Name", "NAME"},
                                          {"Kind", "KIND"},
                                          {"State", "STATE"},
                                          {"Netns", "NETNS"}}));
    auto engine = TRY(context.open());
    for (const auto& sandbox : TRY(engine.sandboxes())) {
      TRY(listing.add({{"ID", options->no_trunc ? sandbox.id : short_id(sandbox.id)},
                       {"Name", sandbox.name},
                       {"Kind", kind_text(sandbox.kind)},
                       {"State", name(sandbox.state)},
                       {"Netns", sandbox.netns_path}}));
    }
    print(listing.text());
    return kExitOk;
  };
}

Action build_exited(CLI::App& app) {
  struct Options {
    std::string id, code;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "ID", options->id, "The sandbox's whole id");
  add_argument(app, "CODE", options->code, "How its process ended: 0 to 255");
  return [options](Context& context) -> Result<int> {
    const auto code = TRY(parse_number("CODE", options->code, 0, 255));
    auto engine = TRY(Engine::open(context.helper_settings()));
    TRY(engine.sandbox_exited(options->id, static_cast<int>(code)));
    return kExitOk;
  };
}

constinit const Verb kCreate = {
    .name = "create",
    .summary = "Create a sandbox without a process and print its id",
    .details =
        "A network namespace of its own, to be connected to networks and entered by "
        "berth exec. It stays until it is removed.",
    .examples =
        "berth sandbox create blue\n"
        "berth network connect web blue\n"
        "berth exec blue ip addr\n",
    .build = build_create,
};
constinit const Verb kLs = {
    .name = "ls",
    .aliases = "list",
    .summary = "List all sandboxes: processes, namespaces and those somebody else made",
    .examples =
        "berth sandbox ls\n"
        "berth sandbox ls --format '{{.Name}} {{.Netns}}'\n",
    .build = build_ls,
};
constinit const Verb kRemove = {
    .name = "rm",
    .aliases = "remove delete",
    .summary = "Remove sandboxes",
    .examples =
        "berth sandbox rm blue\n"
        "berth sandbox rm -f blue green\n",
    .build = build_rm,
};
constinit const Verb kExited = {
    .name = "exited",
    .summary = "Record that a sandbox's process ended; berth-shim calls this",
    .examples =
        "berth sandbox exited 676f7f9eab12a20fb3a975fa99cc2c92433a9581b5774ea58e63d447d86aa5ad "
        "0\n",
    .hidden = true,
    .build = build_exited,
};

constexpr std::array kVerbs = {&kCreate, &kLs, &kRemove, &kExited};

}  // namespace

constinit const Verb kSandboxVerb = {
    .name = "sandbox",
    .summary = "Manage sandboxes",
    .examples =
        "berth sandbox create blue\n"
        "berth sandbox ls\n"
        "berth sandbox rm blue\n",
    .verbs = kVerbs,
};

}  // namespace berth::cli
