#include "drivers/interface.h"

#include <algorithm>

namespace berth::drivers {
namespace {

plan::SetSysctl setting(const plan::NsRef& ns, const IfName& link, std::string_view name,
                        std::string_view value) {
  return {"net/ipv6/conf/" + link.str() + "/" + std::string(name), std::string(value), "", ns};
}

plan::SetSysctl setting(const plan::NsRef& ns, const std::string& text) {
  const auto equals = text.find('=');
  return {text.substr(0, equals), text.substr(equals + 1), "", ns};
}

}  // namespace

plan::Plan configure(const Network& network, const Endpoint& endpoint, const plan::NsRef& sandbox,
                     const Facts& facts) {
  plan::Plan plan;
  const auto& link = endpoint.ifname;
  const auto is_v6 = [](const Cidr& address) { return !address.ip().is_v4(); };
  if (facts.ipv6 && (endpoint.address6 || std::ranges::any_of(endpoint.asked.link_local, is_v6))) {
    plan.push_back(setting(sandbox, link, "disable_ipv6", "0"));
    plan.push_back(setting(sandbox, link, "accept_ra", "0"));
    plan.push_back(setting(sandbox, link, "accept_dad", "0"));
  } else if (facts.ipv6 && carries_ipv6(endpoint.mtu)) {
    plan.push_back(setting(sandbox, link, "disable_ipv6", "1"));
  }
  for (const auto& text : endpoint.sysctls) plan.push_back(setting(sandbox, text));
  for (const auto& address : addresses_of(endpoint))
    plan.push_back(plan::AddAddress{sandbox, link, address});
  for (const auto& address : endpoint.asked.link_local)
    plan.push_back(plan::AddAddress{sandbox, link, address});
  plan.push_back(plan::SetLinkUp{sandbox, link});
  for (const auto& route : endpoint.routes) {
    const bool local = route.kind == RouteKind::kUnicast;
    plan.push_back(plan::AddRoute{sandbox, route.destination, route.gateway,
                                  local ? link : IfName(), route.kind, route.metric});
  }
  if (endpoint.default4)
    if (auto route = default_route(network, endpoint, sandbox, Ip::Family::kV4))
      plan.push_back(*std::move(route));
  if (endpoint.default6)
    if (auto route = default_route(network, endpoint, sandbox, Ip::Family::kV6))
      plan.push_back(*std::move(route));
  return plan;
}

std::optional<plan::AddRoute> default_route(const Network& network, const Endpoint& endpoint,
                                            const plan::NsRef& sandbox, Ip::Family family) {
  const bool v4 = family == Ip::Family::kV4;
  const auto& gateway = v4 ? endpoint.gateway4 : endpoint.gateway6;
  const auto& address = v4 ? endpoint.address4 : endpoint.address6;
  plan::AddRoute route{sandbox, std::nullopt, gateway, endpoint.ifname};
  route.metric = network.link.metric;
  if (gateway) return route;
  if (!endpoint.on_link || !address) return std::nullopt;
  route.destination = Cidr(Ip::from_number(family, 0), 0);
  return route;
}

}  // namespace berth::drivers
