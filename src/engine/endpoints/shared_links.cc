// A sandbox that publishes ports on one network and is on others as well: what comes from the subnet
// of another one to the published address is answered by that link, past the host and its translation.
// So the table masquerades it on its way in (set linked4 in firewall/table.h). This holds for every
// address of the host that a client asks, for the host itself, and for clients on a segment that a
// macvlan or an unmanaged bridge leads to.

#include <algorithm>

#include "base/result.h"
#include "engine/endpoints/endpoints.h"
#include "engine/instance.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "firewall/intents.h"

namespace berth::engine {
namespace {

bool publishes(const Endpoint& endpoint, Ip::Family family) {
  return std::ranges::any_of(
      endpoint.ports, [&](const PortMapping& port) { return port.host_ip.family() == family; });
}

// Those of a sandbox as `state` has it; none of one that is not there.
Result<std::set<nft::Element>> elements_in(const Instance& instance, State& state,
                                           const std::string& sandbox_id) {
  const auto sandbox = state.sandbox(sandbox_id);
  if (!sandbox && sandbox.error().kind != ErrorKind::kNotFound)
    return std::unexpected(sandbox.error());
  if (!sandbox || sandbox->endpoints.size() < 2) return std::set<nft::Element>{};
  return shared_link_elements(instance, *sandbox, TRY(state.endpoints(sandbox->endpoints)));
}

Status add_changes(const Instance& instance, Draft& draft) {
  View recorded(*instance.store);
  for (const auto& id : draft.relinked) {
    const auto before = TRY(elements_in(instance, recorded.state, id));
    const auto after = TRY(elements_in(instance, draft.state, id));
    for (const auto& each : before)
      if (!after.contains(each)) draft.plan.push_back(plan::DeleteElement{each});
    for (const auto& each : after)
      if (!before.contains(each)) draft.plan.push_back(plan::AddElement{each});
  }
  return {};
}

}  // namespace

std::set<nft::Element> shared_link_elements(const Instance& instance, const Sandbox& sandbox,
                                            const std::vector<Endpoint>& endpoints) {
  std::set<nft::Element> elements;
  for (const auto& by : endpoints) {
    for (const auto& to : {by.address4, by.address6}) {
      if (!to || !publishes(by, to->ip().family())) continue;
      for (const auto& other : endpoints) {
        if (other.id == by.id) continue;
        for (const auto& address : addresses_of(other))
          if (address.ip().family() == to->ip().family())
            elements.insert(
                firewall::linked_element({.subnet = address,
                                          .to = to->ip(),
                                          .owner = owner_comment(instance, sandbox, by)}));
      }
    }
  }
  return elements;
}

void note_shared_links(Instance& instance, Draft& draft, const std::string& sandbox_id) {
  draft.relinked.insert(sandbox_id);
  if (!draft.complete_plan)
    draft.complete_plan = [&instance, &draft] { return add_changes(instance, draft); };
}

}  // namespace berth::engine
