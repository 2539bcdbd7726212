#include "engine/networks/templates.h"

#include <algorithm>

#include "base/result.h"
#include "engine/ids.h"
#include "engine/state/state.h"
#include "ipam/subnet.h"
#include "model/options.h"

namespace berth::engine {

Result<Network> make_template(const CreateNetwork& request) {
  const auto refuse = [&](std::string_view what) {
    return fail(ErrorKind::kInvalid, "network {}: a template (--config-only) {}", request.name,
                what);
  };
  if (!request.config_from.empty()) return refuse("cannot be made from another one");
  if (request.internal) return refuse("is not internal: give --internal with its networks");
  if (request.attachable) return refuse("is not attachable: give --attachable with its networks");

  Network network;
  network.id = random_id();
  network.name = request.name;
  network.driver = TRY(model::parse_driver(request.driver));
  network.created = now();
  network.config_only = true;
  network.ipv4 = request.ipv4;
  const auto is_v6 = [](const SubnetRequest& subnet) {
    return subnet.subnet && !subnet.subnet->ip().is_v4();
  };
  network.ipv6 = request.ipv6.value_or(std::ranges::any_of(request.subnets, is_v6));
  network.labels = request.labels;
  network.options = request.options;
  TRY(model::check_template_options(request.options));
  network.ipam = TRY(model::parse_ipam(request.ipam));
  network.ipam_options = request.ipam_options;
  network.link.routes = request.routes;
  for (const auto& subnet : request.subnets) {
    if (is_v6(subnet) ? !network.ipv6 : !network.ipv4)
      return refuse("has a subnet of a family that it is without");
    if (!subnet.subnet)
      return fail(ErrorKind::kInvalid,
                  "an ip-range, gateway or aux-address needs the subnet it is of: give --subnet");
    auto checked = ipam::complete_subnet(
        {*subnet.subnet, subnet.range, subnet.gateway, subnet.aux, /*wants_gateway=*/false});
    if (!checked) return std::unexpected(in_context(checked.error(), "network {}", request.name));
    network.subnets.push_back(*std::move(checked));
  }
  return network;
}

Result<CreateNetwork> from_template(State& state, const CreateNetwork& request) {
  const auto source = TRY(state.network(request.config_from));
  if (!source.config_only)
    return fail(ErrorKind::kInvalid,
                "network {}: --config-from {}: that is no template (--config-only)", request.name,
                source.name);
  const auto own = [&]() -> std::string_view {
    if (!request.subnets.empty()) return "--subnet and the like";
    if (!request.ipv4) return "--ipv4";
    if (request.ipv6) return "--ipv6";
    if (!request.ipam.empty() && request.ipam != "default") return "--ipam-driver";
    if (!request.ipam_options.empty()) return "--ipam-opt";
    if (!request.labels.empty()) return "--label";
    if (!request.options.empty()) return "--opt";
    if (!request.routes.empty()) return "--route";
    return "";
  }();
  if (!own.empty())
    return fail(
        ErrorKind::kInvalid,
        "network {}: {} cannot be given with --config-from {}, which says it: name, driver, "
        "--internal and --attachable can",
        request.name, own, source.name);

  auto whole = request;
  whole.config_from = source.name;
  whole.ipv4 = source.ipv4;
  if (source.ipv6) whole.ipv6 = true;  // else its options may say so
  whole.ipam = name(source.ipam);
  whole.ipam_options = source.ipam_options;
  whole.labels = source.labels;
  whole.options = source.options;
  whole.routes = source.link.routes;
  for (const auto& subnet : source.subnets)
    whole.subnets.push_back({subnet.cidr, subnet.range, subnet.gateway, subnet.aux});
  return whole;
}

Result<std::vector<std::string>> made_from(State& state, const Network& network) {
  std::vector<std::string> names;
  if (!network.config_only) return names;
  for (const auto& each : TRY(state.networks()))
    if (each.config_from == network.name) names.push_back(each.name);
  return names;
}

}  // namespace berth::engine
