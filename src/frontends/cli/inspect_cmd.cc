// berth inspect
#include <memory>

#include "base/result.h"
#include "frontends/cli/inspect.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

using frontends::Json;

// Sandboxes come before networks, as containers do in Docker.
Result<Json> inspected(Engine& engine, const std::string& reference) {
  if (reference.empty())
    return fail(ErrorKind::kInvalid, "'' names no sandbox or network: give a name or an id");
  auto snapshot = TRY(engine.snapshot(reference));
  const auto sandbox = engine.sandbox(reference);
  if (sandbox) return inspected_sandbox(engine, *sandbox);
  snapshot.reset();
  snapshot = TRY(engine.snapshot());  // a network's page names all its sandboxes
  const auto network = engine.network(reference);
  if (network) return inspected_network(engine, *network);
  if (sandbox.error().kind != ErrorKind::kNotFound) return std::unexpected(sandbox.error());
  if (network.error().kind != ErrorKind::kNotFound) return std::unexpected(network.error());
  return fail(ErrorKind::kNotFound, "{}: there is neither a sandbox nor a network of that name",
              reference);
}

Action build_inspect(CLI::App& app) {
  struct Options {
    std::vector<std::string> targets;
    std::string format;
  };
  auto options = std::make_shared<Options>();
  add_arguments(app, "TARGET", options->targets,
                "Names or ids of sandboxes or networks, or a sandbox as exec takes it: netns:PATH, "
                "docker:NAME and so on");
  add_text(app, "-f,--format", "TEMPLATE", options->format,
           "Print this of each, as {{.State.Pid}} or {{json .NetworkSettings.Ports}}");
  return [options](Context& context) -> Result<int> {
    auto engine = TRY(context.open());
    Json found = Json::array();
    std::vector<Error> errors;
    for (const auto& target : options->targets) {
      auto object = inspected(engine, target);
      if (object)
        found.push_back(*std::move(object));
      else
        errors.push_back(std::move(object).error());
    }
    TRY(print_inspected(found, options->format));
    for (const auto& error : errors) complain(error.message);
    return errors.empty() ? kExitOk : kExitRefused;
  };
}

}  // namespace

constinit const Verb kInspectVerb = {
    .name = "inspect",
    .summary = "Show all about sandboxes or networks as JSON, in Docker's form",
    .examples =
        "berth inspect server\n"
        "berth inspect -f '{{.State.Pid}}' server\n"
        "berth inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' server\n",
    .build = build_inspect,
};

}  // namespace berth::cli
