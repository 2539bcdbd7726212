// Switching the host's forwarding on for networks, and off after the last of them.
//
// What a sysctl held before is in the store (switched/), for the last network to put back.

#include "engine/host/forwarding.h"

#include <algorithm>

#include "base/result.h"
#include "engine/host/host_facts.h"
#include "engine/instance.h"
#include "engine/ports/ports.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"

namespace berth::engine {
Result<std::vector<plan::SetSysctl>> forwarding_plan(const Network& network) {
  std::vector<plan::SetSysctl> plan;
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    if (!needs_forwarding(network, family)) continue;
    for (auto& sysctl : TRY(forwarding_plan(family))) plan.push_back(std::move(sysctl));
  }
  return plan;
}

Result<std::vector<plan::SetSysctl>> forwarding_plan(Ip::Family family) {
  std::vector<plan::SetSysctl> plan;
  if (TRY(forwarding_on(family))) return plan;
  // A host that forwards IPv6 takes no router advertisements unless accept_ra is 2: its default
  // route and its own address would not be renewed (Documentation/networking/ip-sysctl.rst).
  if (family == Ip::Family::kV6)
    for (const auto& key : TRY(sysctls_of_devices_with_routers())) plan.push_back({key, "2", "1"});
  plan.push_back({std::string(forwarding_key(family)), "1", "0"});
  return plan;
}

void start_forwarding(Draft& draft, std::vector<plan::SetSysctl> sysctls) {
  const auto is_planned = [&](const plan::SetSysctl& sysctl) {
    return std::ranges::any_of(draft.plan, [&](const plan::Op& op) {
      const auto* other = std::get_if<plan::SetSysctl>(&op);
      return other && other->ns.is_host() && other->key == sysctl.key;
    });
  };
  for (auto& sysctl : sysctls) {
    if (is_planned(sysctl)) continue;
    draft.state.put_switched(sysctl.key, sysctl.previous);
    draft.plan.push_back(std::move(sysctl));
  }
}

Status stop_forwarding(Instance& instance, Draft& draft, const std::vector<Network>& networks) {
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    if (TRY(draft.state.forwarding_needed_without(networks, family))) continue;
    if (family == Ip::Family::kV6 &&
        TRY(translator_needed_without(instance, draft.state, networks)))
      continue;
    for (auto& sysctl : TRY(draft.state.switched_for(family))) {
      draft.state.erase_switched(sysctl.key);
      draft.plan.push_back(std::move(sysctl));
    }
  }
  return {};
}

}  // namespace berth::engine
