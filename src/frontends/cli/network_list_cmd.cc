// berth network ls|inspect
#include <array>
#include <memory>

#include "base/result.h"
#include "frontends/cli/filter.h"
#include "frontends/cli/human.h"
#include "frontends/cli/inspect.h"
#include "frontends/cli/listing.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

using frontends::Json;

constexpr std::array<std::string_view, 7> kFilterKeys = {"dangling", "driver", "id",  "label",
                                                         "name",     "scope",  "type"};
constexpr std::array<std::string_view, 2> kTypes = {"builtin", "custom"};
constexpr std::array<std::string_view, 4> kTruths = {"true", "false", "1", "0"};

Json headings() {
  return {{"ID", "NETWORK ID"},
          {"Name", "NAME"},
          {"Driver", "DRIVER"},
          {"Scope", "SCOPE"},
          {"CreatedAt", "CREATED AT"},
          {"Internal", "INTERNAL"},
          {"IPv4", "IPV4"},
          {"IPv6", "IPV6"},
          {"Labels", "LABELS"}};
}

const char* truth_text(bool value) {
  return value ? "true" : "false";
}

Json row_of(const Network& network, bool whole_ids) {
  return {{"ID", whole_ids ? network.id : short_id(network.id)},
          {"Name", network.name},
          {"Driver", driver_name(network)},
          {"Scope", "local"},
          {"CreatedAt", go_time(network.created)},
          {"Internal", truth_text(network.internal)},
          {"IPv4", truth_text(network.ipv4)},
          {"IPv6", truth_text(network.ipv6)},
          {"Labels", joined(network.labels)}};
}

Result<bool> matches(Engine& engine, const Filters& filters, const Network& network) {
  const auto is = [](std::string_view wanted) {
    return [wanted](const std::string& value) { return value == wanted; };
  };
  const bool pass =
      filters.pass("driver", is(driver_name(network))) && filters.pass("scope", is("local")) &&
      filters.pass("type", is(network.predefined ? "builtin" : "custom")) &&
      filters.pass("id", [&](const auto& id) { return network.id.starts_with(id); }) &&
      filters.pass_pattern("name", network.name) && filters.pass_labels(network.labels);
  if (!pass || !filters.has("dangling")) return pass;
  // Dangling: made by somebody and used by nobody. The predefined networks never are.
  bool dangling = !network.predefined;
  if (dangling) dangling = TRY(engine.endpoints_of_network(network.id)).empty();
  return filters.pass(
      "dangling", [&](const auto& value) { return dangling == (value == "true" || value == "1"); });
}

Action build_ls(CLI::App& app) {
  struct Options {
    std::vector<std::string> filters;
    std::string format;
    bool quiet = false, no_trunc = false;
  };
  auto options = std::make_shared<Options>();
  add_list(app, "-f,--filter", "KEY=VALUE", options->filters,
           "Only those that match: driver, id, label, name=REGEXP, scope, type=builtin|custom, "
           "dangling");
  add_text(app, "--format", "FORMAT", options->format,
           "table, json, a template, or table TEMPLATE");
  add_flag(app, "--no-trunc", options->no_trunc, "Print whole ids");
  add_flag(app, "-q,--quiet", options->quiet, "Print ids only");
  return [options](Context& context) -> Result<int> {
    auto filters = TRY(Filters::parse(options->filters, kFilterKeys));
    TRY(filters.read_patterns("name"));
    TRY(filters.allow("type", kTypes));
    TRY(filters.allow("dangling", kTruths));
    if (filters.values("dangling").size() > 1)
      return fail(ErrorKind::kInvalid, "--filter dangling: it is given twice: give one");
    auto listing = TRY(Listing::make(options->quiet ? "{{.ID}}" : options->format,
                                     R"({{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}})", headings()));
    auto engine = TRY(context.open());
    Snapshot snapshot;
    if (filters.has("dangling")) snapshot = TRY(engine.snapshot());
    for (const auto& network : TRY(engine.networks())) {
      if (TRY(matches(engine, filters, network)))
        TRY(listing.add(row_of(network, options->no_trunc), network.labels));
    }
    print(listing.text());
    return kExitOk;
  };
}

Action build_inspect(CLI::App& app) {
  struct Options {
    std::vector<std::string> networks;
    std::string format;
    bool verbose = false;
  };
  auto options = std::make_shared<Options>();
  add_arguments(app, "NETWORK", options->networks, "Names or ids, which may be shortened");
  add_text(app, "-f,--format", "TEMPLATE", options->format,
           "Print this of each network, as {{.Id}} or {{json .IPAM}}");
  add_flag(app, "-v,--verbose", options->verbose,
           "Also how many addresses of each subnet are in use and free");
  return [options](Context& context) -> Result<int> {
    auto engine = TRY(context.open());
    Json found = Json::array();
    std::vector<Error> errors;
    const auto snapshot = TRY(engine.snapshot());
    for (const auto& reference : options->networks) {
      const auto network = engine.network(reference);
      if (network)
        found.push_back(TRY(inspected_network(engine, *network, options->verbose)));
      else
        errors.push_back(network.error());
    }
    TRY(print_inspected(found, options->format));
    for (const auto& error : errors) complain(error.message);
    return errors.empty() ? kExitOk : kExitRefused;
  };
}

}  // namespace

constinit const Verb kNetworkLsVerb = {
    .name = "ls",
    .aliases = "list",
    .summary = "List networks",
    .examples =
        "berth network ls\n"
        "berth network ls -q --no-trunc --filter type=custom\n"
        "berth network ls --format '{{.Name}}'\n"
        "berth network ls --format json\n",
    .build = build_ls,
};
constinit const Verb kNetworkInspectVerb = {
    .name = "inspect",
    .summary = "Show all about networks as JSON, in Docker's form",
    .examples =
        "berth network inspect web\n"
        "berth network inspect -v -f '{{json .Status.IPAM.Subnets}}' web\n"
        "berth network inspect -f '{{range .IPAM.Config}}{{.Subnet}}{{end}}' web\n",
    .build = build_inspect,
};

}  // namespace berth::cli
