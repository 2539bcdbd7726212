// Attaching sandboxes to networks, publishing their ports, and taking both back.

#include <algorithm>
#include <cerrno>

#include "base/result.h"
#include "drivers/bridge/bridge.h"
#include "engine/host_facts.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "kernel/netlink/link.h"
#include "kernel/port/bind_probe.h"

namespace berth {
namespace {

using engine::Change;

std::string describe(const PortMapping& mapping) {
  return fmt::format("{}:{}/{}", mapping.host_ip.str(), mapping.host_port, name(mapping.protocol));
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

// The ports of other instances are in berth's table alone. They clash as ours do: on one address, or
// one of them on all.
using Others = std::vector<nft::Element>;
Status check_not_others(const Others& others, const PortMapping& wanted) {
  for (const auto& element : others) {
    const auto holds = [&](const nft::Field& field) { return std::ranges::count(element.key, field); };
    if (!holds(wanted.protocol) || !holds(wanted.host_port)) continue;
    const auto* address = std::get_if<Ip>(&element.key.front());
    const auto* to = element.data.empty() ? nullptr : std::get_if<Ip>(&element.data.front());
    if (to && to->family() != wanted.host_ip.family()) continue;
    if (address && !wanted.host_ip.is_unspecified() && *address != wanted.host_ip) continue;
    const auto owner = element.comment.substr(0, element.comment.find(' '));
    return fail(ErrorKind::kInUse,
                "port {} is taken in berth's table by {}, which is not of this instance: give another "
                "host port",
                describe(wanted), owner.empty() ? "somebody" : owner);
  }
  return {};
}

// Whether a program of the host listens there; the error names it where /proc tells.
Status check_not_bound(const PortMapping& wanted) {
  const auto address = address_or_any(wanted.host_ip);
  const auto free = kernel::port_free(wanted.protocol, address, wanted.host_port);
  if (!free && free.error().kind == ErrorKind::kUnsupported) return {};  // no SCTP: nobody is bound
  if (!free && free.error().sys == EADDRNOTAVAIL)
    return fail(ErrorKind::kNotFound, "port {}: {} is not an address of this host", describe(wanted),
                wanted.host_ip.str());
  if (TRY(free)) return {};
  const auto owner = kernel::listener_owner(wanted.protocol, address, wanted.host_port);
  return fail(ErrorKind::kInUse, "port {} is taken by {} on the host: give another host port",
              describe(wanted), owner.value_or("a program"));
}

Status check_free(engine::State& state, const Others& others, const PortMapping& wanted) {
  TRY(check_not_published(state, wanted));
  TRY(check_not_others(others, wanted));
  return check_not_bound(wanted);
}

// A port of the host's ephemeral range that nobody has: the kernel knows who is bound, the store
// what is published.
Result<Port> any_free_port(engine::State& state, const Others& others, PortMapping wanted) {
  constexpr int kTries = 256;  // each draws at random from some 28,000 ports
  for (int i = 0; i < kTries; ++i) {
    const auto address = address_or_any(wanted.host_ip);
    auto drawn = kernel::any_free_port(wanted.protocol, address);
    if (!drawn && drawn.error().kind == ErrorKind::kUnsupported)  // no SCTP: any number will do
      drawn = kernel::any_free_port(Protocol::kTcp, address);
    wanted.host_port = TRY(std::move(drawn));
    if (!TRY(state.port_owner(wanted)) && check_not_others(others, wanted))
      return wanted.host_port;
  }
  return fail(ErrorKind::kExhausted, "no free {} port found on {} in {} tries",
              name(wanted.protocol), wanted.host_ip.str(), kTries);
}

// Turns what was asked for into ports that are free, and takes them for `endpoint_id`.
Result<std::vector<PortMapping>> resolve_ports(engine::State& state, const Others& others,
                                               const Network& network,
                                               const std::vector<PortSpec>& specs,
                                               std::string_view endpoint_id) {
  if (!specs.empty() && network.internal)
    return fail(ErrorKind::kInvalid,
                "network {} is internal: its containers' ports cannot be published", network.name);
  std::vector<PortMapping> mappings;
  for (const auto& spec : specs) {
    PortMapping wanted{spec.protocol, spec.host_ip.value_or(network.bridge.host_binding), 0, 0};
    if (!wanted.host_ip.is_v4())
      return fail(ErrorKind::kUnsupported,
                  "port on {}: network {} has no IPv6, give an IPv4 address", wanted.host_ip.str(),
                  network.name);
    const bool choose =
        spec.host_first != spec.host_last && spec.container_first == spec.container_last;
    for (int port = spec.container_first; port <= spec.container_last; ++port) {
      wanted.container_port = static_cast<Port>(port);
      if (spec.host_first == 0) {
        wanted.host_port = TRY(any_free_port(state, others, wanted));
      } else if (choose) {
        Status free = fail(ErrorKind::kExhausted, "no port");
        for (int host = spec.host_first; host <= spec.host_last && !free; ++host) {
          wanted.host_port = static_cast<Port>(host);
          free = check_free(state, others, wanted);
        }
        if (!free)
          return fail(ErrorKind::kExhausted,
                      "none of the ports {}-{} of {} is free; the last one: {}", spec.host_first,
                      spec.host_last, wanted.host_ip.str(), free.error().message);
      } else {
        wanted.host_port = static_cast<Port>(spec.host_first + (port - spec.container_first));
        TRY(check_free(state, others, wanted));
      }
      state.take_port(wanted, endpoint_id);
      mappings.push_back(wanted);
    }
  }
  return mappings;
}

Result<nft::Element> publish_element(const Endpoint& endpoint, const PortMapping& mapping,
                                     const std::string& owner) {
  return firewall::publish_element({.protocol = mapping.protocol,
                                    .host_ip = address_or_any(mapping.host_ip),
                                    .host_port = mapping.host_port,
                                    .to = endpoint.ip,
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

// eth0, eth1, ...: the first name that nothing in the sandbox has.
Result<IfName> free_ifname(const engine::TargetSandbox& target,
                           const std::vector<Endpoint>& endpoints) {
  for (int i = 0;; ++i) {
    auto name = TRY(IfName::parse(fmt::format("eth{}", i)));
    const bool used = std::ranges::find(endpoints, name, &Endpoint::ifname) != endpoints.end() ||
                      std::ranges::find(target.links, name.str()) != target.links.end();
    if (!used) return name;
  }
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
  if (network.driver != Driver::kBridge)
    return fail(ErrorKind::kInvalid, "network {} takes no endpoints: it is predefined for `run`",
                network.name);
  if (!sandbox.host_network.empty())
    return fail(ErrorKind::kInvalid, "{} runs with --network {}: it cannot be connected to {}",
                sandbox.name, sandbox.host_network, network.name);
  const auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  if (std::ranges::find(endpoints, network.id, &Endpoint::network_id) != endpoints.end())
    return fail(ErrorKind::kExists, "{} is connected to network {} already", sandbox.name,
                network.name);
  if (network.subnets.empty()) TRY(choose_subnet(change, network));
  const auto realised = TRY(realise(change, network));

  Endpoint endpoint;
  // The device is named after the id's first 28 bits, which another device may have by chance.
  for (bool taken = true; taken;) {
    endpoint.id = faults.draw_id ? faults.draw_id() : engine::random_id();
    endpoint.host_ifname = TRY(IfName::parse("veth" + endpoint.id.substr(0, 7)));
    taken = TRY(kernel::link_index(*TRY(kernel.route()), endpoint.host_ifname)).has_value();
  }
  endpoint.network_id = network.id;
  endpoint.network_name = network.name;
  endpoint.sandbox_id = sandbox.id;
  endpoint.ifname = TRY(free_ifname(target, endpoints));
  endpoint.requested_ip = request.ip;
  endpoint.mtu = realised.mtu;
  endpoint.aliases = request.aliases;

  const auto& subnet = network.subnets.front();
  if (request.ip) {
    TRY(state.reserve(network, subnet, *request.ip));
    endpoint.ip = *request.ip;
  } else {
    endpoint.ip = TRY(state.allocate(network, subnet));
  }
  endpoint.prefix = subnet.cidr.prefix();
  endpoint.mac = request.mac.value_or(Mac::from_ip(endpoint.ip));
  if (!network.internal) {
    endpoint.gateway = subnet.gateway;
    endpoint.default_route =
        !target.has_default_route && std::ranges::none_of(endpoints, &Endpoint::default_route);
  }
  const auto others = request.ports.empty() ? Others{} : TRY(others_ports());
  endpoint.ports = TRY(resolve_ports(state, others, network, request.ports, endpoint.id));

  sandbox.endpoints.push_back(endpoint.id);
  state.put(endpoint);
  state.put(sandbox);
  change.verb = fmt::format("connect {} to {}", sandbox.name, network.name);
  if (target.loopback_down)
    change.plan.push_back(plan::SetLinkUp{target.ns, TRY(IfName::parse("lo"))});
  plan::append(change.plan, TRY(endpoint_plan(network, sandbox, endpoint)));
  return endpoint;
}

Result<plan::Plan> Engine::Impl::endpoint_plan(const Network& network, const Sandbox& sandbox,
                                               const Endpoint& endpoint) const {
  const bool bridged_frames_are_filtered =
      (!network.bridge.icc || !endpoint.ports.empty()) && TRY(engine::bridge_netfilter_on());
  auto plan = drivers::bridge::attach(network, endpoint, {sandbox.netns_path, sandbox.netns_inode},
                                      bridged_frames_are_filtered);
  plan::append(plan, TRY(publish_plan(endpoint, endpoint.ports, owner_comment(sandbox, endpoint),
                                      /*take_back=*/false)));
  return plan;
}

Status Engine::Impl::hand_on_default_route(Change& change, const Sandbox& sandbox,
                                           const Endpoint& leaving,
                                           const std::vector<Endpoint>& all_leaving) {
  if (!leaving.default_route) return {};
  for (const auto& id : sandbox.endpoints) {
    if (std::ranges::find(all_leaving, id, &Endpoint::id) != all_leaving.end()) continue;
    auto heir = TRY(change.state.endpoint(id));
    if (!heir.gateway || !alive(sandbox)) continue;
    const plan::NsRef ns{sandbox.netns_path, sandbox.netns_inode};
    if (!TRY(engine::has_default_route(ns.path, leaving.gateway))) return {};
    const auto old = drivers::bridge::default_route(leaving, ns);
    change.plan.push_back(plan::DeleteRoute{old.ns, old.destination, old.gateway, old.link});
    change.plan.push_back(drivers::bridge::default_route(heir, ns));
    heir.default_route = true;
    change.state.put(heir);
    return {};
  }
  return {};
}

Status Engine::Impl::detach(Change& change, const std::vector<Endpoint>& endpoints) {
  change.leaving.insert(change.leaving.end(), endpoints.begin(), endpoints.end());
  for (const auto& endpoint : endpoints) {
    const auto sandbox = TRY(change.state.sandbox(endpoint.sandbox_id));
    TRY(hand_on_default_route(change, sandbox, endpoint, endpoints));
  }
  plan::Plan flushes;
  for (const auto& endpoint : endpoints) {
    auto sandbox = TRY(change.state.sandbox(endpoint.sandbox_id));
    for (auto& op :
         TRY(publish_plan(endpoint, endpoint.ports, owner_comment(sandbox, endpoint), true))) {
      auto& to = std::holds_alternative<plan::FlushFlows>(op) ? flushes : change.plan;
      to.push_back(std::move(op));
    }
    plan::append(change.last, drivers::bridge::detach(endpoint));
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
    const auto added =
        TRY(resolve_ports(state, TRY(others_ports()), network, request.ports, endpoint.id));
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
  for (const auto set : {firewall::kPublish4, firewall::kPublish4Addr}) {
    const auto others = others_elements(set);
    for (const auto& mapping : ports)
      if (const auto free = others ? check_not_others(*others, mapping) : Status{}; !free)
        return free.error();
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
