// Ports on IPv6 for containers' IPv4 addresses: when the translator is needed, made and mended.

#include <algorithm>

#include "base/result.h"
#include "engine/host_facts.h"
#include "engine/impl.h"
#include "engine/ports.h"
#include "kernel/netlink/address.h"
#include "model/options.h"
#include "translator/foreign.h"
#include "translator/translator.h"

namespace berth {
namespace {

using engine::Change;

enum class Need { kNone, kWelcome, kIndispensable };

// Of one port: whether the translator adds to where it is published, or it is published by it alone.
Need need_of(const Network& network, const Endpoint& endpoint, const PortSpec& spec) {
  const auto host_ip = spec.host_ip ? spec.host_ip : network.bridge.host_binding;
  if (!endpoint.address4) return Need::kNone;
  // A routed network publishes on no address of the host.
  const bool on_ipv4 = host_ip ? host_ip->is_v4() : !endpoint.address6;
  if ((on_ipv4 ? network.bridge.mode4 : network.bridge.mode6) == GatewayMode::kRouted)
    return Need::kNone;
  if (!host_ip) return Need::kWelcome;
  if (host_ip->is_v4()) return Need::kNone;
  return engine::is_translated(endpoint, *host_ip) ? Need::kIndispensable
         : host_ip->is_unspecified()               ? Need::kWelcome
                                                   : Need::kNone;
}

}  // namespace

Result<bool> Engine::Impl::use_translator(Change& change, const Network& network,
                                          const Endpoint& endpoint,
                                          const std::vector<PortSpec>& specs) {
  // resolve_ports refuses these in words of its own.
  if (network.internal || network.driver != Driver::kBridge || !network.bridge.managed) return false;
  Need need = Need::kNone;
  for (const auto& spec : specs) need = std::max(need, need_of(network, endpoint, spec));
  if (need == Need::kNone) return false;
  const bool indispensable = need == Need::kIndispensable;
  if (!network.bridge.translate6to4) {
    if (!indispensable) return false;
    return fail(ErrorKind::kInvalid,
                "network {} does not lead from IPv6 to IPv4 (option {}): publish on an IPv4 address",
                network.name, model::kOptionNoProxy6to4);
  }
  if (auto added = add_translator(change); !added) {
    if (!indispensable) return false;
    return std::unexpected(in_context(
        std::move(added).error(),
        "network {}: a port on IPv6 for a container's IPv4 address needs the translator, which "
        "cannot be here (publish on an IPv4 address)",
        network.name));
  }
  return true;
}

Status Engine::Impl::add_translator(Change& change) {
  TRY(translator::check_names(*TRY(kernel.route())));
  if (TRY(translator::is_there(*TRY(kernel.route())))) return {};
  const auto possible = engine::has_ipv6()
                            ? translator::possible()
                            : fail(ErrorKind::kUnsupported, "the kernel has no IPv6");
  // Who may not try it may still have the whole plan printed.
  const bool shown_only =
      config.only_plan && !possible && possible.error().kind == ErrorKind::kPermission;
  if (!possible && !shown_only) return possible;
  change.plan.push_back(plan::EnsureTranslator{});
  return start_forwarding(change, TRY(translator_forwarding(change.state)));
}

// Clients on other hosts come to an address that they can reach; a host that has none of its own is
// not made a router for nobody.
Result<std::vector<plan::SetSysctl>> Engine::Impl::translator_forwarding(engine::State& state) {
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
  if (std::ranges::none_of(TRY(kernel::list_addresses(*TRY(kernel.route()))), is_hosts_own))
    return std::vector<plan::SetSysctl>{};
  return forwarding_plan(Ip::Family::kV6);
}

Result<bool> Engine::Impl::translator_needed_without(engine::State& state,
                                                     const std::vector<Network>& networks) {
  if (!TRY(translator::is_there(*TRY(kernel.route())))) return false;
  for (const auto& network : TRY(state.networks())) {
    if (std::ranges::find(networks, network.id, &Network::id) != networks.end()) continue;
    if (engine::in_table(network) && TRY(state.realised(network))) return true;
  }
  return false;
}

Result<plan::Plan> Engine::Impl::translator_repairs(engine::State& state) {
  for (const auto& sandbox : TRY(state.sandboxes())) {
    for (const auto& endpoint : TRY(state.endpoints(sandbox.endpoints))) {
      const auto ports = engine::all_ports(endpoint);
      if (std::ranges::none_of(ports, [&](const PortMapping& port) {
            return engine::is_translated(endpoint, port.host_ip);
          }))
        continue;
      plan::Plan plan{plan::EnsureTranslator{}};
      for (const auto& sysctl : TRY(translator_forwarding(state))) plan.push_back(sysctl);
      return plan::missing(kernel, plan);
    }
  }
  return plan::Plan{};
}

}  // namespace berth
