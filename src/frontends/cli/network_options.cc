#include "frontends/cli/network_options.h"

#include <algorithm>

#include "base/result.h"

namespace berth::cli {
namespace {

template <typename T>
Result<T> parsed(std::string_view option, const std::string& text) {
  auto value = T::parse(text);
  if (!value) return std::unexpected(in_context(value.error(), "{}", option));
  return *std::move(value);
}

const char* family_name(Ip::Family family) {
  return family == Ip::Family::kV4 ? "IPv4" : "IPv6";
}

// The subnet that `what`, which begins at `ip`, belongs to: the one that it lies in. Where there is
// one of its family alone it is that one, and the engine says what is wrong.
Result<SubnetRequest*> subnet_for(std::vector<SubnetRequest>& subnets, const Ip& ip,
                                  std::string_view what) {
  std::vector<SubnetRequest*> of_family;
  for (auto& request : subnets) {
    if (request.subnet->contains(ip)) return &request;
    if (request.subnet->ip().family() == ip.family()) of_family.push_back(&request);
  }
  if (of_family.size() == 1) return of_family.front();
  if (of_family.empty())
    return fail(ErrorKind::kInvalid,
                "{}: there is no {} subnet that it could lie in; give --subnet", what,
                family_name(ip.family()));
  std::string given;
  for (const auto* request : of_family)
    given += (given.empty() ? "" : ", ") + request->subnet->str();
  return fail(ErrorKind::kInvalid, "{}: it lies in none of the subnets {}", what, given);
}

// What only a cluster has.
Status check_local(const NetworkOptions& options) {
  if (options.ingress)
    return fail(
        ErrorKind::kUnsupported,
        "--ingress: a network that routes a cluster's published ports needs Docker's swarm; "
        "berth's networks are of one host");
  if (options.scope.empty() || options.scope == "local") return {};
  if (options.scope == "swarm" || options.scope == "global")
    return fail(ErrorKind::kUnsupported,
                "--scope {}: that needs Docker's swarm; berth's networks are of one host: local",
                options.scope);
  return fail(ErrorKind::kInvalid, "--scope {}: the value is not local", options.scope);
}

}  // namespace

void declare(CLI::App& app, NetworkOptions& into) {
  add_argument(app, "NAME", into.name, "Name of the new network");
  add_text(app, "-d,--driver", "DRIVER", into.driver,
           "Driver of the network: bridge (the default), macvlan or ipvlan");
  add_list(app, "--subnet", "CIDR", into.subnets,
           "Subnet, or 0.0.0.0/SIZE and ::/SIZE for a free one of that size; else one from the "
           "default pools. A bridge network has at most one of each family");
  add_list(app, "--ip-range", "RANGE", into.ranges,
           "Give out addresses from this part only: CIDR or FIRST-LAST");
  add_list(app, "--gateway", "IP", into.gateways,
           "Who routes for the subnet: the bridge, or a router on the parent's network; else the "
           "subnet's first address");
  add_list(app, "--aux-address", "NAME=IP", into.aux_addresses,
           "Keep an address for something else");
  add_flag(app, "--ipv4", into.ipv4, "IPv4 addresses [true]");
  add_flag(app, "--ipv6", into.ipv6, "IPv6 addresses; else only if an IPv6 subnet is given");
  add_text(app, "--ipam-driver", "DRIVER", into.ipam,
           "Where addresses come from: default (berth), dhcp or null");
  add_list(app, "--ipam-opt", "KEY=VALUE", into.ipam_options, "Set an option of --ipam-driver");
  add_list(app, "--route", "ROUTE", into.routes,
           "A route of every sandbox: DEST,GATEWAY[,METRIC], DEST,via=SANDBOX[,METRIC] or "
           "DEST,blackhole|unreachable|prohibit[,METRIC]");
  add_flag(app, "--internal", into.internal, "No way out of the network, and none in");
  add_flag(app, "--attachable", into.attachable,
           "Shown by inspect; networks of one host always are");
  add_flag(app, "--config-only", into.config_only,
           "Make nothing: keep it as a template for --config-from");
  add_text(app, "--config-from", "NETWORK", into.config_from,
           "Take subnets, options and labels from this template");
  add_flag(app, "--ignore", into.ignore, "Do nothing if a network of that name exists");
  add_text(app, "--scope", "SCOPE", into.scope, "local, which every network is");
  add_flag(app, "--ingress", into.ingress, "Refused: it needs Docker's swarm");
  add_text(
      app, "--adopt", "BRIDGE", into.adopt,
      "Use this bridge, which is there already: its addresses give subnet and gateway, and it is "
      "left as it was when the network goes");
  add_list(app, "--label", "KEY=VALUE", into.labels, "Set a label");
  add_list(app, "-o,--opt", "KEY=VALUE", into.options,
           "Set a driver option, as parent=eth0 or com.docker.network.driver.mtu=1400; "
           "docs/options.md has them all");
  add_dry_run(app, into.dry_run);
}

Result<CreateNetwork> to_request(const NetworkOptions& options) {
  TRY(check_local(options));
  CreateNetwork request;
  request.name = options.name;
  request.driver = options.driver;
  request.ipv4 = options.ipv4;
  request.ipv6 = options.ipv6;
  request.internal = options.internal;
  request.attachable = options.attachable;
  request.config_only = options.config_only;
  request.config_from = options.config_from;
  request.ignore_existing = options.ignore;
  request.ipam = options.ipam;
  request.ipam_options = TRY(parse_pairs("--ipam-opt", options.ipam_options));
  for (const auto& text : options.routes) request.routes.push_back(TRY(parse_route(text)));
  request.adopt = options.adopt;
  request.labels = TRY(parse_pairs("--label", options.labels));
  request.options = TRY(parse_pairs("--opt", options.options));

  for (const auto& text : options.subnets)
    request.subnets.push_back({.subnet = TRY(parsed<Cidr>("--subnet", text))});
  for (const auto& text : options.ranges) {
    const auto range = TRY(parsed<IpRange>("--ip-range", text));
    auto* subnet = TRY(subnet_for(request.subnets, range.first(), "--ip-range " + text));
    if (subnet->range)
      return fail(ErrorKind::kInvalid, "--ip-range {}: {} has the range {} already; give one", text,
                  subnet->subnet->str(), subnet->range->str());
    subnet->range = range;
  }
  for (const auto& text : options.gateways) {
    const auto gateway = TRY(parsed<Ip>("--gateway", text));
    auto* subnet = TRY(subnet_for(request.subnets, gateway, "--gateway " + text));
    if (subnet->gateway)
      return fail(ErrorKind::kInvalid, "--gateway {}: {} has the gateway {} already; give one",
                  text, subnet->subnet->str(), subnet->gateway->str());
    subnet->gateway = gateway;
  }
  for (const auto& pair : options.aux_addresses) {  // a name may be given once for each subnet
    const auto parsed_pair = TRY(parse_pairs("--aux-address", std::span(&pair, 1)));
    const auto& [name, text] = *parsed_pair.begin();
    const auto ip = TRY(parsed<Ip>("--aux-address " + name, text));
    auto* subnet = TRY(subnet_for(request.subnets, ip, "--aux-address " + name));
    if (const auto [known, fresh] = subnet->aux.emplace(name, ip); !fresh)
      return fail(ErrorKind::kInvalid,
                  "--aux-address {}: {} has the auxiliary address {}={} already; give another name",
                  pair, subnet->subnet->str(), name, known->second.str());
  }
  return request;
}

}  // namespace berth::cli
