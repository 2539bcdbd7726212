// Ports on IPv6 for containers' IPv4 addresses: when the translator is needed, made and mended.

#include <algorithm>

#include "base/result.h"
#include "engine/host/forwarding.h"
#include "engine/host/host_facts.h"
#include "engine/instance.h"
#include "engine/ports/ports.h"
#include "engine/ports/publish.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "kernel/netlink/address.h"
#include "model/options.h"
#include "translator/foreign.h"
#include "translator/translator.h"

namespace berth::engine {
namespace {

enum class Need { kNone, kWelcome, kIndispensable };

// Of one port: whether the translator adds to where it is published, or it is published by it
// alone.
Need need_of(const Network& network, const Endpoint& endpoint, const PortSpec& spec) {
  const auto host_ip = spec.host_ip ? spec.host_ip : network.bridge.host_binding;
  if (!endpoint.address4) return Need::kNone;
  // A routed network publishes on no address of the host.
  const bool on_ipv4 = host_ip ? host_ip->is_v4() : !endpoint.address6;
  if ((on_ipv4 ? network.bridge.mode4 : network.bridge.mode6) == GatewayMode::kRouted)
    return Need::kNone;
  if (!host_ip) return Need::kWelcome;
  if (host_ip->is_v4()) return Need::kNone;
  return is_translated(endpoint, *host_ip) ? Need::kIndispensable
         : host_ip->is_unspecified()       ? Need::kWelcome
                                           : Need::kNone;
}

// Clients on other hosts come to an address that they can reach; a host that has none of its own is
// not made a router for nobody.
Result<std::vector<plan::SetSysctl>> translator_forwarding(Instance& instance, State& state) {
  const auto networks = TRY(state.networks());
  const auto is_hosts_own = [&](const kernel::AddressInfo& each) {
    const auto& ip = each.address.ip();
    const bool link_local = Cidr::parse("fe80::/10").value().contains(ip);
    if (ip.is_v4() || link_local || ip == translator::client6() || ip.number() == 1) return false;
    return std::ranges::none_of(networks, [&](const Network& network) {
      return std::ranges::any_of(network.subnets,
                                 [&](const Subnet& subnet) { return subnet.cidr.contains(ip); });
    });
  };
  if (std::ranges::none_of(TRY(kernel::list_addresses(*TRY(instance.kernel.route()))),
                           is_hosts_own))
    return std::vector<plan::SetSysctl>{};
  return forwarding_plan(Ip::Family::kV6);
}

}  // namespace

Result<bool> use_translator(Instance& instance, Draft& draft, const Network& network,
                            const Endpoint& endpoint, const std::vector<PortSpec>& specs) {
  // resolve_ports refuses these in words of its own.
  if (network.internal || network.driver != Driver::kBridge || !network.bridge.managed)
    return false;
  Need need = Need::kNone;
  for (const auto& spec : specs) need = std::max(need, need_of(network, endpoint, spec));
  if (need == Need::kNone) return false;
  const bool indispensable = need == Need::kIndispensable;
  if (!network.bridge.translate6to4) {
    if (!indispensable) return false;
    return fail(
        ErrorKind::kInvalid,
        "network {} does not lead from IPv6 to IPv4 (option {}): publish on an IPv4 address",
        network.name, model::kOptionNoProxy6to4);
  }
  if (auto added = add_translator(instance, draft); !added) {
    if (!indispensable) return false;
    return std::unexpected(in_context(
        std::move(added).error(),
        "network {}: a port on IPv6 for a container's IPv4 address needs the translator, which "
        "cannot be here (publish on an IPv4 address)",
        network.name));
  }
  return true;
}

Status add_translator(Instance& instance, Draft& draft) {
  TRY(translator::check_names(*TRY(instance.kernel.route())));
  if (TRY(translator::is_there(*TRY(instance.kernel.route())))) return {};
  const auto usable = check_ipv6_on();
  const auto possible = usable ? translator::possible() : usable;
  // Who may not try it may still have the whole plan printed.
  const bool shown_only =
      instance.config.only_plan && !possible && possible.error().kind == ErrorKind::kPermission;
  if (!possible && !shown_only) return possible;
  draft.plan.push_back(plan::EnsureTranslator{});
  start_forwarding(draft, TRY(translator_forwarding(instance, draft.state)));
  return {};
}

Result<bool> translator_needed_without(Instance& instance, State& state,
                                       const std::vector<Network>& networks) {
  if (!TRY(translator::is_there(*TRY(instance.kernel.route())))) return false;
  for (const auto& network : TRY(state.networks())) {
    if (std::ranges::find(networks, network.id, &Network::id) != networks.end()) continue;
    if (in_table(network) && TRY(state.realised(network))) return true;
  }
  return false;
}

Result<plan::Plan> translator_repairs(Instance& instance, State& state) {
  for (const auto& sandbox : TRY(state.sandboxes())) {
    for (const auto& endpoint : TRY(state.endpoints(sandbox.endpoints))) {
      const auto ports = all_ports(endpoint);
      if (std::ranges::none_of(ports, [&](const PortMapping& port) {
            return is_translated(endpoint, port.host_ip);
          }))
        continue;
      plan::Plan plan{plan::EnsureTranslator{}};
      for (const auto& sysctl : TRY(translator_forwarding(instance, state))) plan.push_back(sysctl);
      return plan::missing(instance.kernel, plan);
    }
  }
  return plan::Plan{};
}

}  // namespace berth::engine
