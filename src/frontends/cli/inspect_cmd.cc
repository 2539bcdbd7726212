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

enum class Type { kAny, kSandbox, kNetwork };

Result<Type> parse_type(std::string_view text) {
  if (text.empty()) return Type::kAny;
  if (text == "sandbox" || text == "container") return Type::kSandbox;
  if (text == "network") return Type::kNetwork;
  return fail(ErrorKind::kInvalid, "--type {}: give sandbox, container or network", text);
}

Result<Json> sandbox_named(Engine& engine, const std::string& reference) {
  const auto snapshot = TRY(engine.snapshot(reference));
  return inspected_sandbox(engine, TRY(engine.sandbox(reference)));
}

Result<Json> network_named(Engine& engine, const std::string& reference) {
  const auto snapshot = TRY(engine.snapshot());  // a network's page names all its sandboxes
  return inspected_network(engine, TRY(engine.network(reference)));
}

// Of any type, sandboxes come before networks, as containers do in Docker.
Result<Json> inspected(Engine& engine, Type type, const std::string& reference) {
  if (reference.empty())
    return fail(ErrorKind::kInvalid, "'' names no sandbox or network: give a name or an id");
  if (type == Type::kSandbox) return sandbox_named(engine, reference);
  if (type == Type::kNetwork) return network_named(engine, reference);
  auto sandbox = sandbox_named(engine, reference);
  if (sandbox) return sandbox;
  auto network = network_named(engine, reference);
  if (network) return network;
  if (sandbox.error().kind != ErrorKind::kNotFound) return std::unexpected(sandbox.error());
  if (network.error().kind != ErrorKind::kNotFound) return std::unexpected(network.error());
  return fail(ErrorKind::kNotFound, "no such sandbox or network: {}", reference);
}

Action build_inspect(CLI::App& app) {
  struct Options {
    std::vector<std::string> targets;
    std::string format, type;
  };
  auto options = std::make_shared<Options>();
  add_arguments(app, "TARGET", options->targets,
                "Names or ids of sandboxes or networks, or a sandbox as exec takes it: netns:PATH, "
                "docker:NAME and so on");
  add_text(app, "-f,--format", "TEMPLATE", options->format,
           "Print this of each, as {{.State.Pid}} or {{json .NetworkSettings.Ports}}");
  add_text(app, "--type", "TYPE", options->type, "Look only among these: sandbox or network");
  return [options](Context& context) -> Result<int> {
    const auto type = TRY(parse_type(options->type));
    auto engine = TRY(context.open());
    Json found = Json::array();
    std::vector<Error> errors;
    for (const auto& target : options->targets) {
      auto object = inspected(engine, type, target);
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
        "berth inspect --type network web\n"
        "berth inspect -f '{{.State.Pid}}' server\n"
        "berth inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' server\n",
    .build = build_inspect,
};

}  // namespace berth::cli
