// berth network update|prune|exists
#include <array>
#include <chrono>
#include <memory>

#include "base/result.h"
#include "frontends/cli/filter.h"
#include "frontends/cli/moment.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

constexpr std::array<std::string_view, 3> kPruneKeys = {"label", "label!", "until"};

Action build_update(CLI::App& app) {
  struct Options {
    UpdateNetwork request;
    std::vector<std::string> labels, add_dns, drop_dns;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "NETWORK", options->request.network, "Name or id of the network");
  add_list(app, "--label-add", "KEY=VALUE", options->labels, "Set a label");
  add_list(app, "--label-rm", "KEY", options->request.remove_labels, "Remove a label");
  add_list(app, "--dns-add", "IP", options->add_dns, "Refused: networks have no name servers yet");
  add_list(app, "--dns-drop", "IP", options->drop_dns, "Refused as --dns-add");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    if (!options->add_dns.empty() || !options->drop_dns.empty())
      return fail(
          ErrorKind::kUnsupported,
          "network {}: --dns-add and --dns-drop: networks have no name servers of their own "
          "yet; give run --dns",
          options->request.network);
    options->request.add_labels = TRY(parse_pairs("--label-add", options->labels));
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, options->request);
    print(TRY(engine.update_network(options->request)).name + "\n");
    return kExitOk;
  };
}

// The unused networks that --filter lets through.
Result<std::vector<std::string>> to_prune(Engine& engine, const Filters& filters) {
  const auto& until = filters.values("until");
  if (until.size() > 1)
    return fail(ErrorKind::kInvalid, "--filter until={}: it is given twice: give one", until[1]);
  std::optional<Moment> before;
  if (!until.empty())
    before = TRY(parse_moment("--filter until", until[0], std::chrono::system_clock::now()));
  std::vector<std::string> names;
  for (const auto& network : TRY(engine.unused_networks())) {
    const Moment created{
        std::chrono::duration_cast<Moment::duration>(std::chrono::nanoseconds(network.created))};
    if (filters.pass_labels(network.labels) && (!before || created < *before))
      names.push_back(network.name);
  }
  return names;
}

// Between the choice and the removal others go on: what is no longer unused is not for prune.
bool meanwhile_used_or_gone(const Error& error) {
  return error.sys == 0 && (error.kind == ErrorKind::kInUse || error.kind == ErrorKind::kNotFound);
}

Action build_prune(CLI::App& app) {
  struct Options {
    std::vector<std::string> filters;
    bool force = false;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_flag(app, "-f,--force", options->force, "Do not ask");
  add_list(app, "--filter", "KEY=VALUE", options->filters,
           "Only those that match: until=TIME or AGE, label=, label!=");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    const auto filters = TRY(Filters::parse(options->filters, kPruneKeys));
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) {
      const auto snapshot = TRY(engine.snapshot());
      RemoveNetworks request{TRY(to_prune(engine, filters))};
      // One on somebody else's device may be nothing in the kernel.
      if (options->dry_run.format != "json")
        for (const auto& name : request.networks) print("# removes network " + name + "\n");
      return show_plan(engine, options->dry_run, request);
    }
    (void)TRY(to_prune(engine, filters));  // a bad filter is refused before it is asked
    if (!options->force) {
      print("WARNING! This will remove all custom networks not used by at least one container.\n");
      if (!confirmed("Are you sure you want to continue?"))
        return fail(ErrorKind::kInvalid,
                    "network prune: nothing was removed; answer y, or give --force");
    }
    int exit_code = kExitOk;
    std::string removed;
    for (const auto& [name, status] :
         engine.remove_networks({TRY(to_prune(engine, filters)), /*force=*/false})) {
      if (status) removed += name + "\n";
      if (status || meanwhile_used_or_gone(status.error())) continue;
      exit_code = kExitRefused;
      complain(status.error().message);
    }
    if (!removed.empty()) print("Deleted Networks:\n" + removed + "\n");
    return exit_code;
  };
}

Action build_exists(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  add_argument(app, "NETWORK", *name, "Name or id of the network");
  return [name](Context& context) -> Result<int> {
    auto engine = TRY(context.open());
    const auto network = engine.network(*name);
    if (network) return kExitOk;
    if (network.error().kind == ErrorKind::kNotFound) return kExitRefused;
    return std::unexpected(network.error());
  };
}

}  // namespace

constinit const Verb kNetworkUpdateVerb = {
    .name = "update",
    .summary = "Change the labels of a network that may be in use",
    .details = "What a network is made of stays as it is: subnets, driver and its options.",
    .examples = "berth network update --label-add tier=db --label-rm old back\n",
    .build = build_update,
};
constinit const Verb kNetworkPruneVerb = {
    .name = "prune",
    .summary = "Remove networks that no sandbox is connected to",
    .details = "Templates (--config-only) and the networks bridge, host and none stay.",
    .examples =
        "berth network prune\n"
        "berth network prune -f --filter until=24h --filter 'label!=keep'\n"
        "berth network prune --dry-run\n",
    .build = build_prune,
};
constinit const Verb kNetworkExistsVerb = {
    .name = "exists",
    .summary = "Tell by the exit code whether there is a network: 0 or 1",
    .examples = "berth network exists web || berth network create web\n",
    .build = build_exists,
};

}  // namespace berth::cli
