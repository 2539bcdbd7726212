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

// Those of `ports` that the sandbox was started with, in one family; taken out of `ports`.
std::vector<PortMapping> take_roaming(std::vector<PortMapping>& ports, const Sandbox& sandbox,
                                      Ip::Family family) {
  const auto roams = [&](const PortMapping& each) {
    return each.host_ip.family() == family &&
           std::ranges::find(sandbox.ports, each) != sandbox.ports.end();
  };
  std::vector<PortMapping> taken;
  std::ranges::copy_if(ports, std::back_inserter(taken), roams);
  std::erase_if(ports, roams);
  return taken;
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
    wanted = take_roaming(wanted, sandbox, family);
    for (auto& other : endpoints) {
      if (&other == &joining) continue;
      const auto before = other.ports;
      const auto moving = take_roaming(other.ports, sandbox, family);
      if (moving.empty()) continue;
      const auto from = TRY(change.state.network_by_id(other.network_id));
      plan::append(change.plan, TRY(engine::port_changes(from, other, before, other.ports,
                                                         owner_comment(sandbox, other))));
      change.state.put(other);
      for (const auto& each : moving) std::erase(wanted, each);
      joining.ports.insert(joining.ports.end(), moving.begin(), moving.end());
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
    auto ports = leaving.ports;
    ports = take_roaming(ports, sandbox, family);
    if (!ports.empty() && publishes(to, heir, family)) inherited.push_back({heir.id, ports});
  }
  return inherited;
}

Status Engine::Impl::hand_on_ports(Change& change,
                                   const std::vector<engine::Inheritance>& inherited) {
  for (const auto& [endpoint_id, ports] : inherited) {
    auto heir = TRY(change.state.endpoint(endpoint_id));
    const auto before = heir.ports;
    heir.ports.insert(heir.ports.end(), ports.begin(), ports.end());
    change.state.put(heir);
    const auto sandbox = TRY(change.state.sandbox(heir.sandbox_id));
    const auto network = TRY(change.state.network_by_id(heir.network_id));
    plan::append(change.plan, TRY(engine::port_changes(network, heir, before, heir.ports,
                                                       owner_comment(sandbox, heir))));
    if (before.empty() && TRY(engine::bridge_netfilter_on()))
      change.plan.push_back(plan::HairpinPort{heir.host_ifname, true});
  }
  return {};
}

}  // namespace berth
