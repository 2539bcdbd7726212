#include "engine/routes.h"

#include <algorithm>

#include "base/result.h"
#include "ipam/subnet.h"

namespace berth::engine {
namespace {

bool same_place(const Route& one, const Route& other) {
  return one.destination == other.destination && one.metric == other.metric;
}

// The address on `network` of the sandbox that a route goes by.
Result<Ip> address_of(State& state, const Network& network, const Sandbox& by, const Route& route) {
  const bool v4 = route.destination.ip().is_v4();
  for (const auto& endpoint : TRY(state.endpoints(by.endpoints))) {
    if (endpoint.network_id != network.id) continue;
    const auto& address = v4 ? endpoint.address4 : endpoint.address6;
    if (address) return address->ip();
    return fail(ErrorKind::kInvalid, "route {}: {} has no {} address on network {}",
                describe(route), by.name, v4 ? "IPv4" : "IPv6", network.name);
  }
  return fail(ErrorKind::kNotFound, "route {}: {} is not connected to network {}: connect it first",
              describe(route), by.name, network.name);
}

}  // namespace

Status check_routes(const Network& network) {
  const auto& routes = network.link.routes;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const auto& route = routes[i];
    const auto& to = route.destination;
    const bool v4 = to.ip().is_v4();
    if (!(v4 ? network.ipv4 : network.ipv6))
      return fail(ErrorKind::kInvalid, "network {}: route {}: the network has no {}", network.name,
                  describe(route), v4 ? "IPv4" : "IPv6");
    if (!to.is_network())
      return fail(ErrorKind::kInvalid,
                  "network {}: route {}: the destination has host bits: give {}", network.name,
                  describe(route), to.network().str());
    if (to.prefix() != 0 && (to.ip().is_loopback() || to.ip().is_multicast()))
      return fail(ErrorKind::kInvalid,
                  "network {}: route {}: the destination is no place that packets are routed to",
                  network.name, describe(route));
    const bool has_way = route.gateway || !route.via.empty();
    if (has_way != (route.kind == RouteKind::kUnicast) || (route.gateway && !route.via.empty()))
      return fail(ErrorKind::kInvalid,
                  "network {}: route {}: a unicast route has one gateway, another kind none",
                  network.name, describe(route));
    if (route.gateway) {
      std::string subnets;
      bool inside = false;
      for (const auto& subnet : network.subnets) {
        if (subnet.cidr.contains(*route.gateway)) {
          inside = true;
          TRY(ipam::check_host_address(subnet.cidr, *route.gateway,
                                       fmt::format("network {}: route {}: the gateway",
                                                   network.name, describe(route))));
        }
        subnets += (subnets.empty() ? "" : ", ") + subnet.cidr.str();
      }
      if (!inside)
        return fail(ErrorKind::kInvalid,
                    "network {}: route {}: the gateway is outside the network's subnets ({})",
                    network.name, describe(route), subnets.empty() ? "it has none" : subnets);
    }
    for (const auto& subnet : network.subnets)
      if (subnet.cidr == to)
        return fail(ErrorKind::kInvalid,
                    "network {}: route {}: the destination is the network's own subnet",
                    network.name, describe(route));
    const bool has_default = network.link.default_route && !network.internal;
    if (to.prefix() == 0 && has_default &&
        (route.metric == 0 || route.metric == network.link.metric))
      return fail(ErrorKind::kInvalid,
                  "network {}: route {}: the network's own default route is in its place: give "
                  "another metric, or -o no_default_route=true",
                  network.name, describe(route));
    const auto twin = [&](const Route& other) { return same_place(route, other); };
    if (std::any_of(routes.begin(), routes.begin() + static_cast<std::ptrdiff_t>(i), twin))
      return fail(ErrorKind::kInvalid,
                  "network {}: route {}: there is one to {} already: give another metric",
                  network.name, describe(route), to.str());
  }
  return {};
}

Result<std::vector<Route>> routes_for(State& state, const Network& network, const Sandbox& joining,
                                      std::span<const Endpoint> others) {
  std::vector<Route> routes;
  for (auto route : network.link.routes) {
    if (!route.via.empty()) {
      const auto by = state.sandbox(route.via);
      if (!by && by.error().kind != ErrorKind::kNotFound) return std::unexpected(by.error());
      const bool is_joining = by ? by->id == joining.id : route.via == joining.name;
      if (is_joining) continue;
      if (!by)
        return std::unexpected(
            in_context(by.error(), "network {}: route {}", network.name, describe(route)));
      route.gateway = TRY(address_of(state, network, *by, route));
    }
    if (route.metric == 0) route.metric = network.link.metric;
    for (const auto& other : others)
      for (const auto& taken : other.routes)
        if (same_place(route, taken))
          return fail(ErrorKind::kExists,
                      "network {}: route {}: {} has one to {} by network {}: give another metric",
                      network.name, describe(route), joining.name, route.destination.str(),
                      other.network_name);
    routes.push_back(std::move(route));
  }
  return routes;
}

Status check_not_on_the_way(State& state, const Network& network, const Sandbox& leaving) {
  const auto by_leaving = [&](const Route& route) { return route.via == leaving.name; };
  if (std::ranges::none_of(network.link.routes, by_leaving)) return {};
  for (const auto& endpoint : TRY(state.endpoints_of_network(network.id))) {
    const auto route = std::ranges::find_if(endpoint.routes, by_leaving);
    if (route == endpoint.routes.end()) continue;
    const auto user = state.sandbox(endpoint.sandbox_id);
    return fail(ErrorKind::kInUse,
                "{} is the gateway of {} on network {} (route {}): disconnect that first, or use "
                "--force",
                leaving.name, user ? user->name : endpoint.sandbox_id, network.name,
                describe(*route));
  }
  return {};
}

plan::Plan unlinked_routes_gone(const Endpoint& endpoint, const plan::NsRef& sandbox) {
  plan::Plan plan;
  for (const auto& route : endpoint.routes)
    if (route.kind != RouteKind::kUnicast)
      plan.push_back(plan::DeleteRoute{sandbox, route.destination, std::nullopt, IfName(),
                                       route.kind, route.metric});
  return plan;
}

}  // namespace berth::engine
