// What follows a sandbox's way out: its default routes, and the ports that it was started with.
//
// When an endpoint comes that is the better way out (default_route.h), or the one that was leaves,
// the default route of that family moves, and with it the ports of `run -p` (roaming_ports.h).

#include <algorithm>
#include <array>
#include <iterator>

#include "base/result.h"
#include "drivers/driver.h"
#include "engine/default_route.h"
#include "engine/host_facts.h"
#include "engine/impl.h"
#include "engine/ports.h"
#include "engine/roaming_ports.h"
#include "engine/routes.h"
#include "translator/translator.h"

namespace berth {
namespace {

using engine::Change;

constexpr std::array kFamilies = {Ip::Family::kV4, Ip::Family::kV6};

plan::DeleteRoute inverse(const plan::AddRoute& route) {
  return {route.ns, route.destination, route.gateway, route.link, route.kind, route.metric};
}

}  // namespace

// The new endpoint is the last of `endpoints`, and its plan makes its own default routes and those
// of its network; what is left is to take away those of another that they take the place of.
Result<plan::Plan> Engine::Impl::choose_default_routes(Change& change,
                                                       const engine::TargetSandbox& target,
                                                       std::vector<Endpoint>& endpoints) {
  plan::Plan moves;
  auto& joining = endpoints.back();
  const auto metrics = TRY(metrics_of(change.state, endpoints));
  const auto metric = [&](const Endpoint& each) {
    return metrics[static_cast<std::size_t>(&each - endpoints.data())];
  };
  const auto is_better = [&](const Endpoint& one, const Endpoint& other) {
    return engine::rank_of(one, metric(one)) < engine::rank_of(other, metric(other));
  };
  const auto take_away = [&](Endpoint& other, Ip::Family family) -> Status {
    const auto network = TRY(change.state.network_by_id(other.network_id));
    const auto old = drivers::default_route(network, other, target.ns, family);
    if (!old) return {};
    const auto is_old = [&](const plan::Op& op) {
      const auto* add = std::get_if<plan::AddRoute>(&op);
      return add && *add == *old;
    };
    if (std::erase_if(change.plan, is_old) == 0)  // else it was about to be made
      moves.push_back(inverse(*old));
    engine::set_default(other, family, false);
    change.state.put(other);
    return {};
  };
  for (const auto family : kFamilies) {
    // Its route is in the kernel still when the records below say that nobody has it.
    const bool is_ours = std::ranges::any_of(
        endpoints, [&](const Endpoint& each) { return engine::has_default(each, family); });
    engine::set_default(joining, family, false);
    for (auto& other : endpoints) {
      if (&other == &joining || !engine::has_default(other, family)) continue;
      const auto* route = engine::in_place_of_default(joining, family, metric(other));
      if (route == nullptr) continue;
      if (!is_better(joining, other))
        return fail(ErrorKind::kExists,
                    "network {}: route {}: {} has its default route by network {}: give another "
                    "metric, or a higher gw-priority",
                    joining.network_name, describe(*route), target.sandbox.name,
                    other.network_name);
      TRY(take_away(other, family));
    }
    const auto best = engine::default_route_by(endpoints, metrics, family);
    if (!best || &endpoints[*best] != &joining) continue;
    const auto holder = std::ranges::find_if(endpoints, [&](const Endpoint& each) {
      return engine::in_place_of_default(each, family, metric(joining)) != nullptr;
    });
    if (holder != endpoints.end() && is_better(*holder, joining)) continue;
    if (!is_ours && TRY(has_foreign_default(change, target, endpoints, family))) continue;
    if (holder != endpoints.end())
      return fail(
          ErrorKind::kExists,
          "network {}: its default route: {} has one by network {}, {}: give another metric, "
          "or a lower gw-priority",
          joining.network_name, target.sandbox.name, holder->network_name,
          describe(*engine::in_place_of_default(*holder, family, metric(joining))));
    for (auto& other : endpoints)
      if (&other != &joining && engine::has_default(other, family)) TRY(take_away(other, family));
    engine::set_default(joining, family, true);
  }
  return moves;
}

Status Engine::Impl::settle_ports(Change& change, const Sandbox& sandbox, IfTaken if_taken,
                                  std::string_view joining) {
  auto& state = change.state;
  if (sandbox.ports.empty()) return {};
  std::vector<engine::Attached> all;
  for (auto& endpoint : TRY(state.endpoints(sandbox.endpoints)))
    if (auto network = state.network_by_id(endpoint.network_id))  // may be lost (see reset)
      all.push_back({std::move(endpoint), *std::move(network)});
  const auto before = all;
  engine::distribute(all, sandbox.ports, TRY(may_translate(change, all, sandbox.ports)));

  std::vector<PortMapping> held;
  for (const auto& each : before) {
    state.free_ports(each.endpoint);
    for (const auto& port : engine::all_ports(each.endpoint)) held.push_back(port);
  }
  for (const auto& [endpoint, network] : all)
    for (const auto& port : engine::own_ports(endpoint, sandbox.ports))
      TRY(state.take_port(std::span(&port, 1), endpoint.id));
  for (auto& [endpoint, network] : all) {
    const bool refuses =
        if_taken == IfTaken::kRefuse && (joining.empty() || endpoint.id == joining);
    for (const auto& port : engine::all_ports(endpoint)) {
      if (port.host_port == 0 || std::ranges::find(held, port) != held.end()) continue;
      // Nobody published it for a while, and somebody else may have it by now: another sandbox, or
      // an endpoint of this one by ports of its own.
      const auto free = engine::check_free(state, TRY(others_ports()), port);
      if (free) continue;
      if (refuses) return free;
      std::erase(endpoint.ports, port);
      std::erase(endpoint.translated, port);
    }
  }
  plan::Plan after_deletions;  // a port that moves is taken away before it is given
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [endpoint, network] = all[i];
    const auto old = engine::all_ports(before[i].endpoint);
    const auto now = engine::all_ports(endpoint);
    if (old == now) {
      state.take_ports(endpoint);
      continue;
    }
    state.put(endpoint);
    if (endpoint.id == joining) continue;  // its own plan publishes its ports
    for (auto& op :
         TRY(engine::port_changes(network, endpoint, old, now, owner_comment(sandbox, endpoint)))) {
      const bool deletes = std::holds_alternative<plan::DeleteElement>(op);
      (deletes ? change.plan : after_deletions).push_back(std::move(op));
    }
    const bool publishes = !endpoint.ports.empty();
    if (before[i].endpoint.ports.empty() == publishes && TRY(engine::bridge_netfilter_on()))
      after_deletions.push_back(plan::HairpinPort{endpoint.host_ifname, publishes});
  }
  plan::append(change.plan, std::move(after_deletions));
  return {};
}

Result<bool> Engine::Impl::may_translate(Change& change,
                                         std::span<const engine::Attached> endpoints,
                                         const std::vector<PortMapping>& ports) {
  const auto on_ipv6 = [](const PortMapping& each) {
    return each.host_port != 0 && !each.host_ip.is_v4();
  };
  const auto by4 = engine::publisher(endpoints, Ip::Family::kV4);
  const bool leads = by4 && endpoints[*by4].network.bridge.translate6to4;
  if (!leads || std::ranges::none_of(ports, on_ipv6)) return false;
  if (change.direction == engine::Direction::kRemove)
    return translator::is_there(*TRY(kernel.route()));
  return add_translator(change).has_value();
}

Result<std::vector<std::uint32_t>> Engine::Impl::metrics_of(
    engine::State& state, const std::vector<Endpoint>& endpoints) {
  std::vector<std::uint32_t> metrics;
  for (const auto& each : endpoints)
    metrics.push_back(TRY(state.network_by_id(each.network_id)).link.metric);
  return metrics;
}

Status Engine::Impl::hand_on_default_routes(Change& change, const Sandbox& sandbox,
                                            const Endpoint& leaving,
                                            const std::vector<Endpoint>& all_leaving) {
  const auto is_default = [](const Route& route) { return route.destination.prefix() == 0; };
  if (!leaving.default4 && !leaving.default6 && std::ranges::none_of(leaving.routes, is_default))
    return {};
  std::vector<Endpoint> staying;
  for (auto& each : TRY(change.state.endpoints(sandbox.endpoints)))
    if (std::ranges::find(all_leaving, each.id, &Endpoint::id) == all_leaving.end())
      staying.push_back(std::move(each));
  if (staying.empty() || !alive(sandbox)) return {};
  // The kernel takes no route by an interface that is down.
  const auto down = TRY(engine::links_down(sandbox.netns_path));
  std::erase_if(staying, [&](const Endpoint& each) {
    return std::ranges::find(down, each.ifname) != down.end();
  });
  const auto metrics = TRY(metrics_of(change.state, staying));
  const plan::NsRef ns{sandbox.netns_path, sandbox.netns_inode};
  auto before_all_left = staying;
  const auto is_its = [&](const Endpoint& each) { return each.sandbox_id == sandbox.id; };
  std::ranges::copy_if(all_leaving, std::back_inserter(before_all_left), is_its);
  // The network's record may be lost (see reset): what it was made of is then unknown.
  const auto from = change.state.network_by_id(leaving.network_id).value_or(Network{});
  for (const auto family : kFamilies) {
    const auto best = engine::default_route_by(staying, metrics, family);
    const auto has = [&](const Endpoint& each) { return engine::has_default(each, family); };
    if (!best || std::ranges::any_of(staying, has)) continue;
    auto& heir = staying[*best];
    const auto to = TRY(change.state.network_by_id(heir.network_id));
    const auto route = drivers::default_route(to, heir, ns, family);
    const auto old =
        has(leaving) ? drivers::default_route(from, leaving, ns, family) : std::nullopt;
    const auto in_place = [&](const Endpoint& each) {
      return engine::in_place_of_default(each, family, to.link.metric);
    };
    if (!route || (!old && !in_place(leaving)) || std::ranges::any_of(staying, in_place)) continue;
    // Where somebody inside has set another, that stays.
    const auto there =
        engine::without_networks_routes(TRY(engine::routes_in(ns.path, family)), before_all_left);
    if (there.size() != (old ? 1 : 0) || (old && there.front().gateway != old->gateway)) continue;
    if (old) change.plan.push_back(inverse(*old));
    for (const auto& each : all_leaving)  // a route of another kind than unicast is gone by now
      if (const auto* held = is_its(each) ? in_place(each) : nullptr;
          held != nullptr && held->kind == RouteKind::kUnicast)
        change.plan.push_back(engine::route_gone(*held, each, ns));
    change.plan.push_back(*route);
    engine::set_default(heir, family, true);
    change.state.put(heir);
  }
  return {};
}

}  // namespace berth
