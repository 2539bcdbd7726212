// berth system info|df|reconcile|reset
#include <unistd.h>

#include <array>
#include <memory>

#include "base/result.h"
#include "frontends/cli/human.h"
#include "frontends/cli/listing.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"
#include "lab/lab.h"

namespace berth::cli {
namespace {

using Json = Template::Json;

Json info_form(const Info& info) {
  return {{"Version", info.version},
          {"Root", info.root},
          {"Run", info.run},
          {"Kernel", info.kernel},
          {"NetnsInode", info.netns_inode},
          {"Networks", info.networks},
          {"Sandboxes", info.sandboxes},
          {"Running", info.running},
          {"Endpoints", info.endpoints},
          {"Ports", info.ports},
          {"IPForward", info.ip_forward},
          {"IPForwardByBerth", info.ip_forward_by_berth}};
}

std::string info_text(const Info& info) {
  const std::string_view forward = !info.ip_forward           ? "off"
                                   : info.ip_forward_by_berth ? "on (switched on by berth)"
                                                              : "on";
  return fmt::format(
      "Version:       {}\n"
      "Root:          {}\n"
      "Run:           {}\n"
      "Kernel:        {}\n"
      "Namespace:     net:[{}]\n"
      "Networks:      {}\n"
      "Sandboxes:     {}, {} running\n"
      "Endpoints:     {}\n"
      "Ports:         {}\n"
      "IP forwarding: {}\n",
      info.version, info.root, info.run, info.kernel, info.netns_inode, info.networks,
      info.sandboxes, info.running, info.endpoints, info.ports, forward);
}

Action build_info(CLI::App& app) {
  auto format = std::make_shared<std::string>();
  add_text(app, "-f,--format", "FORMAT", *format, "json or a template, as {{.Kernel}}");
  return [format](Context& context) -> Result<int> {
    auto engine = TRY(context.open());
    const auto info = TRY(engine.info());
    TRY(print_form(*format, info_form(info), info_text(info)));
    return kExitOk;
  };
}

Json df_form(const DiskUse& use) {
  Json subnets = Json::array();
  for (const auto& subnet : use.subnets) {
    subnets.push_back(Json{{"Network", subnet.network},
                           {"Subnet", subnet.subnet.str()},
                           {"InUse", subnet.in_use},
                           {"Available", subnet.available}});
  }
  return {{"StoreBytes", use.store_bytes},
          {"LogBytes", use.log_bytes},
          {"Subnets", std::move(subnets)}};
}

std::string df_text(const DiskUse& use) {
  std::vector<std::string> lines = {"NETWORK\tSUBNET\tIN USE\tAVAILABLE"};
  for (const auto& subnet : use.subnets)
    lines.push_back(fmt::format("{}\t{}\t{}\t{}", subnet.network, subnet.subnet.str(),
                                subnet.in_use, subnet.available));
  return fmt::format("Store: {}\nLogs:  {}\n\n{}", human_size(use.store_bytes),
                     human_size(use.log_bytes), aligned(lines));
}

Action build_df(CLI::App& app) {
  auto format = std::make_shared<std::string>();
  add_text(app, "--format", "FORMAT", *format, "json or a template, as {{.StoreBytes}}");
  return [format](Context& context) -> Result<int> {
    auto engine = TRY(context.open());
    const auto use = TRY(engine.disk_use());
    TRY(print_form(*format, df_form(use), df_text(use)));
    return kExitOk;
  };
}

Action build_reconcile(CLI::App& app) {
  auto dry_run = std::make_shared<DryRun>();
  add_dry_run(app, *dry_run);
  return [dry_run](Context& context) -> Result<int> {
    auto engine = TRY(context.open(*dry_run));
    if (dry_run->on) return show_plan(engine, *dry_run, Reconcile{});
    int exit_code = kExitOk;
    for (const auto& repair : TRY(engine.reconcile())) {
      if (repair.status) {
        print(fmt::format("repaired: {}\n", repair.what));
        continue;
      }
      complain(fmt::format("{}: {}", repair.what, repair.status.error().message));
      exit_code = kExitRefused;
    }
    return exit_code;
  };
}

Action build_reset(CLI::App& app) {
  struct Options {
    bool force = false;
    bool foreign = false;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_flag(app, "-f,--force", options->force, "Do not ask");
  add_flag(app, "--foreign", options->foreign,
           "Remove what an instance left here whose store is lost; this one stays");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    if (options->dry_run.on) {
      auto engine = TRY(context.open(options->dry_run));
      return show_plan(engine, options->dry_run, Reset{options->foreign});
    }
    if (!options->force) {
      if (::isatty(STDIN_FILENO) != 1)
        return fail(ErrorKind::kInvalid,
                    "reset removes every sandbox and network, and there is no terminal to ask on; "
                    "give --force");
      const auto root = TRY(context.settings()).root;
      const auto question =
          options->foreign
              ? "Remove what an instance whose store is lost left in this network namespace?"
              : fmt::format("Remove every sandbox and network of {}?", root);
      if (!confirmed(question)) return kExitRefused;
    }
    if (options->foreign) {
      auto engine = TRY(context.open());
      TRY(engine.reset_foreign());
      return kExitOk;
    }
    const auto settings = TRY(context.settings());
    const auto errors = Engine::reset(settings);
    for (const auto& error : errors) complain(error.message);
    for (const auto& each : TRY(lab::list(settings.run + "/labs")))
      print(fmt::format("lab {0} stays: remove it with `berth lab down {0}`\n", each.name));
    return errors.empty() ? kExitOk : kExitRefused;
  };
}

constinit const Verb kInfo = {
    .name = "info",
    .summary = "Show what this instance is and how much it holds",
    .examples =
        "berth system info\n"
        "berth system info --format json\n",
    .build = build_info,
};
constinit const Verb kDf = {
    .name = "df",
    .summary = "Show what is used: disk, and addresses of each subnet",
    .examples =
        "berth system df\n"
        "berth system df --format json\n",
    .build = build_df,
};
constinit const Verb kReconcile = {
    .name = "reconcile",
    .summary = "Compare what should be with what is, and repair it",
    .details =
        "Makes again what is missing of networks and endpoints, as after 'nft flush ruleset', "
        "'ip link del' of a bridge or a reboot, and collects endpoints whose namespace is "
        "gone. Prints what it found; nothing when all is well.",
    .examples =
        "berth system reconcile\n"
        "berth system reconcile --dry-run\n",
    .build = build_reconcile,
};
constinit const Verb kReset = {
    .name = "reset",
    .summary = "Remove all that this instance made, and nothing else",
    .details =
        "A record that cannot be read is passed over and told of in a line of its own (exit code 1 "
        "then); all the rest goes, and the instance is empty. Of a store that cannot be read at "
        "all, what it described is found by the firewall's table and by names; processes of "
        "sandboxes are not ended then. Labs stay.\n"
        "With --foreign, what another instance made in this network namespace goes, if its store "
        "is lost.",
    .examples =
        "berth system reset\n"
        "berth --root /tmp/a --run /tmp/a/run system reset -f\n"
        "berth system reset --foreign\n",
    .build = build_reset,
};

Action build_dhcp_event(CLI::App& app) {
  auto event = std::make_shared<std::string>();
  add_argument(app, "EVENT", *event, "deconfig, bound, renew, nak or leasefail");
  return [event](Context& context) -> Result<int> {
    TRY(record_dhcp_event(context.helper_settings(), *event));
    return kExitOk;
  };
}
constexpr Verb kDhcpEvent = {
    .name = "dhcp-event",
    .summary = "Take note of what a DHCP client was told; the client calls this",
    .examples = "berth system dhcp-event renew\n",
    .hidden = true,
    .build = build_dhcp_event,
};

constexpr std::array kVerbs = {&kInfo, &kDf, &kReconcile, &kReset, &kDhcpEvent};

}  // namespace

constinit const Verb kSystemVerb = {
    .name = "system",
    .summary = "Look after this instance as a whole",
    .examples =
        "berth system info\n"
        "berth system reconcile\n",
    .verbs = kVerbs,
};

}  // namespace berth::cli
