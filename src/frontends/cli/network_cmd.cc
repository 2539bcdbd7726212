// berth network create|rm|connect|disconnect; ls and inspect are in network_list_cmd.cc.
#include <array>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "frontends/cli/background.h"
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
    std::string ip, ip6, mac, ifname, priority;
    std::vector<std::string> ports, link_local, driver_options;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "NETWORK", options->request.network, "Name or id of the network");
  add_argument(
      app, "TARGET", options->request.target,
      "A sandbox's name or id, netns:PATH, pid:N, docker:NAME, podman:NAME, oci:ID, oci:FILE or "
      "oci:- with the container's state on standard input");
  add_text(app, "--ip", "IP", options->ip, "IPv4 address; else the first free one of the range");
  add_text(app, "--ip6", "IP", options->ip6, "IPv6 address; else the first free one of the range");
  add_list(app, "--link-local-ip", "IP", options->link_local, "A further, link-local address");
  add_text(app, "--mac-address", "MAC", options->mac,
           "Hardware address; else one that begins with 02:42");
  add_text(app, "--ifname", "NAME", options->ifname,
           "Name of the interface in the sandbox; else eth and the first free number");
  add_text(app, "--gw-priority", "N", options->priority,
           "The default route goes by the network with the highest [0]");
  add_list(app, "--driver-opt", "KEY=VALUE", options->driver_options,
           "Set an option of the connection; docs/options.md has them all");
  add_list(app, "--alias", "NAME", options->request.options.aliases,
           "A further name within the network");
  add_list(app, "--link", "NAME[:ALIAS]", options->request.options.links,
           "Add a line to /etc/hosts for another sandbox on the network");
  add_list(app, "-p,--publish", "PORT", options->ports,
           "Publish a port: [hostIP:][hostPort:]containerPort[/tcp|udp|sctp], ranges as 80-82");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    auto& request = options->request;
    request.options.ip4 = TRY(parse_optional<Ip>("--ip", options->ip));
    request.options.ip6 = TRY(parse_optional<Ip>("--ip6", options->ip6));
    request.options.mac = TRY(parse_optional<Mac>("--mac-address", options->mac));
    request.options.ifname =
        TRY(parse_optional<IfName>("--ifname", options->ifname)).value_or(IfName());
    request.options.link_local = TRY(parse_link_local_ips(options->link_local));
    request.options.driver_options = TRY(parse_pairs("--driver-opt", options->driver_options));
    if (!options->priority.empty())
      request.options.gw_priority = static_cast<int>(
          TRY(parse_number("--gw-priority", options->priority, INT32_MIN, INT32_MAX)));
    request.ports = TRY(parse_ports(options->ports));
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, request);
    announce_in_background(engine, {TRY(engine.connect(request))});
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
  add_argument(
      app, "TARGET", options->request.target,
      "A sandbox's name or id, netns:PATH, pid:N, docker:NAME, podman:NAME, oci:ID, oci:FILE or "
      "oci:- with the container's state on standard input");
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
        "A bridge network has a bridge device on the host that carries the gateway's address. "
        "Sandboxes of one network reach each other and, unless it is internal, the outside; "
        "other networks do not reach them. A macvlan or ipvlan network puts its sandboxes on the "
        "network of a device of the host (-o parent=). With --config-only nothing is made: the "
        "network is a template, and --config-from makes others like it.",
    .examples =
        "berth network create web\n"
        "berth network create --subnet 192.168.100.0/24 --ip-range 192.168.100.0/26 "
        "--gateway 192.168.100.1 -o com.docker.network.bridge.name=mybr0 mybridge0\n"
        "berth network create --internal --label tier=db back\n"
        "berth network create --ipv6 --subnet 10.1.0.0/24 --subnet fd01::/64 dual\n"
        "berth network create --route 10.8.0.0/16,10.1.0.9 --subnet 10.1.0.0/24 site\n"
        "berth network create --config-only --subnet 10.2.0.0/24 -o parent=eth0 lan-template\n"
        "berth network create -d macvlan --config-from lan-template lan\n"
        "berth network create --dry-run web\n",
    .build = build_create,
};
constinit const Verb kRemove = {
    .name = "rm",
    .aliases = "remove delete",
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
        "berth network connect --alias db back pid:4711\n"
        "berth network connect --gw-priority 10 --ifname wan0 uplink server\n",
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

constexpr std::array kVerbs = {
    &kCreate,     &kNetworkLsVerb,     &kNetworkInspectVerb, &kRemove,           &kConnect,
    &kDisconnect, &kNetworkUpdateVerb, &kNetworkPruneVerb,   &kNetworkExistsVerb};

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
