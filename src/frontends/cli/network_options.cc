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

// The subnet that `what`, of `family`, belongs to.
Result<SubnetRequest*> subnet_for(std::vector<SubnetRequest>& subnets, Ip::Family family,
                                  std::string_view what) {
  const auto found = std::ranges::find_if(subnets, [&](const SubnetRequest& request) {
    return request.subnet->ip().family() == family;
  });
  if (found != subnets.end()) return &*found;
  return fail(ErrorKind::kInvalid, "{}: there is no {} subnet that it could lie in; give --subnet",
              what, family_name(family));
}

}  // namespace

void declare(CLI::App& app, NetworkOptions& into) {
  add_argument(app, "NAME", into.name, "Name of the new network");
  add_text(app, "-d,--driver", "DRIVER", into.driver,
           "Driver of the network: bridge (the default)");
  add_list(app, "--subnet", "CIDR", into.subnets,
           "Subnet, at most one of each family; else one from the default pools");
  add_list(app, "--ip-range", "CIDR", into.ranges, "Give out addresses from this part only");
  add_list(app, "--gateway", "IP", into.gateways,
           "Address of the bridge; else the subnet's first one");
  add_list(app, "--aux-address", "NAME=IP", into.aux_addresses,
           "Keep an address for something else");
  add_flag(app, "--internal", into.internal, "No way out of the network, and none in");
  add_text(app, "--adopt", "BRIDGE", into.adopt,
           "Use this bridge, which is there already: its addresses give subnet and gateway, and it is "
           "left as it was when the network goes");
  add_list(app, "--label", "KEY=VALUE", into.labels, "Set a label");
  add_list(app, "-o,--opt", "KEY=VALUE", into.options,
           "Set a driver option: com.docker.network.bridge.name, .enable_icc, "
           ".enable_ip_masquerade, .host_binding_ipv4, com.docker.network.driver.mtu");
  add_dry_run(app, into.dry_run);
}

Result<CreateNetwork> to_request(const NetworkOptions& options) {
  CreateNetwork request;
  request.name = options.name;
  request.driver = options.driver;
  request.internal = options.internal;
  request.adopt = options.adopt;
  request.labels = TRY(parse_pairs("--label", options.labels));
  request.options = TRY(parse_pairs("--opt", options.options));

  for (const auto& text : options.subnets)
    request.subnets.push_back({.subnet = TRY(parsed<Cidr>("--subnet", text))});
  for (const auto& text : options.ranges) {
    const auto range = TRY(parsed<Cidr>("--ip-range", text));
    auto* subnet = TRY(subnet_for(request.subnets, range.ip().family(), "--ip-range " + text));
    if (subnet->range)
      return fail(ErrorKind::kInvalid, "--ip-range {}: {} has the range {} already; give one", text,
                  subnet->subnet->str(), subnet->range->str());
    subnet->range = range;
  }
  for (const auto& text : options.gateways) {
    const auto gateway = TRY(parsed<Ip>("--gateway", text));
    auto* subnet = TRY(subnet_for(request.subnets, gateway.family(), "--gateway " + text));
    if (subnet->gateway)
      return fail(ErrorKind::kInvalid, "--gateway {}: {} has the gateway {} already; give one",
                  text, subnet->subnet->str(), subnet->gateway->str());
    subnet->gateway = gateway;
  }
  for (const auto& [name, text] : TRY(parse_pairs("--aux-address", options.aux_addresses))) {
    const auto ip = TRY(parsed<Ip>("--aux-address " + name, text));
    auto* subnet = TRY(subnet_for(request.subnets, ip.family(), "--aux-address " + name));
    subnet->aux[name] = ip;
  }
  return request;
}

}  // namespace berth::cli
