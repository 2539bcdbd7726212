// Attaching sandboxes to networks, and taking them off again.

#include <algorithm>
#include <functional>
#include <set>

#include "base/result.h"
#include "drivers/bridge/bridge.h"
#include "drivers/driver.h"
#include "drivers/mac_from_id.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/change/snapshot.h"
#include "engine/endpoints/default_route_moves.h"
#include "engine/endpoints/dhcp.h"
#include "engine/endpoints/endpoints.h"
#include "engine/endpoints/links.h"
#include "engine/endpoints/request_checks.h"
#include "engine/endpoints/routes.h"
#include "engine/endpoints/segment.h"
#include "engine/endpoints/static_addresses.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/networks/existing_bridge.h"
#include "engine/networks/networks.h"
#include "engine/networks/parents.h"
#include "engine/ports/ports.h"
#include "engine/ports/publish.h"
#include "engine/ports/roaming.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/modes.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
#include "engine/state/state.h"
#include "engine/targets/targets.h"
#include "kernel/netlink/link.h"
#include "model/options.h"

namespace berth::engine {
namespace {

// Whether something in the sandbox has the name: an endpoint or, in a namespace of somebody else's,
// any link.
using InUse = std::function<Result<bool>(const IfName&)>;

// The name asked for; else eth0, eth1, ...: the first one that nothing in the sandbox has.
Result<IfName> ifname_for(const Sandbox& sandbox, const Network& network,
                          const EndpointOptions& asked, const InUse& in_use) {
  if (!asked.ifname.empty()) {
    if (!TRY(in_use(asked.ifname))) return asked.ifname;
    return fail(ErrorKind::kExists, "{} has an interface {} already: give another name",
                sandbox.name, asked.ifname.str());
  }
  const auto& prefix = network.link.ifname_prefix;
  for (int i = 0;; ++i) {
    auto name = TRY(IfName::parse(fmt::format("{}{}", prefix.empty() ? "eth" : prefix, i)));
    if (!TRY(in_use(name))) return name;
  }
}

// The address of one family: the one asked for, else the first free one of the subnets in turn.
// `hosts`: addresses of the host on the segment.
Result<std::optional<Cidr>> address_on(State& state, const Network& network,
                                       std::span<const Ip> hosts, Ip::Family family,
                                       const std::optional<Ip>& asked) {
  std::optional<Error> exhausted;
  for (const auto& subnet : network.subnets) {
    if (subnet.cidr.ip().family() != family) continue;
    if (asked) {
      if (!subnet.cidr.contains(*asked)) continue;
      TRY(state.reserve(network, subnet, *asked));
      TRY(check_not_hosts(network, hosts, *asked));
      return Cidr(*asked, subnet.cidr.prefix());
    }
    auto free = state.allocate(network, keeping(subnet, hosts));
    if (free) return Cidr(*free, subnet.cidr.prefix());
    if (free.error().kind != ErrorKind::kExhausted) return std::unexpected(free.error());
    exhausted = free.error();
  }
  if (exhausted) return std::unexpected(*exhausted);
  if (!asked) return std::nullopt;
  std::string subnets;
  for (const auto& subnet : network.subnets)
    if (subnet.cidr.ip().family() == family)
      subnets += (subnets.empty() ? "" : ", ") + subnet.cidr.str();
  if (subnets.empty())
    return fail(ErrorKind::kInvalid, "address {}: network {} has no {} subnet", asked->str(),
                network.name, family == Ip::Family::kV4 ? "IPv4" : "IPv6");
  return fail(ErrorKind::kInvalid,
              "network {}: address {} is outside subnet {}: it has to be one of its addresses",
              network.name, asked->str(), subnets);
}

std::optional<Ip> gateway_for(const Network& network, const std::optional<Cidr>& address) {
  if (!address || network.internal || !network.link.default_route) return std::nullopt;
  if (network.driver == Driver::kIpvlan && network.parent.ipvlan_mode != IpvlanMode::kL2)
    return std::nullopt;  // the way out is the device itself
  for (const auto& subnet : network.subnets) {
    if (!subnet.cidr.contains(address->ip())) continue;
    // Docker's names for an auxiliary address that sandboxes go by instead of the bridge's.
    const auto other =
        subnet.aux.find(address->ip().is_v4() ? "DefaultGatewayIPv4" : "DefaultGatewayIPv6");
    return other != subnet.aux.end() ? std::optional(other->second) : subnet.gateway;
  }
  return std::nullopt;
}

// Whether the endpoint's settings switch IPv6 off on its interface: it takes no IPv6 address then.
bool switches_ipv6_off(const Endpoint& endpoint) {
  const auto off = fmt::format("net/ipv6/conf/{}/disable_ipv6=1", endpoint.ifname.str());
  return std::ranges::find(endpoint.sysctls, off) != endpoint.sysctls.end();
}

// Docker's choice, 02:42 and the IPv4 address, is also that of whoever has the address already: on
// a segment with others he could not be told from the endpoint, and would not hear its probe.
Mac mac_for(const Network& network, const Endpoint& endpoint) {
  const bool among_others = has_parent(network) || on_existing_bridge(network);
  if (endpoint.asked.mac) return *endpoint.asked.mac;
  if (endpoint.address4 && !among_others) return Mac::from_ip(endpoint.address4->ip());
  return drivers::mac_from_id(endpoint.id);
}

Status check_vlan(Instance& instance, const Network& network, const Endpoint& endpoint) {
  const auto vlan = endpoint.asked.vlan;
  if (vlan == 0 || vlan == network.bridge.vlan) return {};
  if (network.driver != Driver::kBridge)
    return fail(ErrorKind::kInvalid,
                "VLAN {}: network {} is of driver {}, which has none for each endpoint: make a "
                "network with -o parent=DEVICE.{}",
                vlan, network.name, name(network.driver), vlan);
  const auto bridge = TRY(kernel::find_link(*TRY(instance.kernel.route()), network.bridge.device));
  if (bridge && bridge->filters_vlans) return {};
  return fail(ErrorKind::kInvalid,
              "VLAN {}: bridge {} of network {} does not filter VLANs: make the network with -o "
              "vlan=NUMBER, or switch it on (ip link set {} type bridge vlan_filtering 1)",
              vlan, network.bridge.device.str(), network.name, network.bridge.device.str());
}

Status name_device(Instance& instance, Endpoint& endpoint, const Network& network) {
  // The device is named after the id's first 28 bits, which another device may have by chance.
  for (bool taken = true; taken;) {
    endpoint.id = instance.faults.draw_id ? instance.faults.draw_id() : random_id();
    if (network.driver != Driver::kBridge) return {};
    endpoint.host_ifname = TRY(IfName::parse("veth" + endpoint.id.substr(0, 7)));
    taken =
        TRY(kernel::link_index(*TRY(instance.kernel.route()), endpoint.host_ifname)).has_value();
  }
  const auto& asked = endpoint.asked.host_ifname;
  if (asked.empty()) return {};
  if (TRY(kernel::link_index(*TRY(instance.kernel.route()), asked)))
    return fail(ErrorKind::kExists, "an interface {} exists on the host already: give another name",
                asked.str());
  endpoint.host_ifname = asked;
  return {};
}

}  // namespace

Result<Endpoint> prepare(Instance& instance, Draft& draft, const Connect& request) {
  return prepare(instance, draft, request, TRY(find_target(instance, draft, request.target)));
}

Result<Endpoint> prepare(Instance& instance, Draft& draft, const Connect& request,
                         TargetSandbox target) {
  auto& state = draft.state;
  auto& sandbox = target.sandbox;
  auto network = TRY(state.network(request.network));
  TRY(check_takes_endpoints(state, sandbox, network, !request.options.addresses.empty()));
  if (network.driver == Driver::kNone)
    return fail(ErrorKind::kInvalid, "network {} takes no endpoints: it is predefined for `run`",
                network.name);
  if (network.config_only)
    return fail(ErrorKind::kInvalid,
                "network {} is a template for others (--config-only): it takes no endpoints",
                network.name);
  auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  if (std::ranges::find(endpoints, network.id, &Endpoint::network_id) != endpoints.end()) {
    if (!request.ports.empty() && request.options == EndpointOptions{})
      return prepare(instance, draft, Publish{network.name, sandbox.id, request.ports});
    return fail(ErrorKind::kExists, "{} is connected to network {} already", sandbox.name,
                network.name);
  }
  if (network.predefined && network.subnets.empty()) TRY(choose_subnet(instance, draft, network));
  const auto realised = TRY(realise(instance, draft, network));

  Endpoint endpoint;
  endpoint.asked = request.options;
  TRY(model::read_endpoint_options(endpoint.asked));
  TRY(check_endpoint_request(endpoint.asked, network));
  TRY(name_device(instance, endpoint, network));
  endpoint.network_id = network.id;
  endpoint.network_name = network.name;
  endpoint.sandbox_id = sandbox.id;
  TRY(normalise_links(state, sandbox, endpoint.asked.links));
  const auto in_use = [&](const IfName& name) -> Result<bool> {
    if (std::ranges::find(endpoints, name, &Endpoint::ifname) != endpoints.end()) return true;
    if (sandbox.kind != SandboxKind::kForeign) return false;
    const auto& socket = *TRY(draft.namespaces.route(instance.kernel, target.ns));
    return TRY(kernel::link_index(socket, name)).has_value();
  };
  endpoint.ifname = TRY(ifname_for(sandbox, network, endpoint.asked, in_use));
  endpoint.sysctls = TRY(model::endpoint_sysctls(endpoint.asked.driver_options, endpoint.ifname));
  endpoint.mtu = realised.mtu;

  const auto hosts =
      TRY(addresses_of_host(*TRY(instance.kernel.route()), network, endpoint.asked.addresses));
  if (endpoint.asked.addresses.empty()) {
    const auto& [ip4, ip6] = std::tie(endpoint.asked.ip4, endpoint.asked.ip6);
    endpoint.address4 = TRY(address_on(state, network, hosts, Ip::Family::kV4, ip4));
    if (!switches_ipv6_off(endpoint))
      endpoint.address6 = TRY(address_on(state, network, hosts, Ip::Family::kV6, ip6));
    endpoint.gateway4 = gateway_for(network, endpoint.address4);
    endpoint.gateway6 = gateway_for(network, endpoint.address6);
  } else {
    const auto has_other_default = [&](Ip::Family family) {
      return has_foreign_default(instance, draft, target, endpoints, family);
    };
    TRY(take_static_addresses(state, network, sandbox, endpoints, has_other_default, endpoint));
    for (const auto& address : endpoint.asked.addresses)
      TRY(check_not_hosts(network, hosts, address.ip()));
  }
  if (!endpoint.asked.link_local.empty())
    TRY(check_link_local(state, network, endpoint.asked.link_local));
  endpoint.routes = TRY(routes_for(state, network, sandbox, addresses_of(endpoint), endpoints));
  if (switches_ipv6_off(endpoint))
    std::erase_if(endpoint.routes,
                  [](const Route& each) { return !each.destination.ip().is_v4(); });
  for (auto& each : routes_to_host(network, hosts, endpoint, endpoints))
    endpoint.routes.push_back(std::move(each));
  TRY(check_vlan(instance, network, endpoint));
  endpoint.mac = mac_for(network, endpoint);
  if (has_parent(network)) TRY(complete_on_parent(instance, draft, network, endpoint));
  if (endpoint.asked.mac)
    TRY(check_mac(state, *TRY(instance.kernel.route()), network, *endpoint.asked.mac));
  if (!request.ports.empty()) {
    const bool translate = TRY(use_translator(instance, draft, network, endpoint, request.ports));
    auto published =
        TRY(resolve_ports(state, network, request.ports, endpoint, translate, sandbox.ports));
    sandbox.ports = ports_without(std::move(sandbox.ports), published);
    endpoint.ports = std::move(published.ports);
    endpoint.translated = std::move(published.translated);
  }

  sandbox.endpoints.push_back(endpoint.id);
  endpoints.push_back(endpoint);
  const auto moves = TRY(choose_default_routes(instance, draft, target, endpoints));
  endpoint = endpoints.back();
  state.put(sandbox);
  state.put(endpoint, State::Ports::kTaken);  // by resolve_ports, if there are any
  if (!sandbox.ports.empty()) {
    TRY(reassign_ports(instance, draft, sandbox, IfTaken::kRefuse, endpoint.id));
    endpoint = TRY(state.endpoint(endpoint.id));
  }
  TRY(note_move(instance, draft, sandbox, endpoint));
  note_shared_links(instance, draft, sandbox.id);
  draft.verb = fmt::format("connect {} to {}", sandbox.name, network.name);
  draft.events.push_back(event_of(Event::Action::kNetworkConnect, endpoint, sandbox));
  if (target.loopback_down)
    draft.plan.push_back(plan::SetLinkUp{target.ns, TRY(IfName::parse("lo"))});
  plan::append(draft.plan, moves);
  plan::append(draft.plan, TRY(endpoint_plan(instance, network, sandbox, endpoint)));
  const auto is_alive = [&](const Sandbox& each) { return alive(each); };
  TRY(update_via_routes(draft, instance.kernel, network, is_alive));
  return endpoint;
}

Result<plan::Plan> endpoint_plan(Instance& instance, const Network& network, const Sandbox& sandbox,
                                 const Endpoint& endpoint) {
  const auto facts =
      TRY(bridge_facts(instance, network, !network.bridge.icc || !endpoint.ports.empty(),
                       drivers::bridge::vlan_of(network, endpoint)));
  auto plan = drivers::attach(network, endpoint, {sandbox.netns_path, sandbox.netns_inode}, facts);
  if (is_by_dhcp(network, endpoint)) plan.push_back(dhcp_client(instance, sandbox, endpoint));
  plan::append(plan, TRY(port_changes(network, endpoint, {}, all_ports(endpoint),
                                      owner_comment(instance, sandbox, endpoint))));
  return plan;
}

// "<sandbox> <endpoint id> <instance>" as nft can show it: 60 bytes of the name at most, and no
// byte that would end nft's string.
std::string owner_comment(const Instance& instance, const Sandbox& sandbox,
                          const Endpoint& endpoint) {
  auto label = sandbox.name.substr(0, 60);
  for (auto& byte : label)
    if (byte < '!' || byte > '~' || byte == '"' || byte == '\\') byte = '_';
  return fmt::format("{} {} {}", label, short_id(endpoint.id), instance.tag);
}

Result<Endpoint> connect_endpoint(Instance& instance, const Connect& request) {
  (void)foreign_path(instance, request.target);  // a runtime is not waited for under the lock
  const auto held = TRY(lock_instance(instance));
  auto one_state = TRY(begin_reading(instance));  // one lock of the store for all that is looked up
  bool by_dhcp = false;
  std::vector<Sandbox> dead;
  const auto once = [&]() -> Result<Endpoint> {
    Draft draft(*instance.store);
    if (!one_state) one_state = TRY(begin_reading(instance));
    auto endpoint = prepare(instance, draft, request);
    one_state.reset();
    dead = std::move(draft.dead);
    if (!dead.empty())
      return fail(ErrorKind::kInUse, "{} is taken by {}, whose end is not recorded", request.target,
                  dead.front().name);
    if (!endpoint) return endpoint;
    by_dhcp = std::ranges::any_of(
        draft.plan, [](const plan::Op& op) { return std::holds_alternative<plan::StartDhcp>(op); });
    TRY(commit(instance, draft));
    return endpoint;
  };
  const auto endpoint = with_healed(instance, {request.network}, [&]() -> Result<Endpoint> {
    auto made = once();
    if (dead.empty()) return made;
    for (const auto& each : dead) TRY(finish(instance, each, 128 + SIGKILL));
    return once();
  });
  if (!endpoint || !by_dhcp) return endpoint;
  auto leased = take_lease(instance, endpoint->id);
  if (!leased) {
    Draft draft(*instance.store);
    if (prepare(instance, draft, Disconnect{request.network, request.target}))
      (void)commit(instance, draft);
  }
  return leased;
}

}  // namespace berth::engine
