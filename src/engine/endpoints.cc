// Attaching sandboxes to networks, and taking them off again.

#include <algorithm>
#include <functional>
#include <set>

#include "base/result.h"
#include "drivers/bridge/bridge.h"
#include "drivers/driver.h"
#include "drivers/mac_from_id.h"
#include "engine/asked.h"
#include "engine/elsewhere.h"
#include "engine/given_addresses.h"
#include "engine/given_bridge.h"
#include "engine/host_facts.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "engine/links.h"
#include "engine/ports.h"
#include "engine/renamed.h"
#include "engine/routes.h"
#include "engine/segment.h"
#include "kernel/netlink/link.h"
#include "model/options.h"

namespace berth {
namespace {

using engine::Change;

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
Result<std::optional<Cidr>> address_on(engine::State& state, const Network& network,
                                       std::span<const Ip> hosts, Ip::Family family,
                                       const std::optional<Ip>& asked) {
  std::optional<Error> exhausted;
  for (const auto& subnet : network.subnets) {
    if (subnet.cidr.ip().family() != family) continue;
    if (asked) {
      if (!subnet.cidr.contains(*asked)) continue;
      TRY(state.reserve(network, subnet, *asked));
      TRY(engine::check_not_hosts(network, hosts, *asked));
      return Cidr(*asked, subnet.cidr.prefix());
    }
    auto free = state.allocate(network, engine::keeping(subnet, hosts));
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

// Docker's choice, 02:42 and the IPv4 address, is also that of whoever has the address already: on a
// segment with others he could not be told from the endpoint, and would not hear its probe.
Mac mac_for(const Network& network, const Endpoint& endpoint) {
  const bool among_others = engine::has_parent(network) || engine::on_given_bridge(network);
  if (endpoint.asked.mac) return *endpoint.asked.mac;
  if (endpoint.address4 && !among_others) return Mac::from_ip(endpoint.address4->ip());
  return drivers::mac_from_id(endpoint.id);
}

}  // namespace

Result<Endpoint> Engine::Impl::prepare(Change& change, const Connect& request) {
  return prepare(change, request, TRY(target(change, request.target)));
}

Result<Endpoint> Engine::Impl::prepare(Change& change, const Connect& request,
                                       engine::TargetSandbox target) {
  auto& state = change.state;
  auto& sandbox = target.sandbox;
  auto network = TRY(state.network(request.network));
  TRY(engine::check_takes_endpoints(state, sandbox, network, !request.options.addresses.empty()));
  if (network.driver == Driver::kNone)
    return fail(ErrorKind::kInvalid, "network {} takes no endpoints: it is predefined for `run`",
                network.name);
  if (network.config_only)
    return fail(ErrorKind::kInvalid,
                "network {} is a template for others (--config-only): it takes no endpoints",
                network.name);
  auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  if (std::ranges::find(endpoints, network.id, &Endpoint::network_id) != endpoints.end())
    return fail(ErrorKind::kExists, "{} is connected to network {} already", sandbox.name,
                network.name);
  if (network.predefined && network.subnets.empty()) TRY(choose_subnet(change, network));
  const auto realised = TRY(realise(change, network));

  Endpoint endpoint;
  endpoint.asked = request.options;
  TRY(model::read_endpoint_options(endpoint.asked));
  TRY(engine::check_asked(endpoint.asked, network));
  TRY(name_device(endpoint, network));
  endpoint.network_id = network.id;
  endpoint.network_name = network.name;
  endpoint.sandbox_id = sandbox.id;
  TRY(engine::settle_links(state, sandbox, endpoint.asked.links));
  const auto in_use = [&](const IfName& name) -> Result<bool> {
    if (std::ranges::find(endpoints, name, &Endpoint::ifname) != endpoints.end()) return true;
    if (sandbox.kind != SandboxKind::kForeign) return false;
    const auto& socket = *TRY(change.namespaces.route(kernel, target.ns));
    return TRY(kernel::link_index(socket, name)).has_value();
  };
  endpoint.ifname = TRY(ifname_for(sandbox, network, endpoint.asked, in_use));
  endpoint.sysctls = TRY(model::endpoint_sysctls(endpoint.asked.driver_options, endpoint.ifname));
  endpoint.mtu = realised.mtu;

  const auto hosts = TRY(
      engine::addresses_of_host(*TRY(kernel.route()), network, endpoint.asked.addresses));
  if (endpoint.asked.addresses.empty()) {
    const auto& [ip4, ip6] = std::tie(endpoint.asked.ip4, endpoint.asked.ip6);
    endpoint.address4 = TRY(address_on(state, network, hosts, Ip::Family::kV4, ip4));
    if (!switches_ipv6_off(endpoint))
      endpoint.address6 = TRY(address_on(state, network, hosts, Ip::Family::kV6, ip6));
    endpoint.gateway4 = gateway_for(network, endpoint.address4);
    endpoint.gateway6 = gateway_for(network, endpoint.address6);
  } else {
    const auto has_foreign_default = [&](Ip::Family family) {
      return this->has_foreign_default(change, target, endpoints, family);
    };
    TRY(engine::take_given_addresses(state, network, sandbox, endpoints, has_foreign_default,
                                     endpoint));
    for (const auto& address : endpoint.asked.addresses)
      TRY(engine::check_not_hosts(network, hosts, address.ip()));
  }
  if (!endpoint.asked.link_local.empty())
    TRY(engine::check_link_local(state, network, endpoint.asked.link_local));
  endpoint.routes =
      TRY(engine::routes_for(state, network, sandbox, addresses_of(endpoint), endpoints));
  if (switches_ipv6_off(endpoint))
    std::erase_if(endpoint.routes,
                  [](const Route& each) { return !each.destination.ip().is_v4(); });
  for (auto& each : engine::routes_to_host(network, hosts, endpoint, endpoints))
    endpoint.routes.push_back(std::move(each));
  TRY(check_vlan(network, endpoint));
  endpoint.mac = mac_for(network, endpoint);
  if (engine::has_parent(network)) TRY(settle_on_parent(change, network, endpoint));
  if (endpoint.asked.mac)
    TRY(engine::check_mac(state, *TRY(kernel.route()), network, *endpoint.asked.mac));
  if (!request.ports.empty()) {
    const bool translate = TRY(use_translator(change, network, endpoint, request.ports));
    auto published = TRY(engine::resolve_ports(state, TRY(others_ports()), network, request.ports,
                                               endpoint, translate));
    sandbox.ports = engine::ports_without(std::move(sandbox.ports), published);
    endpoint.ports = std::move(published.ports);
    endpoint.translated = std::move(published.translated);
  }

  sandbox.endpoints.push_back(endpoint.id);
  endpoints.push_back(endpoint);
  const auto moves = TRY(choose_default_routes(change, target, endpoints));
  endpoint = endpoints.back();
  state.put(sandbox);
  state.put(endpoint, engine::State::Ports::kTaken);  // by resolve_ports, if there are any
  if (!sandbox.ports.empty()) {
    TRY(settle_ports(change, sandbox, IfTaken::kRefuse, endpoint.id));
    endpoint = TRY(state.endpoint(endpoint.id));
  }
  TRY(note_move(change, sandbox, endpoint));
  change.verb = fmt::format("connect {} to {}", sandbox.name, network.name);
  if (target.loopback_down)
    change.plan.push_back(plan::SetLinkUp{target.ns, TRY(IfName::parse("lo"))});
  plan::append(change.plan, moves);
  plan::append(change.plan, TRY(endpoint_plan(network, sandbox, endpoint)));
  const auto is_alive = [this](const Sandbox& each) { return alive(each); };
  TRY(engine::settle_routes(change, kernel, network, is_alive));
  return endpoint;
}

Status Engine::Impl::name_device(Endpoint& endpoint, const Network& network) {
  // The device is named after the id's first 28 bits, which another device may have by chance.
  for (bool taken = true; taken;) {
    endpoint.id = faults.draw_id ? faults.draw_id() : engine::random_id();
    if (network.driver != Driver::kBridge) return {};
    endpoint.host_ifname = TRY(IfName::parse("veth" + endpoint.id.substr(0, 7)));
    taken = TRY(kernel::link_index(*TRY(kernel.route()), endpoint.host_ifname)).has_value();
  }
  const auto& asked = endpoint.asked.host_ifname;
  if (asked.empty()) return {};
  if (TRY(kernel::link_index(*TRY(kernel.route()), asked)))
    return fail(ErrorKind::kExists, "an interface {} exists on the host already: give another name",
                asked.str());
  endpoint.host_ifname = asked;
  return {};
}

Status Engine::Impl::check_vlan(const Network& network, const Endpoint& endpoint) {
  const auto vlan = endpoint.asked.vlan;
  if (vlan == 0 || vlan == network.bridge.vlan) return {};
  if (network.driver != Driver::kBridge)
    return fail(ErrorKind::kInvalid,
                "VLAN {}: network {} is of driver {}, which has none for each endpoint: make a "
                "network with -o parent=DEVICE.{}",
                vlan, network.name, name(network.driver), vlan);
  const auto bridge = TRY(kernel::find_link(*TRY(kernel.route()), network.bridge.device));
  if (bridge && bridge->filters_vlans) return {};
  return fail(ErrorKind::kInvalid,
              "VLAN {}: bridge {} of network {} does not filter VLANs: make the network with -o "
              "vlan=NUMBER, or switch it on (ip link set {} type bridge vlan_filtering 1)",
              vlan, network.bridge.device.str(), network.name, network.bridge.device.str());
}

Result<plan::Plan> Engine::Impl::endpoint_plan(const Network& network, const Sandbox& sandbox,
                                               const Endpoint& endpoint) {
  const auto facts = TRY(bridge_facts(network, !network.bridge.icc || !endpoint.ports.empty(),
                                      drivers::bridge::vlan_of(network, endpoint)));
  auto plan = drivers::attach(network, endpoint, {sandbox.netns_path, sandbox.netns_inode}, facts);
  if (engine::is_by_dhcp(network, endpoint)) plan.push_back(dhcp_client(sandbox, endpoint));
  plan::append(plan, TRY(engine::port_changes(network, endpoint, {}, engine::all_ports(endpoint),
                                              owner_comment(sandbox, endpoint))));
  return plan;
}

Status Engine::Impl::detach(Change& change, const std::vector<Endpoint>& endpoints) {
  change.leaving.insert(change.leaving.end(), endpoints.begin(), endpoints.end());
  std::set<std::string> sandboxes;
  for (const auto& endpoint : endpoints) {
    auto sandbox = TRY(change.state.sandbox(endpoint.sandbox_id));
    // What it was named by has ended, and others are in it still: one of them leads there.
    if (sandbox.kind == SandboxKind::kForeign && !alive(sandbox))
      if (auto path = engine::find_elsewhere(change.state, sandbox)) {
        sandbox.netns_path = *std::move(path);
        change.state.put(sandbox);
      }
    if (alive(sandbox))
      plan::append(change.plan, engine::unlinked_routes_gone(
                                    endpoint, TRY(namespace_of(change.state, sandbox))));
    TRY(hand_on_default_routes(change, sandbox, endpoint, endpoints));
    sandboxes.insert(sandbox.id);
  }
  plan::Plan flushes;
  for (const auto& endpoint : endpoints) {
    auto sandbox = TRY(change.state.sandbox(endpoint.sandbox_id));
    const auto known = change.state.network_by_id(endpoint.network_id);  // may be lost (see reset)
    const auto network = known.value_or(Network{});
    for (auto& op : TRY(engine::port_changes(network, endpoint, engine::all_ports(endpoint), {},
                                             owner_comment(sandbox, endpoint)))) {
      auto& to = std::holds_alternative<plan::FlushFlows>(op) ? flushes : change.plan;
      to.push_back(std::move(op));
    }
    if (!known || network.ipam == Ipam::kDhcp)
      change.plan.push_back(plan::StopDhcp{dhcp_directory(endpoint)});
    for (auto& op :
         drivers::detach(network, endpoint, TRY(namespace_of(change.state, sandbox)))) {
      auto& to = std::holds_alternative<plan::DeleteLink>(op) ? change.last : change.plan;
      to.push_back(std::move(op));
    }
    if (alive(sandbox))
      if (const auto left = engine::under_another_name(
              kernel, TRY(namespace_of(change.state, sandbox)), endpoint,
              TRY(change.state.endpoints(sandbox.endpoints))))
        change.plan.push_back(plan::DeleteLink{*left, TRY(namespace_of(change.state, sandbox))});
    TRY(note_move(change, sandbox, endpoint));
    TRY(change.state.erase(endpoint));
    std::erase(sandbox.endpoints, endpoint.id);
    // A foreign namespace is known for its endpoints only.
    if (sandbox.kind == SandboxKind::kForeign && sandbox.endpoints.empty())
      change.state.erase(sandbox);
    else
      change.state.put(sandbox);
  }
  for (const auto& id : sandboxes)
    if (const auto sandbox = change.state.sandbox(id); sandbox && alive(*sandbox))
      TRY(settle_ports(change, *sandbox, IfTaken::kWait));
  std::set<std::string> networks;
  for (const auto& endpoint : endpoints) networks.insert(endpoint.network_id);
  for (const auto& id : networks)
    if (const auto network = change.state.network_by_id(id))
      TRY(engine::settle_routes(change, kernel, *network,
                                [this](const Sandbox& each) { return alive(each); }));
  plan::append(change.plan, std::move(flushes));
  return {};
}

Status Engine::Impl::prepare(Change& change, const Disconnect& request) {
  auto& state = change.state;
  change.direction = engine::Direction::kRemove;
  change.force = request.force;
  const auto named =
      request.network.empty() ? Network{} : TRY(state.network(request.network));
  const auto sandbox = TRY(find_sandbox(state, request.target));
  if (!named.id.empty()) {
    const bool attached = !sandbox.endpoints.empty();
    TRY(engine::check_takes_endpoints(state, sandbox, named, attached));
  }
  const auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  const auto leaving = TRY(engine::which_endpoint(sandbox, endpoints, named, request.address));
  change.verb = fmt::format("disconnect {} from {}", sandbox.name, leaving.network_name);

  return detach(change, {leaving});
}

// "<sandbox> <endpoint id> <instance>" as nft can show it: 60 bytes of the name at most, and no
// byte that would end nft's string.
std::string Engine::Impl::owner_comment(const Sandbox& sandbox, const Endpoint& endpoint) const {
  auto label = sandbox.name.substr(0, 60);
  for (auto& byte : label)
    if (byte < '!' || byte > '~' || byte == '"' || byte == '\\') byte = '_';
  return fmt::format("{} {} {}", label, engine::short_id(endpoint.id), instance);
}

}  // namespace berth
