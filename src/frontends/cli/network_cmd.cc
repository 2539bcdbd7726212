// berth network create|rm|connect|disconnect; ls and inspect are in network_list_cmd.cc.
#include <array>
#include <memory>

#include "base/result.h"
#include "frontends/cli/network_options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

Action build_create(CLI::App& app) {
  auto options = std::make_shared<NetworkOptions>();
  declare(app, *options);
  return [options](Context& context) -> Result<int> {
    const auto request = TRY(to_request(*options));
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, request);
    print(TRY(engine.create_network(request)).id + "\n");
    return kExitOk;
  };
}

Action build_rm(CLI::App& app) {
  struct Options {
    RemoveNetworks request;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_arguments(app, "NETWORK", options->request.networks, "Names or ids, which may be shortened");
  add_flag(app, "-f,--force", options->request.force,
           "Disconnect who still uses it; what is not there is fine");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, options->request);
    return report(engine.remove_networks(options->request));
  };
}

Action build_connect(CLI::App& app) {
  struct Options {
    Connect request;
    std::string ip, mac;
    std::vector<std::string> ports;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "NETWORK", options->request.network, "Name or id of the network");
  add_argument(app, "TARGET", options->request.target,
               "A sandbox's name or id, netns:PATH, pid:N or docker:NAME");
  add_text(app, "--ip", "IP", options->ip, "Address; else the first free one of the range");
  add_text(app, "--mac-address", "MAC", options->mac,
           "Hardware address; else 02:42 and the IPv4 address");
  add_list(app, "--alias", "NAME", options->request.options.aliases,
           "A further name within the network");
  add_list(app, "-p,--publish", "PORT", options->ports,
           "Publish a port: [hostIP:][hostPort:]containerPort[/tcp|udp|sctp], ranges as 80-82");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    auto& request = options->request;
    request.options.ip4 = TRY(parse_optional<Ip>("--ip", options->ip));
    request.options.mac = TRY(parse_optional<Mac>("--mac-address", options->mac));
    request.ports = TRY(parse_ports(options->ports));
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, request);
    TRY(engine.connect(request));
    return kExitOk;
  };
}

Action build_disconnect(CLI::App& app) {
  struct Options {
    Disconnect request;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "NETWORK", options->request.network, "Name or id of the network");
  add_argument(app, "TARGET", options->request.target,
               "A sandbox's name or id, netns:PATH, pid:N or docker:NAME");
  add_flag(app, "-f,--force", options->request.force,
           "Go on past the kernel's errors and forget the connection");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, options->request);
    TRY(engine.disconnect(options->request));
    return kExitOk;
  };
}

constinit const Verb kCreate = {
    .name = "create",
    .summary = "Create a network and print its id",
    .details =
        "The network has a bridge device on the host that carries the gateway's address. "
        "Sandboxes of one network reach each other and, unless it is internal, the outside; "
        "other networks do not reach them.",
    .examples =
        "berth network create web\n"
        "berth network create --subnet 192.168.100.0/24 --ip-range 192.168.100.0/26 "
        "--gateway 192.168.100.1 -o com.docker.network.bridge.name=mybr0 mybridge0\n"
        "berth network create --internal --label tier=db back\n"
        "berth network create --dry-run web\n",
    .build = build_create,
};
constinit const Verb kRemove = {
    .name = "rm",
    .alias = "remove",
    .summary = "Remove networks",
    .examples =
        "berth network rm web back\n"
        "berth network rm -f web\n",
    .build = build_rm,
};
constinit const Verb kConnect = {
    .name = "connect",
    .summary = "Connect a sandbox or a network namespace to a network",
    .examples =
        "berth network connect web server\n"
        "berth network connect --ip 192.168.100.7 -p 8080:80 web netns:/run/netns/blue\n"
        "berth network connect --alias db back pid:4711\n",
    .build = build_connect,
};
constinit const Verb kDisconnect = {
    .name = "disconnect",
    .summary = "Disconnect a sandbox or a network namespace from a network",
    .examples =
        "berth network disconnect web server\n"
        "berth network disconnect -f web netns:/run/netns/blue\n",
    .build = build_disconnect,
};

constexpr std::array kVerbs = {&kCreate, &kNetworkLsVerb, &kNetworkInspectVerb,
                               &kRemove, &kConnect,       &kDisconnect};

}  // namespace

constinit const Verb kNetworkVerb = {
    .name = "network",
    .summary = "Manage networks",
    .details =
        "The networks bridge, host and none are there from the start and cannot be removed. "
        "Networks are named by name or id; an id may be shortened where it stays unique.",
    .examples =
        "berth network create web\n"
        "berth network ls\n"
        "berth network rm web\n",
    .verbs = kVerbs,
};

}  // namespace berth::cli
