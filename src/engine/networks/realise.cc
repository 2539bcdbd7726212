#include <algorithm>
#include <array>

#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/interface.h"
#include "engine/change/commit.h"
#include "engine/host/forwarding.h"
#include "engine/host/host_facts.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/networks/claim.h"
#include "engine/networks/existing_bridge.h"
#include "engine/networks/networks.h"
#include "engine/networks/parents.h"
#include "engine/repair/renamed.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "ipam/allocator.h"
#include "ipam/pools.h"
#include "ipam/subnet.h"
#include "kernel/netlink/link.h"
#include "kernel/sysctl/sysctl.h"
#include "model/options.h"
#include "translator/translator.h"

namespace berth::engine {
namespace {

// Of a name in a comment: what tells whose the element is comes after it (firewall::comment_of).
constexpr std::size_t kMaxNameBytes = 60;

firewall::NetworkIntent intent_of(const Network& network, std::string owner) {
  firewall::NetworkIntent intent{.bridge = network.bridge.device,
                                 .subnets = {},
                                 .internal = network.internal,
                                 .icc = network.bridge.icc,
                                 .masquerade = network.bridge.masquerade,
                                 .masquerade6 = network.bridge.masquerade,
                                 .mode4 = network.bridge.mode4,
                                 .mode6 = network.bridge.mode6,
                                 .source4 = network.bridge.snat4,
                                 .source6 = network.bridge.snat6,
                                 .owner = std::move(owner)};
  for (const auto& subnet : network.subnets) intent.subnets.push_back(subnet.cidr);
  return intent;
}

// Of what the adopted bridge is to have, what it has not; and how it loses that again.
Status keep_to_what_is_missing(Instance& instance, plan::Plan& plan, Realised& realised) {
  for (auto& op : plan)
    if (auto* sysctl = std::get_if<plan::SetSysctl>(&op))
      sysctl->previous = TRY(kernel::read_sysctl(sysctl->key));
  plan = TRY(plan::missing(instance.kernel, plan));
  auto made = plan;
  std::erase_if(made, [](const plan::Op& op) {
    return std::holds_alternative<plan::AddElement>(op) ||
           std::holds_alternative<plan::DeleteElement>(op);
  });
  realised.give_back = plan::inverse(made);
  return {};
}

}  // namespace

Result<Realised> realise(Instance& instance, Draft& draft, const Network& network) {
  if (const auto there = TRY(draft.state.realised(network))) {
    // That a parent is a bridge's port by now is the kernel's to say, which it does when it
    // refuses.
    if (!has_parent(network) ||
        !TRY(kernel::link_index(*TRY(instance.kernel.route()), network.parent.device)))
      TRY(check_ground(instance, network));
    else
      TRY(check_not_renamed(instance.kernel, network));
    // Whoever loads the host's sysctls anew (sysctl --system, ufw) may have switched it off.
    start_forwarding(draft, TRY(forwarding_plan(network)));
    return *there;
  }
  if (has_parent(network)) return realise_on_parent(instance, draft, network);
  auto& route = *TRY(instance.kernel.route());
  const auto& device = network.bridge.device;
  const bool given = on_existing_bridge(network);
  TRY(check_vrf(route, network));
  if (!given && TRY(link_exists(route, device)))
    return fail(ErrorKind::kExists,
                "network {}: an interface {} exists already and is not this network's: remove it, "
                "or {}",
                network.name, device.str(),
                network.predefined
                    ? "use a network made with `berth network create`"
                    : fmt::format("give another {}, or use it as it is with --adopt {}",
                                  model::kOptionBridgeName, device.str()));
  Realised realised{network.link.mtu, {}};
  if (given) {
    const auto bridge = TRY(find_existing_bridge(route, network));
    if (realised.mtu == 0) realised.mtu = bridge.mtu;
  }
  if (realised.mtu == 0) realised.mtu = TRY(default_mtu(route, network.bridge.vrf));
  auto plan = TRY(network_plan(instance, network, realised.mtu));
  if (network.bridge.adopted) TRY(keep_to_what_is_missing(instance, plan, realised));
  if (in_table(network) && !TRY(table_intact(instance))) draft.plan.push_back(plan::EnsureTable{});
  if (in_table(network)) plan::append(draft.plan, TRY(claim_namespace(instance)));
  plan::append(draft.plan, std::move(plan));
  start_forwarding(draft, TRY(forwarding_plan(network)));
  draft.state.put_realised(network, realised);
  return realised;
}

// Who may not read the ruleset may still have the whole plan printed.
Result<bool> table_intact(Instance& instance) {
  const auto read = [&]() -> Result<bool> {
    return firewall::table_intact(*TRY(instance.kernel.nft()));
  };
  auto intact = read();
  if (!intact && instance.config.only_plan && intact.error().kind == ErrorKind::kPermission)
    return false;
  return intact;
}

Result<drivers::Facts> bridge_facts(Instance& instance, const Network& network, bool netfilter,
                                    std::uint16_t vlan) {
  auto facts = TRY(host_facts(netfilter));
  if (network.driver != Driver::kBridge || vlan == 0) return facts;
  if (const auto bridge =
          TRY(kernel::find_link(*TRY(instance.kernel.route()), network.bridge.device)))
    facts.default_vlan = bridge->default_vlan.value_or(facts.default_vlan);
  return facts;
}

Result<plan::Plan> network_plan(Instance& instance, const Network& network, std::uint32_t mtu) {
  auto facts = TRY(bridge_facts(instance, network, false, network.bridge.vlan));
  if (network.bridge.adopted)
    facts.heard_router =
        TRY(devices_with_routers(*TRY(instance.kernel.route()))).contains(network.bridge.device);
  auto plan = drivers::create(network, mtu, facts);
  for (auto& element : network_elements(instance, network))
    plan.push_back(plan::AddElement{std::move(element)});
  return plan;
}

std::vector<nft::Element> network_elements(Instance& instance, const Network& network) {
  if (!in_table(network)) return {};
  return firewall::network_elements(intent_of(
      network,
      fmt::format("{} {} {}{}", network.name.substr(0, kMaxNameBytes), short_id(network.id),
                  network.bridge.adopted ? kAdoptedMark : "", instance.tag)));
}

Status check_ground(Instance& instance, const Network& network) {
  TRY(check_parent(instance, network));
  TRY(check_not_renamed(instance.kernel, network));
  if (!on_existing_bridge(network)) return {};
  return check_bridge_still_there(*TRY(instance.kernel.route()), network);
}

Status heal(Instance& instance, const Network& network) {
  Draft draft(*instance.store);
  draft.verb = "repair network " + network.name;
  const auto realised = TRY(draft.state.realised(network));
  if (!realised) return {};
  if (in_table(network) && !TRY(table_intact(instance))) draft.plan.push_back(plan::EnsureTable{});
  if (in_table(network)) plan::append(draft.plan, TRY(claim_namespace(instance)));
  const auto plan = TRY(network_plan(instance, network, realised->mtu));
  plan::append(draft.plan, TRY(plan::missing(instance.kernel, plan)));
  start_forwarding(draft, TRY(forwarding_plan(network)));
  return commit(instance, draft);
}

Result<drivers::Facts> host_facts(bool needs_bridge_netfilter) {
  static const bool kIpv6 = has_ipv6();  // a kernel does not change that
  return drivers::Facts{.bridge_netfilter = needs_bridge_netfilter && TRY(bridge_netfilter_on()),
                        .ipv6 = kIpv6};
}

}  // namespace berth::engine
