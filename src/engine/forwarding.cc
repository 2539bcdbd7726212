// Switching the host's forwarding on for networks, and off after the last of them.
//
// What a sysctl held before is remembered in two places: by the instance that switched it, which
// survives `nft flush ruleset`; and as a mark in berth's table, where other instances in the same
// namespace see it, so that the last one of them puts it back, whoever switched it.

#include <algorithm>

#include "base/result.h"
#include "engine/host_facts.h"
#include "engine/impl.h"
#include "firewall/intents.h"

namespace berth {

using engine::Change;

Result<std::vector<plan::SetSysctl>> Engine::Impl::forwarding_plan(const Network& network) const {
  std::vector<plan::SetSysctl> plan;
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    if (!engine::needs_forwarding(network, family)) continue;
    for (auto& sysctl : TRY(forwarding_plan(family))) plan.push_back(std::move(sysctl));
  }
  return plan;
}

Result<std::vector<plan::SetSysctl>> Engine::Impl::forwarding_plan(Ip::Family family) {
  std::vector<plan::SetSysctl> plan;
  if (TRY(engine::forwarding_on(family))) return plan;
  // A host that forwards IPv6 takes no router advertisements unless accept_ra is 2: it would lose
  // its own way out (Documentation/networking/ip-sysctl.rst).
  if (family == Ip::Family::kV6)
    for (const auto& key : TRY(engine::sysctls_of_advertised_routes()))
      plan.push_back({key, "2", "1"});
  plan.push_back({std::string(engine::forwarding_key(family)), "1", "0"});
  return plan;
}

Status Engine::Impl::start_forwarding(Change& change, std::vector<plan::SetSysctl> sysctls) {
  const auto is_planned = [&](const plan::SetSysctl& sysctl) {
    return std::ranges::any_of(change.plan, [&](const plan::Op& op) {
      const auto* other = std::get_if<plan::SetSysctl>(&op);
      return other && other->ns.is_host() && other->key == sysctl.key;
    });
  };
  for (auto& sysctl : sysctls) {
    if (is_planned(sysctl)) continue;
    change.state.put_switched(sysctl.key, sysctl.previous);
    const auto mark = forwarding_mark(sysctl);
    // First the mark: what is taken back is what is known to have been switched (plan::rollback).
    if (mark && !TRY(shared(engine::word_of(sysctl.key))))
      change.plan.push_back(plan::AddElement{*mark});
    change.plan.push_back(std::move(sysctl));
  }
  return {};
}

std::optional<nft::Element> Engine::Impl::forwarding_mark(const plan::SetSysctl& sysctl) {
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6})
    if (sysctl.key == engine::forwarding_key(family))
      return firewall::shared_element(engine::word_of(sysctl.key), sysctl.previous);
  return std::nullopt;
}

Result<std::vector<nft::Element>> Engine::Impl::forwarding_marks(engine::State& state,
                                                                 const Network& network) {
  std::vector<nft::Element> marks;
  if (!engine::in_table(network)) return marks;
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    const auto key = engine::forwarding_key(family);
    if (const auto before = TRY(state.switched(key)))
      marks.push_back(*forwarding_mark({std::string(key), "1", *before}));
  }
  return marks;
}

Status Engine::Impl::stop_forwarding(Change& change, const std::vector<Network>& networks) {
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    if (TRY(change.state.forwarding_needed_without(networks, family))) continue;
    if (family == Ip::Family::kV6 && TRY(translator_needed_without(change.state, networks)))
      continue;
    const auto key = std::string(engine::forwarding_key(family));
    const auto mark = TRY(shared(engine::word_of(key)));
    const bool last_instance = !TRY(others_have_networks());
    for (auto& sysctl : TRY(change.state.switched_for(family))) {
      if (last_instance && !(mark && sysctl.key == key)) change.plan.push_back(sysctl);
      if (mark || last_instance) change.state.erase_switched(sysctl.key);
    }
    if (!mark || !last_instance) continue;
    change.plan.push_back(plan::SetSysctl{key, mark->comment, "1"});
    change.plan.push_back(plan::DeleteElement{*mark});
  }
  return {};
}

}  // namespace berth
