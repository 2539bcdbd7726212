// What follows a sandbox's way out: its default routes, and the ports that it was started with.
//
// When an endpoint comes that is the better way out (default_route.h), or the one that was leaves,
// the default route of that family moves, and with it the ports of `run -p` (roaming_ports.h).

#include "engine/endpoints/default_route_moves.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/result.h"
#include "drivers/driver.h"
#include "engine/endpoints/default_route.h"
#include "engine/endpoints/routes.h"
#include "engine/host/host_facts.h"
#include "engine/instance.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "engine/targets/targets.h"
#include "translator/translator.h"

namespace berth::engine {
namespace {

constexpr std::array kFamilies = {Ip::Family::kV4, Ip::Family::kV6};

plan::DeleteRoute inverse(const plan::AddRoute& route) {
  return {route.ns, route.destination, route.gateway, route.link, route.kind, route.metric};
}

Result<std::vector<std::uint32_t>> metrics_of(State& state,
                                              const std::vector<Endpoint>& endpoints) {
  std::vector<std::uint32_t> metrics;
  for (const auto& each : endpoints)
    metrics.push_back(TRY(state.network_by_id(each.network_id)).link.metric);
  return metrics;
}

}  // namespace

// The new endpoint is the last of `endpoints`, and its plan makes its own default routes and those
// of its network; what is left is to take away those of another that they take the place of.
Result<plan::Plan> choose_default_routes(Instance& instance, Draft& draft,
                                         const TargetSandbox& target,
                                         std::vector<Endpoint>& endpoints) {
  plan::Plan moves;
  auto& joining = endpoints.back();
  const auto metrics = TRY(metrics_of(draft.state, endpoints));
  const auto metric = [&](const Endpoint& each) {
    return metrics[static_cast<std::size_t>(&each - endpoints.data())];
  };
  const auto is_better = [&](const Endpoint& one, const Endpoint& other) {
    return rank_of(one, metric(one)) < rank_of(other, metric(other));
  };
  const auto take_away = [&](Endpoint& other, Ip::Family family) -> Status {
    const auto network = TRY(draft.state.network_by_id(other.network_id));
    const auto old = drivers::default_route(network, other, target.ns, family);
    if (!old) return {};
    const auto is_old = [&](const plan::Op& op) {
      const auto* add = std::get_if<plan::AddRoute>(&op);
      return add && *add == *old;
    };
    if (std::erase_if(draft.plan, is_old) == 0)  // else it was about to be made
      moves.push_back(inverse(*old));
    set_default(other, family, false);
    draft.state.put(other);
    return {};
  };
  for (const auto family : kFamilies) {
    // Its route is in the kernel still when the records below say that nobody has it.
    const bool is_ours = std::ranges::any_of(
        endpoints, [&](const Endpoint& each) { return has_default(each, family); });
    set_default(joining, family, false);
    for (auto& other : endpoints) {
      if (&other == &joining || !has_default(other, family)) continue;
      const auto* route = in_place_of_default(joining, family, metric(other));
      if (route == nullptr) continue;
      if (!is_better(joining, other))
        return fail(ErrorKind::kExists,
                    "network {}: route {}: {} has its default route by network {}: give another "
                    "metric, or a higher gw-priority",
                    joining.network_name, describe(*route), target.sandbox.name,
                    other.network_name);
      TRY(take_away(other, family));
    }
    const auto best = default_route_by(endpoints, metrics, family);
    if (!best || &endpoints[*best] != &joining) continue;
    const auto holder = std::ranges::find_if(endpoints, [&](const Endpoint& each) {
      return in_place_of_default(each, family, metric(joining)) != nullptr;
    });
    if (holder != endpoints.end() && is_better(*holder, joining)) continue;
    if (!is_ours && TRY(has_foreign_default(instance, draft, target, endpoints, family))) continue;
    if (holder != endpoints.end())
      return fail(
          ErrorKind::kExists,
          "network {}: its default route: {} has one by network {}, {}: give another metric, "
          "or a lower gw-priority",
          joining.network_name, target.sandbox.name, holder->network_name,
          describe(*in_place_of_default(*holder, family, metric(joining))));
    for (auto& other : endpoints)
      if (&other != &joining && has_default(other, family)) TRY(take_away(other, family));
    set_default(joining, family, true);
  }
  return moves;
}

Status hand_on_default_routes(Draft& draft, const Sandbox& sandbox, const Endpoint& leaving,
                              const std::vector<Endpoint>& all_leaving) {
  const auto is_default = [](const Route& route) { return route.destination.prefix() == 0; };
  if (!leaving.default4 && !leaving.default6 && std::ranges::none_of(leaving.routes, is_default))
    return {};
  std::vector<Endpoint> staying;
  for (auto& each : TRY(draft.state.endpoints(sandbox.endpoints)))
    if (std::ranges::find(all_leaving, each.id, &Endpoint::id) == all_leaving.end())
      staying.push_back(std::move(each));
  if (staying.empty() || !alive(sandbox)) return {};
  // The kernel takes no route by an interface that is down.
  const auto down = TRY(links_down(sandbox.netns_path));
  std::erase_if(staying, [&](const Endpoint& each) {
    return std::ranges::find(down, each.ifname) != down.end();
  });
  const auto metrics = TRY(metrics_of(draft.state, staying));
  const plan::NsRef ns{sandbox.netns_path, sandbox.netns_inode};
  auto before_all_left = staying;
  const auto is_its = [&](const Endpoint& each) { return each.sandbox_id == sandbox.id; };
  std::ranges::copy_if(all_leaving, std::back_inserter(before_all_left), is_its);
  // The network's record may be lost (see reset): what it was made of is then unknown.
  const auto from = draft.state.network_by_id(leaving.network_id).value_or(Network{});
  for (const auto family : kFamilies) {
    const auto best = default_route_by(staying, metrics, family);
    const auto has = [&](const Endpoint& each) { return has_default(each, family); };
    if (!best || std::ranges::any_of(staying, has)) continue;
    auto& heir = staying[*best];
    const auto to = TRY(draft.state.network_by_id(heir.network_id));
    const auto route = drivers::default_route(to, heir, ns, family);
    const auto old =
        has(leaving) ? drivers::default_route(from, leaving, ns, family) : std::nullopt;
    const auto in_place = [&](const Endpoint& each) {
      return in_place_of_default(each, family, to.link.metric);
    };
    if (!route || (!old && !in_place(leaving)) || std::ranges::any_of(staying, in_place)) continue;
    // Where somebody inside has set another, that stays.
    const auto there = without_networks_routes(TRY(routes_in(ns.path, family)), before_all_left);
    if (there.size() != (old ? 1 : 0) || (old && there.front().gateway != old->gateway)) continue;
    if (old) draft.plan.push_back(inverse(*old));
    for (const auto& each : all_leaving)  // a route of another kind than unicast is gone by now
      if (const auto* held = is_its(each) ? in_place(each) : nullptr;
          held != nullptr && held->kind == RouteKind::kUnicast)
        draft.plan.push_back(route_gone(*held, each, ns));
    draft.plan.push_back(*route);
    set_default(heir, family, true);
    draft.state.put(heir);
  }
  return {};
}

}  // namespace berth::engine
