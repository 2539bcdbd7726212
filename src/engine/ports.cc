#include "engine/ports.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/result.h"
#include "engine/host_facts.h"
#include "engine/impl.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "kernel/port/bind_probe.h"

namespace berth::engine {

using Others = std::vector<nft::Element>;

namespace {

std::string describe(const PortMapping& mapping) {
  const auto host =
      mapping.host_ip.is_v4() ? mapping.host_ip.str() : fmt::format("[{}]", mapping.host_ip.str());
  return fmt::format("{}:{}/{}", host, mapping.host_port, name(mapping.protocol));
}

// Whether berth has given the port away; the error names who has it.
Status check_not_published(State& state, const PortMapping& wanted) {
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
  const auto& address = wanted.host_ip;
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

Status check_free(State& state, const Others& others, const PortMapping& wanted) {
  TRY(check_not_published(state, wanted));
  TRY(check_not_others(others, wanted));
  return check_not_bound(wanted);
}

// The mappings of one container port: one for each host address that it is to be published on.
using Bindings = std::vector<PortMapping>;

Status check_free(State& state, const Others& others, Bindings& wanted, Port host_port) {
  for (auto& each : wanted) {
    each.host_port = host_port;
    TRY(check_free(state, others, each));
  }
  return {};
}

// A port of the host's ephemeral range that nobody has on any of the addresses: the kernel knows who
// is bound, the store and the table what is published.
Status take_any_free_port(State& state, const Others& others, Bindings& wanted) {
  constexpr int kTries = 256;  // each draws at random from some 28,000 ports
  const auto protocol = wanted.front().protocol;
  std::vector<Ip> addresses;
  for (const auto& each : wanted) addresses.push_back(each.host_ip);
  const auto is_free = [&](PortMapping& each) {
    const auto owner = state.port_owner(each);
    return owner && !*owner && check_not_others(others, each);
  };
  for (int i = 0; i < kTries; ++i) {
    auto drawn = kernel::any_free_port_on(protocol, addresses);
    if (!drawn && drawn.error().kind == ErrorKind::kUnsupported)  // no SCTP: any number will do
      drawn = kernel::any_free_port_on(Protocol::kTcp, addresses);
    const auto port = TRY(std::move(drawn));
    for (auto& each : wanted) each.host_port = port;
    if (std::ranges::all_of(wanted, is_free)) return {};
  }
  return fail(ErrorKind::kExhausted, "no free {} port found on {} in {} tries", name(protocol),
              wanted.front().host_ip.str(), kTries);
}

bool is_routed(const Network& network, const Ip& host_ip) {
  return (host_ip.is_v4() ? network.bridge.mode4 : network.bridge.mode6) == GatewayMode::kRouted;
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

}  // namespace

// The ports of other instances are in berth's table alone. They clash as ours do: on one address, or
// one of them on all.
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

// Turns what was asked for into ports that are free, and takes them for `endpoint`.
Result<std::vector<PortMapping>> resolve_ports(State& state, const Others& others,
                                               const Network& network,
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
    const auto routed_begin = std::ranges::stable_partition(
        wanted, [&](const PortMapping& each) { return !is_routed(network, each.host_ip); });
    Bindings routed(routed_begin.begin(), routed_begin.end());
    wanted.erase(routed_begin.begin(), routed_begin.end());
    const bool choose =
        spec.host_first != spec.host_last && spec.container_first == spec.container_last;
    for (int port = spec.container_first; port <= spec.container_last; ++port) {
      for (auto& each : wanted) each.container_port = static_cast<Port>(port);
      for (auto& each : routed) each.container_port = static_cast<Port>(port);
      mappings.insert(mappings.end(), routed.begin(), routed.end());
      if (wanted.empty()) continue;
      if (spec.host_first == 0) {
        TRY(take_any_free_port(state, others, wanted));
      } else if (choose) {
        Status free = fail(ErrorKind::kExhausted, "no port");
        for (int host = spec.host_first; host <= spec.host_last && !free; ++host)
          free = check_free(state, others, wanted, static_cast<Port>(host));
        if (!free)
          return fail(ErrorKind::kExhausted,
                      "none of the ports {}-{} of {} is free; the last one: {}", spec.host_first,
                      spec.host_last, wanted.front().host_ip.str(), free.error().message);
      } else {
        TRY(check_free(state, others, wanted,
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

namespace {

// What publishes the ports: each element once, since two ports of the host may lead to one port of
// the container.
Result<std::set<nft::Element>> elements_of(const Network& network, const Endpoint& endpoint,
                                           const std::vector<PortMapping>& mappings,
                                           const std::string& owner) {
  std::set<nft::Element> elements;
  for (const auto& mapping : mappings) {
    const auto& address = mapping.host_ip.is_v4() ? endpoint.address4 : endpoint.address6;
    const auto to = address ? address->ip() : Ip();
    const firewall::OpenIntent open{mapping.protocol, to, mapping.container_port, owner};
    if (mapping.host_port == 0) {
      elements.insert(TRY(firewall::open_element(open)));
      continue;
    }
    elements.insert(TRY(firewall::publish_element({.protocol = mapping.protocol,
                                                   .host_ip = mapping.host_ip,
                                                   .host_port = mapping.host_port,
                                                   .to = to,
                                                   .to_port = mapping.container_port,
                                                   .owner = owner})));
    for (const auto& from : network.bridge.trusted)
      elements.insert(TRY(firewall::trusted_element(from, open)));
  }
  return elements;
}

}  // namespace

Result<plan::Plan> port_changes(const Network& network, const Endpoint& endpoint,
                                const std::vector<PortMapping>& before,
                                const std::vector<PortMapping>& after, const std::string& owner) {
  plan::Plan plan;
  const auto old = TRY(elements_of(network, endpoint, before, owner));
  const auto wanted = TRY(elements_of(network, endpoint, after, owner));
  for (const auto& element : old)
    if (!wanted.contains(element)) plan.push_back(plan::DeleteElement{element});
  for (const auto& element : wanted)
    if (!old.contains(element)) plan.push_back(plan::AddElement{element});
  const auto flush = [&](const PortMapping& mapping, const std::vector<PortMapping>& others) {
    if (mapping.protocol != Protocol::kUdp || mapping.host_port == 0) return;
    if (std::ranges::find(others, mapping) != others.end()) return;
    const auto& ip = mapping.host_ip;
    plan.push_back(plan::FlushFlows{
        mapping.protocol, ip.is_unspecified() ? std::nullopt : std::optional(ip), mapping.host_port});
  };
  for (const auto& mapping : before) flush(mapping, after);
  for (const auto& mapping : after) flush(mapping, before);
  return plan;
}

}  // namespace berth::engine

namespace berth {

using engine::Change;

Result<Endpoint> Engine::Impl::prepare(Change& change, const Publish& request) {
  const auto add = [&](const Network& network, Endpoint& endpoint) -> Status {
    const auto added = TRY(engine::resolve_ports(change.state, TRY(others_ports()), network,
                                                 request.ports, endpoint));
    endpoint.ports.insert(endpoint.ports.end(), added.begin(), added.end());
    return {};
  };
  return change_ports(change, request.network, request.target, add);
}

Result<Endpoint> Engine::Impl::prepare(Change& change, const Unpublish& request) {
  change.direction = engine::Direction::kRemove;
  const auto remove = [&](const Network&, Endpoint& endpoint) -> Status {
    for (const auto& mapping : request.ports) {
      if (std::erase(endpoint.ports, mapping) == 0)
        return fail(ErrorKind::kNotFound, "{} does not publish {} for its port {}", request.target,
                    engine::describe(mapping), mapping.container_port);
      change.state.free_port(mapping);
    }
    return {};
  };
  return change_ports(change, request.network, request.target, remove);
}

Result<Endpoint> Engine::Impl::change_ports(
    Change& change, const std::string& network_name, const Target& target,
    const std::function<Status(const Network& network, Endpoint& endpoint)>& edit) {
  auto& state = change.state;
  const auto network = TRY(state.network(network_name));
  const auto sandbox = TRY(find_sandbox(state, target));
  for (auto& endpoint : TRY(state.endpoints(sandbox.endpoints))) {
    if (endpoint.network_id != network.id) continue;
    const auto before = endpoint.ports;
    TRY(edit(network, endpoint));
    state.put(endpoint);
    change.verb = fmt::format("change the ports of {}", sandbox.name);
    change.plan = TRY(engine::port_changes(network, endpoint, before, endpoint.ports,
                                           owner_comment(sandbox, endpoint)));
    if (before.empty() != endpoint.ports.empty() && TRY(engine::bridge_netfilter_on()))
      change.plan.push_back(plan::HairpinPort{endpoint.host_ifname, before.empty()});
    return endpoint;
  }
  return fail(ErrorKind::kNotFound, "{} is not connected to network {}", sandbox.name,
              network.name);
}

Error Engine::Impl::name_the_taker(Error error, const std::vector<PortMapping>& ports) {
  if (error.kind != ErrorKind::kExists) return error;
  for (const auto& set : firewall::table().sets) {
    if (!set.name.starts_with("publish")) continue;
    const auto others = others_elements(set.name);
    for (const auto& mapping : ports)
      if (const auto free = others ? engine::check_not_others(*others, mapping) : Status{}; !free)
        return free.error();
  }
  return error;
}

}  // namespace berth
