// Switching the host's forwarding on for networks, and off after the last of them.
//
// What a sysctl held before is remembered in two places: by the instance that switched it, which
// survives `nft flush ruleset`; and as a mark in berth's table, where other instances in the same
// namespace see it, so that the last one of them puts it back, whoever switched it.

#include "engine/host/forwarding.h"

#include <algorithm>

#include "base/result.h"
#include "engine/host/host_facts.h"
#include "engine/instance.h"
#include "engine/networks/other_instances.h"
#include "engine/ports/ports.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "firewall/intents.h"

namespace berth::engine {
namespace {

std::optional<nft::Element> forwarding_mark(const plan::SetSysctl& sysctl) {
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6})
    if (sysctl.key == forwarding_key(family))
      return firewall::shared_element(word_of(sysctl.key), sysctl.previous);
  return std::nullopt;
}

}  // namespace

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
    for (const auto& key : TRY(sysctls_of_devices_with_routers()))
      plan.push_back({key, "2", "1"});
  plan.push_back({std::string(forwarding_key(family)), "1", "0"});
  return plan;
}

Status start_forwarding(Instance& instance, Draft& draft, std::vector<plan::SetSysctl> sysctls) {
  const auto is_planned = [&](const plan::SetSysctl& sysctl) {
    return std::ranges::any_of(draft.plan, [&](const plan::Op& op) {
      const auto* other = std::get_if<plan::SetSysctl>(&op);
      return other && other->ns.is_host() && other->key == sysctl.key;
    });
  };
  for (auto& sysctl : sysctls) {
    if (is_planned(sysctl)) continue;
    draft.state.put_switched(sysctl.key, sysctl.previous);
    const auto mark = forwarding_mark(sysctl);
    // First the mark: what is taken back is what is known to have been switched (plan::rollback).
    if (mark && !TRY(shared_element_of(instance, word_of(sysctl.key))))
      draft.plan.push_back(plan::AddElement{*mark});
    draft.plan.push_back(std::move(sysctl));
  }
  return {};
}

Result<std::vector<nft::Element>> forwarding_marks(State& state,
                                                   const Network& network) {
  std::vector<nft::Element> marks;
  if (!in_table(network)) return marks;
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    const auto key = forwarding_key(family);
    if (const auto before = TRY(state.switched(key)))
      marks.push_back(*forwarding_mark({std::string(key), "1", *before}));
  }
  return marks;
}

Status stop_forwarding(Instance& instance, Draft& draft, const std::vector<Network>& networks) {
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    if (TRY(draft.state.forwarding_needed_without(networks, family))) continue;
    if (family == Ip::Family::kV6 &&
        TRY(translator_needed_without(instance, draft.state, networks)))
      continue;
    const auto key = std::string(forwarding_key(family));
    const auto mark = TRY(shared_element_of(instance, word_of(key)));
    const bool last_instance = !TRY(others_have_networks(instance));
    for (auto& sysctl : TRY(draft.state.switched_for(family))) {
      if (last_instance && !(mark && sysctl.key == key)) draft.plan.push_back(sysctl);
      if (mark || last_instance) draft.state.erase_switched(sysctl.key);
    }
    if (!mark || !last_instance) continue;
    draft.plan.push_back(plan::SetSysctl{key, mark->comment, "1"});
    draft.plan.push_back(plan::DeleteElement{*mark});
  }
  return {};
}

}  // namespace berth::engine
