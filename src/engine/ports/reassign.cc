#include <algorithm>
#include <array>
#include <iterator>

#include "base/result.h"
#include "drivers/driver.h"
#include "engine/change/change.h"
#include "engine/endpoints/endpoints.h"
#include "engine/host/host_facts.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/ports/ports.h"
#include "engine/ports/publish.h"
#include "engine/ports/roaming.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "translator/translator.h"

namespace berth::engine {
namespace {

Result<bool> may_translate(Instance& instance, Draft& draft, std::span<const Attached> endpoints,
                           const std::vector<PortMapping>& ports) {
  const auto on_ipv6 = [](const PortMapping& each) {
    return each.host_port != 0 && !each.host_ip.is_v4();
  };
  const auto by4 = publisher(endpoints, Ip::Family::kV4);
  const bool leads = by4 && endpoints[*by4].network.bridge.translate6to4;
  if (!leads || std::ranges::none_of(ports, on_ipv6)) return false;
  if (draft.direction == Direction::kRemove)
    return translator::is_there(*TRY(instance.kernel.route()));
  return add_translator(instance, draft).has_value();
}

}  // namespace

Status reassign_ports(Instance& instance, Draft& draft, const Sandbox& sandbox, IfTaken if_taken,
                      std::string_view joining) {
  auto& state = draft.state;
  if (sandbox.ports.empty()) return {};
  note_shared_links(instance, draft, sandbox.id);
  std::vector<Attached> all;
  for (auto& endpoint : TRY(state.endpoints(sandbox.endpoints)))
    if (auto network = state.network_by_id(endpoint.network_id))  // may be lost (see reset)
      all.push_back({std::move(endpoint), *std::move(network)});
  const auto before = all;
  distribute(all, sandbox.ports, TRY(may_translate(instance, draft, all, sandbox.ports)));

  std::vector<PortMapping> held;
  for (const auto& each : before) {
    state.free_ports(each.endpoint);
    for (const auto& port : all_ports(each.endpoint)) held.push_back(port);
  }
  for (const auto& [endpoint, network] : all)
    for (const auto& port : own_ports(endpoint, sandbox.ports))
      TRY(state.take_port(std::span(&port, 1), endpoint.id));
  for (auto& [endpoint, network] : all) {
    const bool refuses =
        if_taken == IfTaken::kRefuse && (joining.empty() || endpoint.id == joining);
    for (const auto& port : all_ports(endpoint)) {
      if (port.host_port == 0 || std::ranges::find(held, port) != held.end()) continue;
      // Nobody published it for a while, and somebody else may have it by now: another sandbox, or
      // an endpoint of this one by ports of its own.
      const auto free = check_free(state, port);
      if (free) continue;
      if (refuses) return free;
      std::erase(endpoint.ports, port);
      std::erase(endpoint.translated, port);
    }
  }
  plan::Plan after_deletions;  // a port that moves is taken away before it is given
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [endpoint, network] = all[i];
    const auto old = all_ports(before[i].endpoint);
    const auto now = all_ports(endpoint);
    if (old == now) {
      state.take_ports(endpoint);
      continue;
    }
    state.put(endpoint);
    if (endpoint.id == joining) continue;  // its own plan publishes its ports
    for (auto& op : TRY(port_changes(network, endpoint, old, now,
                                     owner_comment(instance, sandbox, endpoint)))) {
      const bool deletes = std::holds_alternative<plan::DeleteElement>(op);
      (deletes ? draft.plan : after_deletions).push_back(std::move(op));
    }
    const bool publishes = !endpoint.ports.empty();
    if (before[i].endpoint.ports.empty() == publishes && TRY(bridge_netfilter_on()))
      after_deletions.push_back(plan::HairpinPort{endpoint.host_ifname, publishes});
  }
  plan::append(draft.plan, std::move(after_deletions));
  return {};
}

}  // namespace berth::engine
