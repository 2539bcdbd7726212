#include "engine/endpoints/routes.h"

#include <algorithm>

#include "base/result.h"
#include "engine/endpoints/default_route.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "ipam/subnet.h"
#include "kernel/netlink/route.h"

namespace berth::engine {
namespace {

bool same_metric(std::uint32_t one, std::uint32_t other, Ip::Family family) {
  const auto in_kernel = [&](std::uint32_t each) {
    return each == 0 ? kernel::default_metric(family) : each;
  };
  return in_kernel(one) == in_kernel(other);
}

bool same_place(const Route& one, const Route& other) {
  return one.destination == other.destination &&
         same_metric(one.metric, other.metric, one.destination.ip().family());
}

bool is_by_sandbox(const Route& route) {
  return !route.via.empty();
}

// The route as it is now for who has these addresses: one by way of a sandbox goes by the address
// that this has on the network, and is unreachable where it has none within reach.
Result<Route> as_it_is(State& state, const Network& network, std::span<const Cidr> addresses,
                       Route route) {
  if (!is_by_sandbox(route)) return route;
  route.kind = RouteKind::kUnreachable;
  route.gateway.reset();
  const auto by = state.sandbox(route.via);
  if (!by) {
    const auto kind = by.error().kind;  // kInvalid: it could be several
    if (kind == ErrorKind::kNotFound || kind == ErrorKind::kInvalid) return route;
    return std::unexpected(by.error());
  }
  for (const auto& endpoint : TRY(state.endpoints(by->endpoints))) {
    const auto& address = route.destination.ip().is_v4() ? endpoint.address4 : endpoint.address6;
    if (endpoint.network_id != network.id || !address) continue;
    const auto reaches = [&](const Cidr& own) { return own.contains(address->ip()); };
    if (std::ranges::none_of(addresses, reaches)) continue;  // the kernel would refuse the gateway
    route.kind = RouteKind::kUnicast;
    route.gateway = address->ip();
  }
  return route;
}

plan::AddRoute in_sandbox(const Route& route, const Endpoint& endpoint, const plan::NsRef& ns) {
  const bool linked = route.kind == RouteKind::kUnicast;
  return {ns,         route.destination, route.gateway, linked ? endpoint.ifname : IfName(),
          route.kind, route.metric};
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
      bool inside = !v4 && ipam::is_link_local(*route.gateway);  // reached by any IPv6 address
      for (const auto& subnet : network.subnets) {
        if (subnet.cidr.contains(*route.gateway)) {
          inside = true;
          TRY(ipam::check_host_address(
              subnet.cidr, *route.gateway,
              fmt::format("network {}: route {}: the gateway", network.name, describe(route))));
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
        (route.metric == 0 || same_metric(route.metric, network.link.metric, to.ip().family())))
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
                                      std::span<const Cidr> addresses,
                                      std::span<const Endpoint> others) {
  std::vector<Route> routes;
  for (auto route : network.link.routes) {
    if (!route.via.empty()) {
      const auto by = state.sandbox(route.via);
      const bool is_joining = by ? by->id == joining.id : route.via == joining.name;
      if (is_joining) continue;
      route = TRY(as_it_is(state, network, addresses, std::move(route)));
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

plan::DeleteRoute route_gone(const Route& route, const Endpoint& endpoint,
                             const plan::NsRef& sandbox) {
  const auto made = in_sandbox(route, endpoint, sandbox);
  return {made.ns, made.destination, made.gateway, made.link, made.kind, made.metric};
}

plan::Plan unlinked_routes_gone(const Endpoint& endpoint, const plan::NsRef& sandbox) {
  plan::Plan plan;
  for (const auto& route : endpoint.routes)
    if (route.kind != RouteKind::kUnicast) plan.push_back(route_gone(route, endpoint, sandbox));
  return plan;
}

Status update_via_routes(Draft& draft, plan::Kernel& kernel, const Network& network,
                         const std::function<bool(const Sandbox&)>& is_alive) {
  if (std::ranges::none_of(network.link.routes, is_by_sandbox)) return {};
  auto& state = draft.state;
  for (auto& endpoint : TRY(state.endpoints_of_network(network.id))) {
    const auto before = endpoint.routes;
    for (auto& route : endpoint.routes)
      route = TRY(as_it_is(state, network, addresses_of(endpoint), std::move(route)));
    if (endpoint.routes == before) continue;
    state.put(endpoint);
    const auto user = TRY(state.sandbox(endpoint.sandbox_id));
    if (!is_alive(user)) continue;
    const plan::NsRef ns{user.netns_path, user.netns_inode};
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (before[i] == endpoint.routes[i]) continue;
      const auto old = in_sandbox(before[i], endpoint, ns);
      // Where somebody has put another route in its place that stays: see reconcile.
      const auto gone = plan::missing(kernel, {old});
      if (!gone || !gone->empty()) continue;
      draft.plan.push_back(route_gone(before[i], endpoint, ns));
      draft.plan.push_back(in_sandbox(endpoint.routes[i], endpoint, ns));
    }
  }
  return {};
}

}  // namespace berth::engine
