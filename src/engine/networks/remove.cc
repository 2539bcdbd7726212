#include <algorithm>
#include <array>
#include <optional>

#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/interface.h"
#include "engine/change/change.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/endpoints/endpoints.h"
#include "engine/host/forwarding.h"
#include "engine/host/host_facts.h"
#include "engine/instance.h"
#include "engine/networks/claim.h"
#include "engine/networks/existing_bridge.h"
#include "engine/networks/networks.h"
#include "engine/networks/parents.h"
#include "engine/networks/templates.h"
#include "engine/repair/renamed.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
#include "engine/state/state.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "ipam/allocator.h"
#include "ipam/pools.h"
#include "ipam/subnet.h"
#include "kernel/netlink/link.h"
#include "kernel/sysctl/sysctl.h"
#include "model/options.h"
#include "plan/whose.h"
#include "translator/translator.h"

namespace berth::engine {
namespace {

// The names of those who are attached, for an error.
Result<std::string> users_of(State& state, const Network& network) {
  std::string users;
  for (const auto& endpoint : TRY(state.endpoints_of_network(network.id))) {
    const auto user = state.sandbox(endpoint.sandbox_id);
    users += (users.empty() ? "" : ", ") + (user ? user->name : endpoint.sandbox_id);
  }
  return users;
}

// The network of that reference, which may be removed along with `leaving`; nothing if there is none
// and that is fine.
Result<std::optional<Network>> removable(State& state, const std::string& reference, bool force,
                                         const std::vector<Network>& leaving) {
  auto network = state.network(reference);
  if (!network && force && network.error().kind == ErrorKind::kNotFound) return std::nullopt;
  if (!network) return std::unexpected(network.error());
  if (network->predefined)
    return fail(ErrorKind::kInvalid, "network {} is predefined and cannot be removed",
                network->name);
  auto made = TRY(made_from(state, *network));
  std::erase_if(made, [&](const std::string& each) {
    return std::ranges::find(leaving, each, &Network::name) != leaving.end();
  });
  if (!made.empty())
    return fail(ErrorKind::kInUse, "network {} is the template of {}: remove {} first",
                network->name, fmt::join(made, ", "), made.size() == 1 ? "that" : "those");
  const auto users = TRY(users_of(state, *network));
  if (!users.empty() && !force)
    return fail(ErrorKind::kInUse,
                "network {} is in use by {}: disconnect them first, or use --force", network->name,
                users);
  return network;
}

void describe_removal(Draft& draft, const RemoveNetworks& request) {
  draft.direction = Direction::kRemove;
  draft.durability = store::Durability::kFull;
  draft.verb = fmt::format("remove network {}", fmt::join(request.networks, " "));
}

// Removes those of several networks that can go in one change, since the kernel waits once for each
// change that deletes links. Nothing where something is in the way that only a change for each
// network can tell of.
std::optional<std::vector<Outcome>> remove_together(Instance& instance,
                                                    const RemoveNetworks& request) {
  const auto held = lock_instance(instance);
  if (!held) return std::nullopt;
  Draft draft(*instance.store);
  describe_removal(draft, request);
  std::vector<Outcome> outcomes;
  std::vector<Network> leaving;
  std::optional<std::size_t> first;
  for (const auto& reference : request.networks) {
    const auto network = removable(draft.state, reference, request.force, leaving);
    outcomes.push_back({reference, network ? Status{} : std::unexpected(network.error())});
    if (!network || !*network) continue;
    const bool is_given_twice =
        std::ranges::find(leaving, (*network)->id, &Network::id) != leaving.end();
    if (is_given_twice) return std::nullopt;
    if (!first) first = outcomes.size() - 1;
    leaving.push_back(**network);
  }
  if (leaving.empty()) return outcomes;
  if (!plan_removal(instance, draft, leaving)) return std::nullopt;
  auto whole = draft.plan;
  plan::append(whole, plan::Plan(draft.last));
  if (!plan::spare_others(instance.kernel, whole).empty()) return std::nullopt;
  auto done = commit(instance, draft);
  if (!done && !draft.recorded) return std::nullopt;
  if (!done) outcomes[*first].status = std::move(done);  // its sentence says what it is about
  return outcomes;
}

}  // namespace

Result<plan::Plan> give_back(Instance& instance, State& state, const Network& network,
                             const Realised& realised, const std::vector<Network>& leaving) {
  const auto& device = network.bridge.device;
  if (realised.give_back.empty()) return plan::Plan{};
  auto name = device;
  if (!TRY(link_exists(*TRY(instance.kernel.route()), device))) {
    const auto renamed = TRY(new_name_of_existing(*TRY(instance.kernel.route()), network));
    if (!renamed) return plan::Plan{};
    name = *renamed;
    // Another bridge may have the gateway's address since; the network's has all that it was given.
    const auto given = under_its_new_name(plan::inverse(realised.give_back), device, name);
    if (!TRY(plan::missing(instance.kernel, given)).empty()) return plan::Plan{};
  }
  const auto is_filter = [](const plan::Op& op) {
    return std::holds_alternative<plan::FilterVlans>(op);
  };
  const bool filters = std::ranges::any_of(realised.give_back, is_filter);
  auto back = realised.give_back;
  for (const auto& other : TRY(state.networks())) {
    if (other.id == network.id || other.bridge.device != device ||
        std::ranges::find(leaving, other.id, &Network::id) != leaving.end())
      continue;
    if (filters && other.bridge.vlan != 0)
      return fail(ErrorKind::kInUse,
                  "network {} made bridge {} filter VLANs, which network {} needs: remove that "
                  "first",
                  network.name, device.str(), other.name);
    // Who stays on the bridge needs it up.
    std::erase_if(back,
                  [](const plan::Op& op) { return std::holds_alternative<plan::SetLinkUp>(op); });
  }
  return under_its_new_name(std::move(back), device, name);
}

Status prepare(Instance& instance, Draft& draft, const RemoveNetworks& request) {
  describe_removal(draft, request);
  std::vector<Network> networks;
  for (const auto& reference : request.networks)
    if (auto network = TRY(removable(draft.state, reference, request.force, networks)))
      networks.push_back(*std::move(network));
  return plan_removal(instance, draft, networks);
}

Status plan_removal(Instance& instance, Draft& draft, const std::vector<Network>& networks) {
  auto& state = draft.state;
  for (const auto& network : networks)
    TRY(plan_detach(instance, draft, TRY(state.endpoints_of_network(network.id))));
  TRY(plan_unmaking(instance, draft, networks));
  for (const auto& network : networks) {
    state.erase(network);
    draft.events.push_back(event_of(Event::Action::kNetworkDestroy, network));
  }
  return {};
}

Status plan_unmaking(Instance& instance, Draft& draft, const std::vector<Network>& networks) {
  auto& state = draft.state;
  draft.after_rollback.push_back([&instance, networks] {
    View look(*instance.store);
    for (const auto& network : networks)
      if (const auto realised = look.state.realised(network); realised && *realised)
        make_again(instance.kernel, network_plan(instance, network, (*realised)->mtu));
  });
  plan::Plan links;
  bool last = false;
  for (const auto& network : networks) {
    if (const auto realised = TRY(state.realised(network))) {
      last = last || in_table(network);
      for (auto& element : network_elements(instance, network))
        draft.plan.push_back(plan::DeleteElement{std::move(element)});
      plan::append(draft.plan, TRY(give_back(instance, state, network, *realised, networks)));
      auto gone = drivers::remove(network);
      if (TRY(parent_shared(draft, network)))
        std::erase_if(gone, [&](const plan::Op& op) {
          return std::get<plan::DeleteLink>(op).name == network.parent.device;
        });
      for (auto& op : gone) {
        auto& link = std::get<plan::DeleteLink>(op);
        if (const auto name = TRY(new_name_of(instance.kernel, link))) {
          auto renamed = link;
          renamed.name = *name;
          links.push_back(std::move(renamed));
        }
        links.push_back(std::move(link));
      }
      state.erase_realised(network);
    }
  }
  TRY(stop_forwarding(instance, draft, networks));
  for (const auto& network : TRY(state.networks()))
    if (in_table(network) && TRY(state.realised(network))) last = false;
  if (last && TRY(translator::is_there(*TRY(instance.kernel.route()))))
    draft.plan.push_back(plan::DeleteTranslatorIfUnused{});
  if (last) {
    const auto claim = TRY(read_claim(instance));
    if (claim && claim->instance == instance.tag)
      draft.plan.push_back(plan::DeleteElement{claim_element(*claim)});
    draft.plan.push_back(plan::DeleteTableIfUnused{});
  }
  plan::append(draft.last, std::move(links));
  return {};
}

std::vector<Outcome> remove_networks(Instance& instance, const RemoveNetworks& request) {
  std::vector<Outcome> outcomes;
  const auto collected = collect_dead(instance);  // the dead are no users
  if (collected && request.networks.size() > 1)
    if (auto together = remove_together(instance, request)) return *std::move(together);
  for (const auto& reference : request.networks) {
    const auto remove = [&]() -> Status {
      const auto held = TRY(lock_instance(instance));
      Draft draft(*instance.store);
      TRY(collected);
      TRY(prepare(instance, draft, RemoveNetworks{{reference}, request.force}));
      return commit(instance, draft);
    };
    outcomes.push_back({reference, remove()});
  }
  return outcomes;
}

}  // namespace berth::engine
