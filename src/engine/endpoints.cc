// Attaching sandboxes to networks, publishing their ports, and taking both back.

#include <algorithm>
#include <cerrno>

#include "base/result.h"
#include "drivers/driver.h"
#include "engine/default_route.h"
#include "engine/host_facts.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "kernel/port/bind_probe.h"
#include "model/options.h"

namespace berth {
namespace {

using engine::Change;

std::string describe(const PortMapping& mapping) {
  const auto host =
      mapping.host_ip.is_v4() ? mapping.host_ip.str() : fmt::format("[{}]", mapping.host_ip.str());
  return fmt::format("{}:{}/{}", host, mapping.host_port, name(mapping.protocol));
}

std::optional<Ip> address_or_any(const Ip& ip) {
  return ip.is_unspecified() ? std::nullopt : std::optional(ip);
}

// Whether berth has given the port away; the error names who has it.
Status check_not_published(engine::State& state, const PortMapping& wanted) {
  const auto owner = TRY(state.port_owner(wanted));
  if (!owner) return {};
  std::string holder = "this request already";
  if (const auto endpoint = state.endpoint(owner->endpoint_id)) {
    const auto sandbox = state.sandbox(endpoint->sandbox_id);
    holder = sandbox ? sandbox->name : endpoint->sandbox_id;
  }
  return fail(ErrorKind::kInUse, "port {} is taken by {} (as {}): give another host port",
              describe(wanted), holder, describe(owner->mapping));
}

// Whether a program of the host listens there; the error names it where /proc tells.
Status check_not_bound(const PortMapping& wanted) {
  const auto address = address_or_any(wanted.host_ip);
  const auto free = kernel::port_free(wanted.protocol, address, wanted.host_port);
  if (!free && free.error().kind == ErrorKind::kUnsupported) return {};  // no SCTP: nobody is bound
  if (!free && free.error().sys == EADDRNOTAVAIL)
    return fail(ErrorKind::kNotFound, "port {}: {} is not an address of this host",
                describe(wanted), wanted.host_ip.str());
  if (TRY(free)) return {};
  const auto owner = kernel::listener_owner(wanted.protocol, address, wanted.host_port);
  return fail(ErrorKind::kInUse, "port {} is taken by {} on the host: give another host port",
              describe(wanted), owner.value_or("a program"));
}

Status check_free(engine::State& state, const PortMapping& wanted) {
  TRY(check_not_published(state, wanted));
  return check_not_bound(wanted);
}

// The mappings of one container port: one for each host address that it is to be published on.
using Bindings = std::vector<PortMapping>;

Status check_free(engine::State& state, Bindings& wanted, Port host_port) {
  for (auto& each : wanted) {
    each.host_port = host_port;
    TRY(check_free(state, each));
  }
  return {};
}

// A port of the host's ephemeral range that nobody has on any of the addresses: the kernel knows
// who is bound, the store what is published.
Status take_any_free_port(engine::State& state, Bindings& wanted) {
  constexpr int kTries = 256;  // each draws at random from some 28,000 ports
  const auto& first = wanted.front();
  const auto address = address_or_any(first.host_ip);
  for (int i = 0; i < kTries; ++i) {
    auto drawn = kernel::any_free_port(first.protocol, address);
    if (!drawn && drawn.error().kind == ErrorKind::kUnsupported)  // no SCTP: any number will do
      drawn = kernel::any_free_port(Protocol::kTcp, address);
    const auto port = TRY(std::move(drawn));
    if (wanted.size() > 1) {
      if (check_free(state, wanted, port)) return {};
      continue;
    }
    wanted.front().host_port = port;
    if (!TRY(state.port_owner(wanted.front()))) return {};
  }
  return fail(ErrorKind::kExhausted, "no free {} port found on {} in {} tries",
              name(first.protocol), first.host_ip.str(), kTries);
}

// Where a port of the endpoint is published: the address asked for, else the network's, else every
// address of each family that the endpoint has.
Result<Bindings> bindings_of(const Network& network, const Endpoint& endpoint,
                             const PortSpec& spec) {
  Bindings bindings;
  const auto bind = [&](const Ip& host_ip) { bindings.push_back({spec.protocol, host_ip, 0, 0}); };
  auto asked = spec.host_ip;
  if (!asked) asked = network.bridge.host_binding;
  if (asked) {
    if (asked->is_v4() ? !endpoint.address4 : !endpoint.address6)
      return fail(ErrorKind::kUnsupported,
                  "port on {}: the endpoint on network {} has no {} address, give an {} one",
                  asked->str(), network.name, asked->is_v4() ? "IPv4" : "IPv6",
                  asked->is_v4() ? "IPv6" : "IPv4");
    bind(*asked);
  } else {
    if (endpoint.address4) bind(Ip());
    if (endpoint.address6) bind(Ip::from_number(Ip::Family::kV6, 0));
  }
  if (bindings.empty())
    return fail(ErrorKind::kInvalid,
                "network {} gives no addresses: its containers' ports cannot be published",
                network.name);
  return bindings;
}

// Turns what was asked for into ports that are free, and takes them for `endpoint`.
Result<std::vector<PortMapping>> resolve_ports(engine::State& state, const Network& network,
                                               const std::vector<PortSpec>& specs,
                                               const Endpoint& endpoint) {
  if (!specs.empty() && network.internal)
    return fail(ErrorKind::kInvalid,
                "network {} is internal: its containers' ports cannot be published", network.name);
  if (!specs.empty() && (network.driver != Driver::kBridge || !network.bridge.managed))
    return fail(ErrorKind::kInvalid,
                "network {} is {}: its containers are reached at their own addresses, and ports "
                "cannot be published",
                network.name,
                network.driver == Driver::kBridge ? "unmanaged" : name(network.driver));
  std::vector<PortMapping> mappings;
  for (const auto& spec : specs) {
    auto wanted = TRY(bindings_of(network, endpoint, spec));
    const bool choose =
        spec.host_first != spec.host_last && spec.container_first == spec.container_last;
    for (int port = spec.container_first; port <= spec.container_last; ++port) {
      for (auto& each : wanted) each.container_port = static_cast<Port>(port);
      if (spec.host_first == 0) {
        TRY(take_any_free_port(state, wanted));
      } else if (choose) {
        Status free = fail(ErrorKind::kExhausted, "no port");
        for (int host = spec.host_first; host <= spec.host_last && !free; ++host)
          free = check_free(state, wanted, static_cast<Port>(host));
        if (!free)
          return fail(ErrorKind::kExhausted,
                      "none of the ports {}-{} of {} is free; the last one: {}", spec.host_first,
                      spec.host_last, wanted.front().host_ip.str(), free.error().message);
      } else {
        TRY(check_free(state, wanted,
                       static_cast<Port>(spec.host_first + (port - spec.container_first))));
      }
      for (const auto& each : wanted) {
        state.take_port(each, endpoint.id);
        mappings.push_back(each);
      }
    }
  }
  return mappings;
}

// Where a mapping leads: the endpoint's address of the family that the port is published in.
Ip address_for(const Endpoint& endpoint, const PortMapping& mapping) {
  const auto& address = mapping.host_ip.is_v4() ? endpoint.address4 : endpoint.address6;
  return address ? address->ip() : Ip();
}

Result<nft::Element> publish_element(const Endpoint& endpoint, const PortMapping& mapping,
                                     const std::string& owner) {
  return firewall::publish_element({.protocol = mapping.protocol,
                                    .host_ip = address_or_any(mapping.host_ip),
                                    .host_port = mapping.host_port,
                                    .to = address_for(endpoint, mapping),
                                    .to_port = mapping.container_port,
                                    .owner = owner});
}

// What publishes the ports, or takes them back. Old flows of a UDP port would keep the old target.
Result<plan::Plan> publish_plan(const Endpoint& endpoint, const std::vector<PortMapping>& mappings,
                                const std::string& owner, bool take_back) {
  plan::Plan plan;
  for (const auto& mapping : mappings) {
    auto element = TRY(publish_element(endpoint, mapping, owner));
    if (take_back)
      plan.push_back(plan::DeleteElement{std::move(element)});
    else
      plan.push_back(plan::AddElement{std::move(element)});
  }
  for (const auto& mapping : mappings)
    if (mapping.protocol == Protocol::kUdp)
      plan.push_back(
          plan::FlushFlows{mapping.protocol, address_or_any(mapping.host_ip), mapping.host_port});
  return plan;
}

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
  const auto network = TRY(state.network(request.network));
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
  const auto realised = TRY(realise(change, network));

  Endpoint endpoint;
  endpoint.id = engine::random_id();
  endpoint.network_id = network.id;
  endpoint.network_name = network.name;
  endpoint.sandbox_id = sandbox.id;
  endpoint.asked = request.options;
  TRY(model::read_endpoint_options(endpoint.asked));
  endpoint.ifname = TRY(ifname_for(target, network, endpoint.asked, endpoints));
  if (network.driver == Driver::kBridge)
    endpoint.host_ifname = endpoint.asked.host_ifname.empty()
                               ? TRY(IfName::parse("veth" + endpoint.id.substr(0, 7)))
                               : endpoint.asked.host_ifname;
  endpoint.sysctls = TRY(model::endpoint_sysctls(endpoint.asked.driver_options, endpoint.ifname));
  endpoint.mtu = realised.mtu;

  endpoint.address4 = TRY(address_on(state, network, Ip::Family::kV4, endpoint.asked.ip4));
  endpoint.address6 = TRY(address_on(state, network, Ip::Family::kV6, endpoint.asked.ip6));
  endpoint.gateway4 = gateway_for(network, endpoint.address4);
  endpoint.gateway6 = gateway_for(network, endpoint.address6);
  endpoint.mac = TRY(mac_for(endpoint));
  endpoint.ports = TRY(resolve_ports(state, network, request.ports, endpoint));

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

Result<plan::Plan> Engine::Impl::endpoint_plan(const Network& network, const Sandbox& sandbox,
                                               const Endpoint& endpoint) const {
  const auto facts = TRY(this->facts(!network.bridge.icc || !endpoint.ports.empty()));
  auto plan = drivers::attach(network, endpoint, {sandbox.netns_path, sandbox.netns_inode}, facts);
  plan::append(plan, TRY(publish_plan(endpoint, endpoint.ports, owner_comment(sandbox, endpoint),
                                      /*take_back=*/false)));
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
    for (auto& op :
         TRY(publish_plan(endpoint, endpoint.ports, owner_comment(sandbox, endpoint), true))) {
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
  const auto network = TRY(state.network(request.network));
  const auto sandbox = TRY(find_sandbox(state, request.target));
  const auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  const auto leaving = std::ranges::find(endpoints, network.id, &Endpoint::network_id);
  if (leaving == endpoints.end())
    return fail(ErrorKind::kNotFound, "{} is not connected to network {}", sandbox.name,
                network.name);
  change.verb = fmt::format("disconnect {} from {}", sandbox.name, network.name);

  return detach(change, {*leaving});
}

Result<Endpoint> Engine::Impl::prepare(Change& change, const Publish& request) {
  auto& state = change.state;
  const auto network = TRY(state.network(request.network));
  const auto sandbox = TRY(find_sandbox(state, request.target));
  for (auto& endpoint : TRY(state.endpoints(sandbox.endpoints))) {
    if (endpoint.network_id != network.id) continue;
    const bool first = endpoint.ports.empty();
    const auto added = TRY(resolve_ports(state, network, request.ports, endpoint));
    endpoint.ports.insert(endpoint.ports.end(), added.begin(), added.end());
    state.put(endpoint);
    change.verb = fmt::format("publish ports of {}", sandbox.name);
    change.plan = TRY(publish_plan(endpoint, added, owner_comment(sandbox, endpoint), false));
    if (first && !added.empty() && TRY(engine::bridge_netfilter_on()))
      change.plan.push_back(plan::HairpinPort{endpoint.host_ifname, true});
    return endpoint;
  }
  return fail(ErrorKind::kNotFound, "{} is not connected to network {}", sandbox.name,
              network.name);
}

Result<Endpoint> Engine::Impl::prepare(Change& change, const Unpublish& request) {
  auto& state = change.state;
  const auto network = TRY(state.network(request.network));
  const auto sandbox = TRY(find_sandbox(state, request.target));
  change.direction = engine::Direction::kRemove;
  for (auto& endpoint : TRY(state.endpoints(sandbox.endpoints))) {
    if (endpoint.network_id != network.id) continue;
    for (const auto& mapping : request.ports) {
      if (std::erase(endpoint.ports, mapping) == 0)
        return fail(ErrorKind::kNotFound, "{} does not publish {} for its port {}", sandbox.name,
                    describe(mapping), mapping.container_port);
      state.free_port(mapping);
    }
    state.put(endpoint);
    change.verb = fmt::format("unpublish ports of {}", sandbox.name);
    change.plan =
        TRY(publish_plan(endpoint, request.ports, owner_comment(sandbox, endpoint), true));
    if (!request.ports.empty() && endpoint.ports.empty() && TRY(engine::bridge_netfilter_on()))
      change.plan.push_back(plan::HairpinPort{endpoint.host_ifname, false});
    return endpoint;
  }
  return fail(ErrorKind::kNotFound, "{} is not connected to network {}", sandbox.name,
              network.name);
}

Error Engine::Impl::name_the_taker(Error error, const std::vector<PortMapping>& ports) {
  if (error.kind != ErrorKind::kExists) return error;
  for (const auto& mapping : ports) {
    Endpoint any;
    any.address4 = Cidr(mapping.host_ip, 32);
    any.address6 = Cidr(mapping.host_ip, 128);
    const auto wanted = publish_element(any, mapping, {});
    if (!wanted) continue;
    const auto set = std::ranges::find(firewall::table().sets, wanted->set, &nft::SetSpec::name);
    const auto nft = kernel.nft();
    if (!nft || set == firewall::table().sets.end()) continue;
    const auto there = (*nft)->list_elements(std::string(firewall::kTable), *set);
    if (!there) continue;
    const auto taker = std::ranges::find(*there, wanted->key, &nft::Element::key);
    if (taker == there->end()) continue;
    const auto owner = taker->comment.substr(0, taker->comment.find(' '));
    return {
        ErrorKind::kInUse,
        fmt::format("port {} is taken in berth's table by {}, which is not of this instance: give "
                    "another host port",
                    describe(mapping), owner.empty() ? "somebody" : owner),
        0};
  }
  return error;
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
