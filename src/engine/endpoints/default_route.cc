#include "engine/endpoints/default_route.h"

#include <linux/rtnetlink.h>

#include <algorithm>

namespace berth::engine {
namespace {

bool is_way_out(const Endpoint& endpoint, Ip::Family family) {
  const bool v4 = family == Ip::Family::kV4;
  if (v4 ? endpoint.gateway4 : endpoint.gateway6) return true;
  return endpoint.on_link && (v4 ? endpoint.address4 : endpoint.address6);
}

bool is_default(const Route& route, Ip::Family family) {
  return route.destination.prefix() == 0 && route.destination.ip().family() == family;
}

// As the kernel has it.
std::uint32_t in_kernel(std::uint32_t metric, Ip::Family family) {
  return metric == 0 ? kernel::default_metric(family) : metric;
}

bool is_same(const kernel::Route& there, const Route& route) {
  return is_default(route, there.family) && there.gateway == route.gateway &&
         there.metric == in_kernel(route.metric, there.family) &&
         (there.type == RTN_UNICAST) == (route.kind == RouteKind::kUnicast);
}

}  // namespace

Rank rank_of(const Endpoint& endpoint, std::uint32_t metric) {
  constexpr std::uint32_t kUnset = 100;  // netavark's, for a network that names none
  return {-std::int64_t{endpoint.asked.gw_priority}, metric == 0 ? kUnset : metric,
          endpoint.network_name};
}

std::optional<std::size_t> default_route_by(std::span<const Endpoint> endpoints,
                                            std::span<const std::uint32_t> metrics,
                                            Ip::Family family) {
  const auto rank = [&](std::size_t i) { return rank_of(endpoints[i], metrics[i]); };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < endpoints.size(); ++i)
    if (is_way_out(endpoints[i], family) && (!best || rank(i) < rank(*best))) best = i;
  return best;
}

const Route* in_place_of_default(const Endpoint& endpoint, Ip::Family family,
                                 std::uint32_t metric) {
  for (const auto& route : endpoint.routes)
    if (is_default(route, family) && in_kernel(route.metric, family) == in_kernel(metric, family))
      return &route;
  return nullptr;
}

std::vector<kernel::Route> without_networks_routes(std::vector<kernel::Route> routes,
                                                   std::span<const Endpoint> endpoints) {
  std::erase_if(routes, [&](const kernel::Route& there) {
    return there.destination || std::ranges::any_of(endpoints, [&](const Endpoint& each) {
             return std::ranges::any_of(each.routes,
                                        [&](const Route& route) { return is_same(there, route); });
           });
  });
  return routes;
}

bool has_default(const Endpoint& endpoint, Ip::Family family) {
  return family == Ip::Family::kV4 ? endpoint.default4 : endpoint.default6;
}

void set_default(Endpoint& endpoint, Ip::Family family, bool on) {
  (family == Ip::Family::kV4 ? endpoint.default4 : endpoint.default6) = on;
}

}  // namespace berth::engine
