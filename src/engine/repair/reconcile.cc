// Making the kernel agree with the store again.
//
// Reconcile is the same plans minus what is there: for every network that has been realised and
// every endpoint whose namespace lives, the missing part is applied; elements of berth's table that
// carry this instance's tag and belong to nobody go.

#include <algorithm>
#include <csignal>
#include <optional>
#include <set>

#include "base/result.h"
#include "drivers/driver.h"
#include "engine/change/change.h"
#include "engine/change/commit.h"
#include "engine/change/orphan_links.h"
#include "engine/change/recovery.h"
#include "engine/endpoints/endpoints.h"
#include "engine/endpoints/routes.h"
#include "engine/host/forwarding.h"
#include "engine/instance.h"
#include "engine/networks/claim.h"
#include "engine/networks/networks.h"
#include "engine/ports/ports.h"
#include "engine/ports/publish.h"
#include "engine/repair/repair.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "engine/targets/targets.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "plan/render.h"

namespace berth::engine {
namespace {

// Called with each thing that is not as it should be, and the change that mends it or why none can.
using FoundDifference = std::function<void(const std::string& what, Draft& draft, Status planned)>;

// What a repair says it did: the plan's commands. Of a here-document the lines, without its frame.
std::string summary(std::string_view of, const plan::Plan& plan) {
  std::string text(of);
  const char* separator = ": ";
  for (const auto& command : plan::render(plan)) {
    const auto first = command.find('\n');
    if (first == std::string::npos) {
      text += separator + command;
    } else {
      const auto second = command.find('\n', first + 1);
      const auto end = command.rfind('\n');
      text += separator + command.substr(first + 1, second - first - 1);
      if (second != end) text += " ...";
    }
    separator = "; ";
  }
  return text;
}

Status find_differences(Instance& instance, const FoundDifference& found) {
  View look(*instance.store);
  auto& state = look.state;
  std::optional<plan::Comparison> comparison;  // until something is mended
  const auto missing = [&](const plan::Plan& plan) {
    if (!comparison) comparison.emplace(instance.kernel);
    return comparison->missing(plan);
  };
  const auto tell = [&](const std::string& what, Draft& draft, Status planned) {
    found(what, draft, std::move(planned));
    comparison.reset();
  };
  const auto differs = [&](const std::string& what, Result<plan::Plan> plan) {
    if (plan && plan->empty()) return;
    Draft draft(*instance.store);
    draft.verb = "repair " + what;
    if (plan) draft.plan = *std::move(plan);
    tell(what, draft, plan ? Status{} : std::unexpected(plan.error()));
  };

  // After a restart of the machine: what a user made is there from its making on.
  for (const auto& network : TRY(state.networks())) {
    if (network.predefined || network.config_only || TRY(state.realised(network))) continue;
    Draft draft(*instance.store);
    draft.verb = "make network " + network.name + " again";
    const auto planned = realise(instance, draft, network);
    found("network " + network.name, draft, planned ? Status{} : std::unexpected(planned.error()));
  }

  std::vector<Network> realised;
  for (auto& network : TRY(state.networks()))
    if (TRY(state.realised(network))) realised.push_back(std::move(network));
  if (std::ranges::any_of(realised, in_table)) {
    auto table = TRY(claim_namespace(instance));
    if (!TRY(table_intact(instance))) table.insert(table.begin(), plan::EnsureTable{});
    differs("table inet berth", std::move(table));
  }

  Draft forwarding(*instance.store);
  forwarding.verb = "switch forwarding on again";
  for (const auto& network : realised) start_forwarding(forwarding, TRY(forwarding_plan(network)));
  if (!forwarding.plan.empty()) found("forwarding", forwarding, {});

  const auto all_facts = TRY(host_facts(true));
  plan::Plan wanted{plan::AddElement{claim_element(own_claim(instance))}};
  for (const auto& network : realised) {
    const auto below = check_ground(instance, network);
    if (!below) {
      differs("network " + network.name, std::unexpected(below.error()));
      for (auto& element : network_elements(instance, network))
        wanted.push_back(plan::AddElement{std::move(element)});
      continue;
    }
    auto plan = TRY(network_plan(instance, network, TRY(state.realised(network))->mtu));
    differs("network " + network.name, missing(plan));
    plan::append(wanted, std::move(plan));
    Draft routes(*instance.store);
    routes.verb = "repair routes by way of sandboxes on " + network.name;
    const auto settled = update_via_routes(routes, instance.kernel, network,
                                           [&](const Sandbox& each) { return alive(each); });
    if (!settled || !routes.transaction.writes().empty())
      tell("routes by way of sandboxes on " + network.name, routes, settled);
  }
  differs("translator", translator_repairs(instance, state));
  for (const auto& sandbox : TRY(state.sandboxes())) {
    const auto keep_ports = [&](const Network& network, const Endpoint& endpoint) -> Status {
      plan::append(wanted, TRY(port_changes(network, endpoint, {}, all_ports(endpoint),
                                            owner_comment(instance, sandbox, endpoint))));
      return {};
    };
    if (!alive(sandbox)) {
      // Nor dead: it cannot be seen from here, and what it has is still its own.
      if (is_dead(instance, sandbox) || sandbox.state == SandboxState::kExited) continue;
      const auto endpoints = TRY(state.endpoints(sandbox.endpoints));
      for (const auto& endpoint : endpoints)
        TRY(keep_ports(TRY(state.network_by_id(endpoint.network_id)), endpoint));
      for (const auto& element : shared_link_elements(instance, sandbox, endpoints))
        wanted.push_back(plan::AddElement{element});
      continue;
    }
    const plan::NsRef ns{sandbox.netns_path, sandbox.netns_inode};
    // In another's namespace lo may be down on purpose.
    const bool own_namespace =
        sandbox.mode == NetworkMode::kNetworks || sandbox.mode == NetworkMode::kNone;
    if (sandbox.kind != SandboxKind::kForeign && own_namespace)
      differs(sandbox.name, missing({plan::SetLinkUp{ns, TRY(IfName::parse("lo"))}}));
    const auto endpoints = TRY(state.endpoints(sandbox.endpoints));
    for (const auto& endpoint : endpoints) {
      const auto network = TRY(state.network_by_id(endpoint.network_id));
      const auto below = check_ground(instance, network);
      if (!below) {
        differs(sandbox.name + " on " + network.name, std::unexpected(below.error()));
        TRY(keep_ports(network, endpoint));
        continue;
      }
      auto plan = TRY(endpoint_plan(instance, network, sandbox, endpoint));
      plan::append(plan, drivers::modes_off(network, endpoint, all_facts));
      differs(sandbox.name + " on " + network.name, missing(plan));
      plan::append(wanted, std::move(plan));
    }
    plan::Plan links;
    for (const auto& element : shared_link_elements(instance, sandbox, endpoints))
      links.push_back(plan::AddElement{element});
    differs(sandbox.name + " on several networks", plan::missing(instance.kernel, links));
    plan::append(wanted, std::move(links));
  }

  std::set<nft::Element> known;
  for (const auto& op : wanted)
    if (const auto* add = std::get_if<plan::AddElement>(&op)) known.insert(add->element);
  plan::Plan strays;
  for (const auto& set : firewall::table().sets) {
    const auto elements =
        TRY(instance.kernel.nft())->list_elements(std::string(firewall::kTable), set);
    if (!elements) continue;  // no table: nothing of ours is left in it
    for (const auto& element : *elements)
      if (element.comment.ends_with(" " + instance.tag) && !known.contains(element))
        strays.push_back(plan::DeleteElement{element});
  }
  differs("elements that belong to nobody", std::move(strays));

  Draft leaving(*instance.store);
  leaving.direction = Direction::kRemove;
  leaving.verb = "remove what was left";
  leaving.plan = TRY(orphan_links(instance, leaving.transaction));
  if (!leaving.plan.empty()) found("left by a forced removal", leaving, {});
  return {};
}

}  // namespace

Status prepare(Instance& instance, Draft& draft, const Reconcile&) {
  for (const auto& sandbox : TRY(draft.state.sandboxes()))
    if (is_dead(instance, sandbox)) TRY(prepare_end(instance, draft, sandbox, 128 + SIGKILL));
  plan::append(draft.plan, std::move(draft.last));
  draft.last.clear();
  Status all;
  bool table = false;  // each network's plan has it and the sysctls, and one is enough
  std::set<std::string> sysctls;
  TRY(find_differences(instance, [&](const std::string&, Draft& mending, Status planned) {
    if (!planned) all = std::move(planned);
    for (auto& op : mending.plan) {
      const auto* sysctl = std::get_if<plan::SetSysctl>(&op);
      if (std::holds_alternative<plan::EnsureTable>(op) && std::exchange(table, true)) continue;
      if (sysctl && sysctl->ns.is_host() && !sysctls.insert(sysctl->key).second) continue;
      draft.plan.push_back(std::move(op));
    }
  }));
  return all;
}

Result<std::vector<Repair>> reconcile_instance(Instance& instance) {
  std::vector<Repair> repairs;
  View look(*instance.store);
  for (const auto& sandbox : TRY(look.state.sandboxes())) {
    if (!is_dead(instance, sandbox)) continue;
    const auto* what = sandbox.kind == SandboxKind::kProcess ? "process" : "namespace";
    repairs.push_back({fmt::format("{}: its {} is gone", sandbox.name, what),
                       finish_if_known(instance, sandbox, 128 + SIGKILL)});
  }
  const auto held = TRY(lock_instance(instance));
  remove_stray_files(instance, /*youngest=*/std::chrono::seconds(10));
  for (const auto& [key, text] : TRY(unreadable_entries(instance)))
    repairs.push_back({key + " cannot be read: dropped, and what it was about is compared below",
                       instance.store->commit({{key, std::nullopt}}, store::Durability::kNormal)});
  const auto mended = mend_hosts(instance);
  if (!mended) repairs.push_back({"hosts files", std::unexpected(mended.error())});
  for (const auto& name : mended.value_or(std::vector<std::string>{}))
    repairs.push_back({fmt::format("{}: its hosts file is written again", name), {}});
  for (auto& each : mend_views(instance)) repairs.push_back(std::move(each));
  TRY(find_differences(instance, [&](const std::string& what, Draft& draft, Status planned) {
    const auto text = summary(what, draft.plan);
    repairs.push_back({text, planned ? commit(instance, draft) : std::move(planned)});
  }));
  const auto leased = take_leases(instance);
  if (!leased) repairs.push_back({"DHCP leases", std::unexpected(leased.error())});
  for (const auto& each : leased.value_or(std::vector<Repair>{})) repairs.push_back(each);
  return repairs;
}

}  // namespace berth::engine
