// berth ps
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include "base/result.h"
#include "frontends/cli/filter.h"
#include "frontends/cli/human.h"
#include "frontends/cli/listing.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

using Json = Listing::Json;

constexpr std::array<std::string_view, 6> kFilterKeys = {"exited", "id",      "label",
                                                         "name",   "network", "status"};
constexpr std::array<std::string_view, 3> kStatuses = {"created", "running", "exited"};
constexpr std::size_t kCommandWidth = 20;  // characters

Json headings() {
  return {{"ID", "CONTAINER ID"},    {"Command", "COMMAND"}, {"CreatedAt", "CREATED AT"},
          {"RunningFor", "CREATED"}, {"State", "STATE"},     {"Status", "STATUS"},
          {"Networks", "NETWORKS"},  {"Ports", "PORTS"},     {"Names", "NAMES"},
          {"Labels", "LABELS"}};
}

std::string networks_text(const Sandbox& sandbox, const std::vector<Endpoint>& endpoints) {
  if (sandbox.mode == NetworkMode::kContainer) return "container:" + short_id(sandbox.shares);
  if (endpoints.empty()) return network_mode(sandbox);
  std::string out;
  for (const auto& endpoint : endpoints) {
    if (!out.empty()) out += ',';
    out += endpoint.network_name;
  }
  return out;
}

Json row_of(const Sandbox& sandbox, const std::vector<Endpoint>& endpoints, bool whole,
            std::int64_t now) {
  std::vector<PortMapping> ports;
  for (const auto& endpoint : endpoints)
    ports.insert(ports.end(), endpoint.ports.begin(), endpoint.ports.end());
  const auto command = command_text(sandbox.argv);
  return {{"ID", whole ? sandbox.id : short_id(sandbox.id)},
          {"Names", sandbox.name},
          {"Command", in_quotes(whole ? command : shortened(command, kCommandWidth))},
          {"CreatedAt", go_time(sandbox.created)},
          {"RunningFor", human_duration(now - sandbox.created) + " ago"},
          {"State", name(sandbox.state)},
          {"Status", status_text(sandbox, now)},
          {"Ports", ports_text(std::move(ports))},
          {"Networks", networks_text(sandbox, endpoints)},
          {"Labels", joined(sandbox.labels)}};
}

bool matches(const Filters& filters, const Sandbox& sandbox,
             const std::vector<Endpoint>& endpoints) {
  const auto on_network = [&](const std::string& wanted) {
    return predefined_network(sandbox) == wanted ||
           std::ranges::any_of(endpoints, [&](const Endpoint& endpoint) {
             return endpoint.network_name == wanted || endpoint.network_id.starts_with(wanted);
           });
  };
  const auto exited_with = [&](const std::string& code) {
    return sandbox.state == SandboxState::kExited && code == std::to_string(sandbox.exit_code);
  };
  return filters.pass("id", [&](const auto& id) { return sandbox.id.starts_with(id); }) &&
         // Docker's names begin with a slash, and either form may be asked for.
         (filters.pass_pattern("name", sandbox.name) ||
          filters.pass_pattern("name", "/" + sandbox.name)) &&
         filters.pass("status", [&](const auto& state) { return state == name(sandbox.state); }) &&
         filters.pass("exited", exited_with) && filters.pass("network", on_network) &&
         filters.pass_labels(sandbox.labels);
}

constexpr std::int64_t kMaxLast = 1'000'000'000;

// -l and -n: how many at most.
Result<std::int64_t> limit(bool latest, const std::string& last) {
  if (!last.empty()) return parse_number("--last", last, 1, kMaxLast);
  return latest ? 1 : kMaxLast;
}

Action build_ps(CLI::App& app) {
  struct Options {
    std::vector<std::string> filters;
    std::string format, last;
    bool all = false, latest = false, quiet = false, no_trunc = false;
  };
  auto options = std::make_shared<Options>();
  add_flag(app, "-a,--all", options->all,
           "Also sandboxes that do not run, and namespaces of other programs");
  add_list(app, "-f,--filter", "KEY=VALUE", options->filters,
           "Only those that match: exited=CODE, id, label, name=REGEXP, network, "
           "status=created|running|exited");
  add_text(app, "--format", "FORMAT", options->format,
           "table, json, a template, or table TEMPLATE");
  add_text(app, "-n,--last", "N", options->last, "The N that were made last, running or not");
  add_flag(app, "-l,--latest", options->latest, "The one that was made last, as -n 1");
  add_flag(app, "--no-trunc", options->no_trunc, "Print whole ids and commands");
  add_flag(app, "-q,--quiet", options->quiet, "Print ids only");
  return [options](Context& context) -> Result<int> {
    auto filters = TRY(Filters::parse(options->filters, kFilterKeys));
    TRY(filters.read_patterns("name"));
    TRY(filters.allow("status", kStatuses));
    for (const auto& code : filters.values("exited"))
      TRY(parse_number("--filter exited", code, 0, 255));
    auto left = TRY(limit(options->latest, options->last));
    auto listing = TRY(Listing::make(options->quiet ? "{{.ID}}" : options->format,
                                     R"({{.ID}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t)"
                                     R"({{.Networks}}\t{{.Ports}}\t{{.Names}})",
                                     headings()));
    auto engine = TRY(context.open());
    const auto now = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch());
    // Asking for a state or for the newest shows them whatever their state, as in Docker.
    const bool all = options->all || options->latest || !options->last.empty() ||
                     filters.has("status") || filters.has("exited");
    const auto snapshot = TRY(engine.snapshot());
    for (const auto& sandbox : TRY(engine.sandboxes())) {
      const bool shown =
          sandbox.state == SandboxState::kRunning && sandbox.kind != SandboxKind::kForeign;
      if (!all && !shown) continue;
      const auto endpoints = TRY(engine.endpoints_of_sandbox(sandbox));
      if (!matches(filters, sandbox, endpoints)) continue;
      TRY(listing.add(row_of(sandbox, endpoints, options->no_trunc, now.count()), sandbox.labels));
      if (--left == 0) break;
    }
    print(listing.text());
    return kExitOk;
  };
}

}  // namespace

constinit const Verb kPsVerb = {
    .name = "ps",
    .aliases = "ls list",
    .summary = "List sandboxes",
    .examples =
        "berth ps\n"
        "berth ps -aq --no-trunc\n"
        "berth ps --filter network=web --filter status=running\n"
        "berth ps -n 5 --filter exited=137\n"
        "berth ps -a --format 'table {{.Names}}\\t{{.Ports}}'\n",
    .build = build_ps,
};

}  // namespace berth::cli
