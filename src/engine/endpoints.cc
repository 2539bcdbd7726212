// Attaching sandboxes to networks, and taking them off again.

#include <algorithm>

#include "base/result.h"
#include "drivers/bridge/bridge.h"
#include "drivers/driver.h"
#include "engine/default_route.h"
#include "engine/given_addresses.h"
#include "engine/host_facts.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "engine/ports.h"
#include "kernel/netlink/link.h"
#include "model/options.h"

namespace berth {
namespace {

using engine::Change;

bool in_use(const IfName& name, const engine::TargetSandbox& target,
            const std::vector<Endpoint>& endpoints) {
  return std::ranges::find(endpoints, name, &Endpoint::ifname) != endpoints.end() ||
         std::ranges::find(target.links, name.str()) != target.links.end();
}

// The name asked for; else eth0, eth1, ...: the first one that nothing in the sandbox has.
Result<IfName> ifname_for(const engine::TargetSandbox& target, const Network& network,
                          const EndpointOptions& asked, const std::vector<Endpoint>& endpoints) {
  if (!asked.ifname.empty()) {
    if (!in_use(asked.ifname, target, endpoints)) return asked.ifname;
    return fail(ErrorKind::kExists, "{} has an interface {} already: give another name",
                target.sandbox.name, asked.ifname.str());
  }
  const auto& prefix = network.link.ifname_prefix;
  for (int i = 0;; ++i) {
    auto name = TRY(IfName::parse(fmt::format("{}{}", prefix.empty() ? "eth" : prefix, i)));
    if (!in_use(name, target, endpoints)) return name;
  }
}

// The address of one family: the one asked for, else the first free one of the subnets in turn.
Result<std::optional<Cidr>> address_on(engine::State& state, const Network& network,
                                       Ip::Family family, const std::optional<Ip>& asked) {
  std::optional<Error> exhausted;
  for (const auto& subnet : network.subnets) {
    if (subnet.cidr.ip().family() != family) continue;
    if (asked) {
      if (!subnet.cidr.contains(*asked)) continue;
      TRY(state.reserve(network, subnet, *asked));
      return Cidr(*asked, subnet.cidr.prefix());
    }
    auto free = state.allocate(network, subnet);
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
  for (const auto& subnet : network.subnets)
    if (subnet.cidr.contains(address->ip())) return subnet.gateway;
  return std::nullopt;
}

Result<Mac> mac_for(const Endpoint& endpoint) {
  if (endpoint.asked.mac) return *endpoint.asked.mac;
  if (endpoint.address4) return Mac::from_ip(endpoint.address4->ip());
  // The last bytes of IPv6 addresses repeat from subnet to subnet: four of the id's instead.
  const auto number = static_cast<Uint128>(std::stoul(endpoint.id.substr(0, 8), nullptr, 16));
  return Mac::from_ip(Ip::from_number(Ip::Family::kV4, number));
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
  if (network.driver == Driver::kHost || network.driver == Driver::kNone)
    return fail(ErrorKind::kInvalid, "network {} takes no endpoints: it is predefined for `run`",
                network.name);
  if (network.config_only)
    return fail(ErrorKind::kInvalid,
                "network {} is a template for others (--config-only): it takes no endpoints",
                network.name);
  if (sandbox.mode != NetworkMode::kNetworks)
    return fail(ErrorKind::kInvalid, "{} runs with --network {}: it cannot be connected to {}",
                sandbox.name, name(sandbox.mode), network.name);
  auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  if (std::ranges::find(endpoints, network.id, &Endpoint::network_id) != endpoints.end())
    return fail(ErrorKind::kExists, "{} is connected to network {} already", sandbox.name,
                network.name);
  if (network.subnets.empty()) TRY(choose_subnet(change, network));
  const auto realised = TRY(realise(change, network));

  Endpoint endpoint;
  endpoint.asked = request.options;
  TRY(model::read_endpoint_options(endpoint.asked));
  TRY(name_device(endpoint, network));
  endpoint.network_id = network.id;
  endpoint.network_name = network.name;
  endpoint.sandbox_id = sandbox.id;
  endpoint.ifname = TRY(ifname_for(target, network, endpoint.asked, endpoints));
  endpoint.sysctls = TRY(model::endpoint_sysctls(endpoint.asked.driver_options, endpoint.ifname));
  endpoint.mtu = realised.mtu;

  if (endpoint.asked.addresses.empty()) {
    endpoint.address4 = TRY(address_on(state, network, Ip::Family::kV4, endpoint.asked.ip4));
    endpoint.address6 = TRY(address_on(state, network, Ip::Family::kV6, endpoint.asked.ip6));
    endpoint.gateway4 = gateway_for(network, endpoint.address4);
    endpoint.gateway6 = gateway_for(network, endpoint.address6);
  } else {
    TRY(engine::take_given_addresses(state, network, target, endpoints, endpoint));
  }
  TRY(check_vlan(network, endpoint));
  endpoint.mac = TRY(mac_for(endpoint));
  if (!request.ports.empty())
    endpoint.ports = TRY(
        engine::resolve_ports(state, TRY(others_ports()), network, request.ports, endpoint));

  sandbox.endpoints.push_back(endpoint.id);
  endpoints.push_back(endpoint);
  const auto moves = TRY(choose_default_routes(change, target, endpoints));
  endpoint = endpoints.back();
  state.put(endpoint);
  state.put(sandbox);
  change.verb = fmt::format("connect {} to {}", sandbox.name, network.name);
  if (target.loopback_down)
    change.plan.push_back(plan::SetLinkUp{target.ns, TRY(IfName::parse("lo"))});
  plan::append(change.plan, moves);
  plan::append(change.plan, TRY(endpoint_plan(network, sandbox, endpoint)));
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
  if (!endpoint.asked.host_ifname.empty()) endpoint.host_ifname = endpoint.asked.host_ifname;
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
  plan::append(plan, TRY(engine::port_changes(network, endpoint, {}, endpoint.ports,
                                              owner_comment(sandbox, endpoint))));
  return plan;
}

// The new endpoint is the last of `endpoints`, and its plan makes its own default routes; what is
// left is to take away those of another that it takes the place of.
Result<plan::Plan> Engine::Impl::choose_default_routes(Change& change,
                                                       const engine::TargetSandbox& target,
                                                       std::vector<Endpoint>& endpoints) {
  plan::Plan moves;
  auto& joining = endpoints.back();
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    if (target.has_foreign_default(family)) continue;
    const auto metrics = TRY(metrics_of(change.state, endpoints));
    const auto best = engine::default_route_by(endpoints, metrics, family);
    if (!best || &endpoints[*best] != &joining) continue;
    for (auto& other : endpoints) {
      if (&other == &joining || !engine::has_default(other, family)) continue;
      const auto network = TRY(change.state.network_by_id(other.network_id));
      const auto old = drivers::default_route(network, other, target.ns, family);
      if (!old) continue;
      const auto is_old = [&](const plan::Op& op) {
        const auto* add = std::get_if<plan::AddRoute>(&op);
        return add && *add == *old;
      };
      if (std::erase_if(change.plan, is_old) == 0)  // else it was about to be made
        moves.push_back(plan::DeleteRoute{old->ns, old->destination, old->gateway, old->link,
                                          old->kind, old->metric});
      engine::set_default(other, family, false);
      change.state.put(other);
    }
    engine::set_default(joining, family, true);
  }
  return moves;
}

Result<std::vector<std::uint32_t>> Engine::Impl::metrics_of(
    engine::State& state, const std::vector<Endpoint>& endpoints) {
  std::vector<std::uint32_t> metrics;
  for (const auto& each : endpoints)
    metrics.push_back(TRY(state.network_by_id(each.network_id)).link.metric);
  return metrics;
}

Status Engine::Impl::hand_on_default_routes(Change& change, const Sandbox& sandbox,
                                            const Endpoint& leaving,
                                            const std::vector<Endpoint>& all_leaving) {
  if (!leaving.default4 && !leaving.default6) return {};
  std::vector<Endpoint> staying;
  for (auto& each : TRY(change.state.endpoints(sandbox.endpoints)))
    if (std::ranges::find(all_leaving, each.id, &Endpoint::id) == all_leaving.end())
      staying.push_back(std::move(each));
  if (staying.empty() || !alive(sandbox)) return {};
  const auto metrics = TRY(metrics_of(change.state, staying));
  const plan::NsRef ns{sandbox.netns_path, sandbox.netns_inode};
  const auto from = TRY(change.state.network_by_id(leaving.network_id));
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    if (!engine::has_default(leaving, family)) continue;
    const auto heir = engine::default_route_by(staying, metrics, family);
    const auto old = drivers::default_route(from, leaving, ns, family);
    if (!heir || !old || !TRY(engine::has_default_route(ns.path, family, old->gateway))) continue;
    const auto to = TRY(change.state.network_by_id(staying[*heir].network_id));
    change.plan.push_back(plan::DeleteRoute{old->ns, old->destination, old->gateway, old->link,
                                            old->kind, old->metric});
    if (const auto route = drivers::default_route(to, staying[*heir], ns, family))
      change.plan.push_back(*route);
    engine::set_default(staying[*heir], family, true);
    change.state.put(staying[*heir]);
  }
  return {};
}

Status Engine::Impl::detach(Change& change, const std::vector<Endpoint>& endpoints) {
  change.leaving.insert(change.leaving.end(), endpoints.begin(), endpoints.end());
  for (const auto& endpoint : endpoints) {
    const auto sandbox = TRY(change.state.sandbox(endpoint.sandbox_id));
    TRY(hand_on_default_routes(change, sandbox, endpoint, endpoints));
  }
  plan::Plan flushes;
  for (const auto& endpoint : endpoints) {
    auto sandbox = TRY(change.state.sandbox(endpoint.sandbox_id));
    const auto network = TRY(change.state.network_by_id(endpoint.network_id));
    for (auto& op : TRY(engine::port_changes(network, endpoint, endpoint.ports, {},
                                             owner_comment(sandbox, endpoint)))) {
      auto& to = std::holds_alternative<plan::FlushFlows>(op) ? flushes : change.plan;
      to.push_back(std::move(op));
    }
    plan::append(change.last,
                 drivers::detach(network, endpoint, {sandbox.netns_path, sandbox.netns_inode}));
    TRY(change.state.erase(endpoint));
    std::erase(sandbox.endpoints, endpoint.id);
    // A foreign namespace is known for its endpoints only.
    if (sandbox.kind == SandboxKind::kForeign && sandbox.endpoints.empty())
      change.state.erase(sandbox);
    else
      change.state.put(sandbox);
  }
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
