#include <algorithm>
#include <functional>
#include <set>

#include "base/result.h"
#include "drivers/bridge/bridge.h"
#include "drivers/driver.h"
#include "drivers/mac_from_id.h"
#include "engine/change/change.h"
#include "engine/change/commit.h"
#include "engine/endpoints/default_route_moves.h"
#include "engine/endpoints/dhcp.h"
#include "engine/endpoints/endpoints.h"
#include "engine/endpoints/routes.h"
#include "engine/instance.h"
#include "engine/networks/networks.h"
#include "engine/ports/ports.h"
#include "engine/ports/publish.h"
#include "engine/repair/renamed.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/modes.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
#include "engine/state/state.h"
#include "engine/targets/find_netns.h"
#include "engine/targets/targets.h"
#include "kernel/netlink/link.h"
#include "model/options.h"

namespace berth::engine {
Status plan_detach(Instance& instance, Draft& draft, const std::vector<Endpoint>& endpoints) {
  draft.after_rollback.push_back([&instance, endpoints] {
    View look(*instance.store);
    for (const auto& endpoint : endpoints) {
      const auto network = look.state.network_by_id(endpoint.network_id);
      const auto sandbox = look.state.sandbox(endpoint.sandbox_id);
      if (network && sandbox && alive(*sandbox))
        make_again(instance.kernel, endpoint_plan(instance, *network, *sandbox, endpoint));
    }
  });
  std::set<std::string> sandboxes;
  for (const auto& endpoint : endpoints) {
    auto sandbox = TRY(draft.state.sandbox(endpoint.sandbox_id));
    // What it was named by has ended, and others are in it still: one of them leads there.
    if (sandbox.kind == SandboxKind::kForeign && !alive(sandbox))
      if (auto path = find_netns(draft.state, sandbox)) {
        sandbox.netns_path = *std::move(path);
        draft.state.put(sandbox);
      }
    if (alive(sandbox))
      plan::append(draft.plan,
                   unlinked_routes_gone(endpoint, TRY(namespace_of(draft.state, sandbox))));
    TRY(hand_on_default_routes(draft, sandbox, endpoint, endpoints));
    sandboxes.insert(sandbox.id);
  }
  for (const auto& endpoint : endpoints) {
    auto sandbox = TRY(draft.state.sandbox(endpoint.sandbox_id));
    const auto known = draft.state.network_by_id(endpoint.network_id);  // may be lost (see reset)
    const auto network = known.value_or(Network{});
    plan::append(draft.plan, TRY(port_changes(network, endpoint, all_ports(endpoint), {},
                                              owner_comment(instance, sandbox, endpoint))));
    if (!known || network.ipam == Ipam::kDhcp)
      draft.plan.push_back(plan::StopDhcp{dhcp_directory(instance, endpoint)});
    for (auto& op : drivers::detach(network, endpoint, TRY(namespace_of(draft.state, sandbox)))) {
      auto& to = std::holds_alternative<plan::DeleteLink>(op) ? draft.last : draft.plan;
      to.push_back(std::move(op));
    }
    if (alive(sandbox))
      if (const auto left =
              under_another_name(instance.kernel, TRY(namespace_of(draft.state, sandbox)), endpoint,
                                 TRY(draft.state.endpoints(sandbox.endpoints))))
        draft.plan.push_back(plan::DeleteLink{*left, TRY(namespace_of(draft.state, sandbox))});
    TRY(note_move(instance, draft, sandbox, endpoint));
    note_shared_links(instance, draft, sandbox.id);
    draft.events.push_back(event_of(Event::Action::kNetworkDisconnect, endpoint, sandbox));
    TRY(draft.state.erase(endpoint));
    std::erase(sandbox.endpoints, endpoint.id);
    // A foreign namespace is known for its endpoints only.
    if (sandbox.kind == SandboxKind::kForeign && sandbox.endpoints.empty())
      draft.state.erase(sandbox);
    else
      draft.state.put(sandbox);
  }
  for (const auto& id : sandboxes)
    if (const auto sandbox = draft.state.sandbox(id); sandbox && alive(*sandbox))
      TRY(reassign_ports(instance, draft, *sandbox, IfTaken::kWait));
  std::set<std::string> networks;
  for (const auto& endpoint : endpoints) networks.insert(endpoint.network_id);
  for (const auto& id : networks)
    if (const auto network = draft.state.network_by_id(id))
      TRY(update_via_routes(draft, instance.kernel, *network,
                            [&](const Sandbox& each) { return alive(each); }));
  // What was made at its first use goes with its last one.
  for (const auto& id : networks)
    if (const auto network = draft.state.network_by_id(id); network && network->predefined)
      if (TRY(draft.state.endpoints_of_network(id)).empty())
        TRY(plan_unmaking(instance, draft, {*network}));
  return {};
}

Result<Endpoint> which_endpoint(const Sandbox& sandbox, std::span<const Endpoint> endpoints,
                                const Network& network, const std::optional<Ip>& address) {
  const auto is_meant = [&](const Endpoint& each) {
    if (!network.id.empty()) return each.network_id == network.id;
    return !address || std::ranges::any_of(addresses_of(each),
                                           [&](const Cidr& has) { return has.ip() == *address; });
  };
  const auto found = std::ranges::find_if(endpoints, is_meant);
  if (found == endpoints.end()) {
    if (!network.id.empty())
      return fail(ErrorKind::kNotFound, "{} is not connected to network {}", sandbox.name,
                  network.name);
    if (address)
      return fail(ErrorKind::kNotFound, "{} has no address {} of berth's", sandbox.name,
                  address->str());
    return fail(ErrorKind::kNotFound, "{} is not connected to any network", sandbox.name);
  }
  if (network.id.empty() && !address && endpoints.size() > 1) {
    std::string networks;
    for (const auto& each : endpoints)
      networks += (networks.empty() ? "" : ", ") + each.network_name;
    return fail(ErrorKind::kInvalid, "{} is connected to {}: say which is meant", sandbox.name,
                networks);
  }
  return *found;
}

Status prepare(Instance& instance, Draft& draft, const Disconnect& request) {
  auto& state = draft.state;
  draft.direction = Direction::kRemove;
  draft.force = request.force;
  const auto named = request.network.empty() ? Network{} : TRY(state.network(request.network));
  const auto sandbox = TRY(find_sandbox(instance, state, request.target));
  if (!named.id.empty()) {
    const bool attached = !sandbox.endpoints.empty();
    TRY(check_takes_endpoints(state, sandbox, named, attached));
  }
  const auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  const auto leaving = TRY(which_endpoint(sandbox, endpoints, named, request.address));
  draft.verb = fmt::format("disconnect {} from {}", sandbox.name, leaving.network_name);

  return plan_detach(instance, draft, {leaving});
}

}  // namespace berth::engine
