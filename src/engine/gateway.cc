// What follows a sandbox's way out: its default routes, and the ports that it was started with.
//
// When an endpoint comes that is the better way out (default_route.h), or the one that was leaves,
// the default route of that family moves, and with it the ports of `run -p`: what comes in through
// a port is answered by the default route, so both belong to one endpoint (as in Docker). Ports that
// were published with `network connect -p` stay where they are.

#include <algorithm>
#include <array>

#include "base/result.h"
#include "drivers/driver.h"
#include "engine/default_route.h"
#include "engine/host_facts.h"
#include "engine/impl.h"
#include "engine/ports.h"

namespace berth {
namespace {

using engine::Change;

constexpr std::array kFamilies = {Ip::Family::kV4, Ip::Family::kV6};

plan::DeleteRoute inverse(const plan::AddRoute& route) {
  return {route.ns, route.destination, route.gateway, route.link, route.kind, route.metric};
}

bool publishes(const Network& network, const Endpoint& endpoint, Ip::Family family) {
  const bool v4 = family == Ip::Family::kV4;
  const auto mode = v4 ? network.bridge.mode4 : network.bridge.mode6;
  const bool nat = mode == GatewayMode::kNat || mode == GatewayMode::kNatUnprotected;
  return network.driver == Driver::kBridge && network.bridge.managed && !network.internal && nat &&
         (v4 ? endpoint.address4 : endpoint.address6).has_value();
}

// Takes the mappings that `wanted` names out of `from`.
template <typename Wanted>
std::vector<PortMapping> take(std::vector<PortMapping>& from, Wanted wanted) {
  std::vector<PortMapping> taken;
  std::ranges::copy_if(from, std::back_inserter(taken), wanted);
  std::erase_if(from, wanted);
  return taken;
}

// Takes from the endpoint the ports of one family that the sandbox was started with, and what the
// translator does for them.
engine::Published take_roaming(Endpoint& endpoint, const Sandbox& sandbox, Ip::Family family) {
  engine::Published taken;
  taken.ports = take(endpoint.ports, [&](const PortMapping& each) {
    return each.host_ip.family() == family &&
           std::ranges::find(sandbox.ports, each) != sandbox.ports.end();
  });
  taken.translated = take(endpoint.translated, [&](const PortMapping& each) {
    return std::ranges::any_of(taken.ports, [&](const PortMapping& port) {
      return port.protocol == each.protocol && port.host_port == each.host_port &&
             port.container_port == each.container_port;
    });
  });
  return taken;
}

void give(Endpoint& endpoint, const engine::Published& published) {
  endpoint.ports.insert(endpoint.ports.end(), published.ports.begin(), published.ports.end());
  for (const auto& each : published.translated)
    if (engine::is_translated(endpoint, each.host_ip)) endpoint.translated.push_back(each);
}

}  // namespace

// The new endpoint is the last of `endpoints`, and its plan makes its own default routes; what is
// left is to take away those of another that it takes the place of.
Result<plan::Plan> Engine::Impl::choose_default_routes(Change& change,
                                                       const engine::TargetSandbox& target,
                                                       std::vector<Endpoint>& endpoints) {
  plan::Plan moves;
  auto& joining = endpoints.back();
  const auto metrics = TRY(metrics_of(change.state, endpoints));
  for (const auto family : kFamilies) {
    if (target.has_foreign_default(family)) continue;
    const auto best = engine::default_route_by(endpoints, metrics, family);
    if (!best || &endpoints[*best] != &joining) continue;
    for (auto& other : endpoints) {
      if (&other == &joining || !engine::has_default(other, family)) continue;
      const auto network = TRY(change.state.network_by_id(other.network_id));
      const auto old = drivers::default_route(network, other, target.ns, family);
      if (!old) continue;
      const auto is_old = [&](const plan::Op& op) {
        const auto* add = std::get_if<plan::AddRoute>(&op);
        return add && *add == *old;
      };
      if (std::erase_if(change.plan, is_old) == 0)  // else it was about to be made
        moves.push_back(inverse(*old));
      engine::set_default(other, family, false);
      change.state.put(other);
    }
    engine::set_default(joining, family, true);
  }
  return moves;
}

Status Engine::Impl::take_over_ports(Change& change, const Network& network, const Sandbox& sandbox,
                                     std::vector<Endpoint>& endpoints) {
  auto& joining = endpoints.back();
  for (const auto family : kFamilies) {
    if (!engine::has_default(joining, family) || !publishes(network, joining, family)) continue;
    auto wanted = sandbox.ports;
    std::erase_if(wanted, [&](const PortMapping& each) { return each.host_ip.family() != family; });
    for (const auto& each : joining.ports) std::erase(wanted, each);
    for (auto& other : endpoints) {
      if (&other == &joining) continue;
      const auto before = engine::all_ports(other);
      const auto moving = take_roaming(other, sandbox, family);
      if (moving.ports.empty()) continue;
      const auto from = TRY(change.state.network_by_id(other.network_id));
      plan::append(change.plan,
                   TRY(engine::port_changes(from, other, before, engine::all_ports(other),
                                            owner_comment(sandbox, other))));
      change.state.put(other);
      for (const auto& each : moving.ports) std::erase(wanted, each);
      give(joining, moving);
    }
    // What is left was given up when the last way out went; somebody may have it now.
    TRY(engine::check_free(change.state, wanted.empty() ? std::vector<nft::Element>{}
                                                        : TRY(others_ports()),
                           wanted));
    joining.ports.insert(joining.ports.end(), wanted.begin(), wanted.end());
  }
  return {};
}

Result<std::vector<std::uint32_t>> Engine::Impl::metrics_of(
    engine::State& state, const std::vector<Endpoint>& endpoints) {
  std::vector<std::uint32_t> metrics;
  for (const auto& each : endpoints)
    metrics.push_back(TRY(state.network_by_id(each.network_id)).link.metric);
  return metrics;
}

Result<std::vector<engine::Inheritance>> Engine::Impl::hand_on_default_routes(
    Change& change, const Sandbox& sandbox, const Endpoint& leaving,
    const std::vector<Endpoint>& all_leaving) {
  std::vector<engine::Inheritance> inherited;
  if (!leaving.default4 && !leaving.default6) return inherited;
  std::vector<Endpoint> staying;
  for (auto& each : TRY(change.state.endpoints(sandbox.endpoints)))
    if (std::ranges::find(all_leaving, each.id, &Endpoint::id) == all_leaving.end())
      staying.push_back(std::move(each));
  if (staying.empty() || !alive(sandbox)) return inherited;
  const auto metrics = TRY(metrics_of(change.state, staying));
  const plan::NsRef ns{sandbox.netns_path, sandbox.netns_inode};
  // The network's record may be lost (see reset): what it was made of is then unknown.
  const auto from = change.state.network_by_id(leaving.network_id).value_or(Network{});
  for (const auto family : kFamilies) {
    if (!engine::has_default(leaving, family)) continue;
    const auto best = engine::default_route_by(staying, metrics, family);
    const auto old = drivers::default_route(from, leaving, ns, family);
    if (!best || !old || !TRY(engine::has_default_route(ns.path, family, old->gateway))) continue;
    auto& heir = staying[*best];
    const auto to = TRY(change.state.network_by_id(heir.network_id));
    change.plan.push_back(inverse(*old));
    if (const auto route = drivers::default_route(to, heir, ns, family))
      change.plan.push_back(*route);
    engine::set_default(heir, family, true);
    change.state.put(heir);
    auto ports = leaving;
    auto roaming = take_roaming(ports, sandbox, family);
    if (!roaming.ports.empty() && publishes(to, heir, family))
      inherited.push_back({heir.id, std::move(roaming)});
  }
  return inherited;
}

Status Engine::Impl::hand_on_ports(Change& change,
                                   const std::vector<engine::Inheritance>& inherited) {
  for (const auto& [endpoint_id, published] : inherited) {
    auto heir = TRY(change.state.endpoint(endpoint_id));
    const auto before = engine::all_ports(heir);
    give(heir, published);
    change.state.put(heir);
    const auto sandbox = TRY(change.state.sandbox(heir.sandbox_id));
    const auto network = TRY(change.state.network_by_id(heir.network_id));
    plan::append(change.plan,
                 TRY(engine::port_changes(network, heir, before, engine::all_ports(heir),
                                          owner_comment(sandbox, heir))));
    if (before.empty() && TRY(engine::bridge_netfilter_on()))
      change.plan.push_back(plan::HairpinPort{heir.host_ifname, true});
  }
  return {};
}

}  // namespace berth
