#include "engine/ports/publish.h"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <set>
#include <tuple>

#include "base/result.h"
#include "drivers/driver.h"
#include "engine/change/change.h"
#include "engine/endpoints/endpoints.h"
#include "engine/host/host_facts.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/ports/ports.h"
#include "engine/ports/roaming.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "engine/targets/targets.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "kernel/port/bind_probe.h"
#include "translator/names.h"

namespace berth::engine {
namespace {

std::string describe(const PortMapping& mapping) {
  const auto host =
      mapping.host_ip.is_v4() ? mapping.host_ip.str() : fmt::format("[{}]", mapping.host_ip.str());
  return fmt::format("{}:{}/{}", host, mapping.host_port, name(mapping.protocol));
}

// The mappings of one container port: one for each host address that it is to be published on, all
// with one host port.
using Bindings = std::vector<PortMapping>;

// What to do about a port that is taken.
constexpr std::string_view kGiveAnother = "give another host port";

constexpr std::string_view kStartedWithIt =
    "the sandbox was started with it, so take it from there first";

// Whether berth has given the port away; the error names who has it.
Status check_not_published(State& state, const Bindings& wanted, std::string_view advice) {
  const auto owner = TRY(state.port_owner(wanted));
  if (!owner) return {};
  std::string holder = "this request already";
  if (const auto endpoint = state.endpoint(owner->endpoint_id)) {
    const auto sandbox = state.sandbox(endpoint->sandbox_id);
    holder = sandbox ? sandbox->name : endpoint->sandbox_id;
  }
  return fail(ErrorKind::kInUse, "port {} is taken by {} (as {}): {}", describe(owner->wanted),
              holder, describe(owner->mapping), advice);
}

// Whether a network of the instance gives the host this address: with its bridge, which may be yet
// to be made, as before the network's first use and after a reboot.
Result<bool> is_a_networks(State& state, const Ip& address) {
  const auto has = [&](const Network& network) {
    const auto own = drivers::host_addresses(network);
    return std::ranges::find(own, address, &Cidr::ip) != own.end();
  };
  return std::ranges::any_of(TRY(state.networks()), has);
}

// What `ask` finds out of the kernel about `addresses`, those included that the host is yet to get.
template <typename Ask>
auto ask_kernel(State& state, std::span<const Ip> addresses, Ask ask)
    -> decltype(ask(kernel::Absent::kRefused)) {
  auto answer = ask(kernel::Absent::kRefused);
  if (answer || answer.error().sys != EADDRNOTAVAIL) return answer;
  for (const auto& address : addresses)
    if (!TRY(is_a_networks(state, address))) return answer;
  return ask(kernel::Absent::kAllowed);
}

// Whether a program of the host listens there; the error names it where /proc tells.
Status check_not_bound(State& state, const PortMapping& wanted, std::string_view advice) {
  const auto& address = wanted.host_ip;
  const auto free = ask_kernel(state, {&address, 1}, [&](kernel::Absent absent) {
    return kernel::port_free(wanted.protocol, address, wanted.host_port, absent);
  });
  if (!free && free.error().kind == ErrorKind::kUnsupported) return {};  // no SCTP: nobody is bound
  if (!free && free.error().sys == EADDRNOTAVAIL)
    return fail(ErrorKind::kNotFound, "port {}: {} is not an address of this host",
                describe(wanted), wanted.host_ip.str());
  if (TRY(free)) return {};
  const auto owner = kernel::listener_owner(wanted.protocol, address, wanted.host_port);
  return fail(ErrorKind::kInUse, "port {} is taken by {} on the host: {}", describe(wanted),
              owner.value_or("a program"), advice);
}

// Of all: where every address of both families is wanted, one socket tells, unless somebody is
// there.
Status check_not_bound(State& state, const Bindings& wanted, std::string_view advice) {
  const auto wants = [&](Ip::Family family) {
    return std::ranges::find(wanted, Ip::from_number(family, 0), &PortMapping::host_ip) !=
           wanted.end();
  };
  if (wants(Ip::Family::kV4) && wants(Ip::Family::kV6)) {
    const auto& first = wanted.front();
    const auto free = kernel::port_free(first.protocol, std::nullopt, first.host_port);
    if (free && *free) return {};
  }
  for (const auto& each : wanted) TRY(check_not_bound(state, each, advice));
  return {};
}

Status check_binding(State& state, const Bindings& wanted, std::string_view advice) {
  TRY(check_not_published(state, wanted, advice));
  return check_not_bound(state, wanted, advice);
}

Status check_binding(State& state, Bindings& wanted, Port host_port) {
  for (auto& each : wanted) each.host_port = host_port;
  return check_binding(state, wanted, kGiveAnother);
}

// Whether the number is one that the sandbox's own ports wait for, to lead elsewhere in it.
bool is_waited_for(const std::vector<PortMapping>& waiting, const Bindings& wanted) {
  const auto& first = wanted.front();
  return std::ranges::any_of(waiting, [&](const PortMapping& each) {
    return each.protocol == first.protocol && each.host_port == first.host_port &&
           each.container_port != first.container_port;
  });
}

// A port of the host's ephemeral range that nobody has on any of the addresses: the kernel knows
// who is bound, the store what is published.
Status take_any_free_port(State& state, const std::vector<PortMapping>& waiting, Bindings& wanted) {
  std::vector<Ip> addresses;
  for (const auto& each : wanted) addresses.push_back(each.host_ip);
  const auto is_unpublished = [&](Port port) {
    for (auto& each : wanted) each.host_port = port;
    const auto owner = state.port_owner(wanted);
    return owner && !*owner && !is_waited_for(waiting, wanted);
  };
  const auto draw = [&](Protocol protocol) {
    return ask_kernel(state, addresses, [&](kernel::Absent absent) {
      return kernel::any_free_port_on(protocol, addresses, is_unpublished, absent);
    });
  };
  const auto protocol = wanted.front().protocol;
  auto drawn = draw(protocol);
  if (!drawn && drawn.error().kind == ErrorKind::kUnsupported)  // no SCTP: any number will do
    drawn = draw(Protocol::kTcp);
  if (!drawn && drawn.error().sys == EADDRNOTAVAIL)
    return fail(ErrorKind::kNotFound, "port of {}: that is not an address of this host",
                wanted.front().host_ip.str());
  const auto port = TRY(std::move(drawn));
  for (auto& each : wanted) each.host_port = port;
  return {};
}

// The first port of the spec's range that is free.
Status take_of_range(State& state, const std::vector<PortMapping>& waiting, const PortSpec& spec,
                     Bindings& wanted) {
  std::string last = "it waits for another network";
  for (int host = spec.host_first; host <= spec.host_last; ++host) {
    for (auto& each : wanted) each.host_port = static_cast<Port>(host);
    if (is_waited_for(waiting, wanted)) continue;
    auto free = check_binding(state, wanted, static_cast<Port>(host));
    if (free) return free;
    last = std::move(free).error().message;
  }
  return fail(ErrorKind::kExhausted, "none of the ports {}-{} of {} is free; the last one: {}",
              spec.host_first, spec.host_last, wanted.front().host_ip.str(), last);
}

// What a spec leaves open of the host's port.
enum class Choice { kNone, kRange, kAny };

Choice choice_of(const PortSpec& spec) {
  if (spec.host_first == 0) return Choice::kAny;
  const bool one_to_one =
      spec.host_first == spec.host_last || spec.container_first != spec.container_last;
  return one_to_one ? Choice::kNone : Choice::kRange;
}

const Ip kAny6 = Ip::from_number(Ip::Family::kV6, 0);

const Ip kLoopback6 = Ip::from_number(Ip::Family::kV6, 1);

bool is_routed(const Network& network, const Ip& host_ip) {
  return (host_ip.is_v4() ? network.bridge.mode4 : network.bridge.mode6) == GatewayMode::kRouted;
}

// Where a port of the endpoint is published: the address asked for, else the network's, else every
// address of each family that the endpoint has.
Result<Bindings> bindings_of(const Network& network, const Endpoint& endpoint, const PortSpec& spec,
                             bool translate) {
  Bindings bindings;
  const auto bind = [&](const Ip& host_ip) { bindings.push_back({spec.protocol, host_ip, 0, 0}); };
  auto asked = spec.host_ip;
  if (!asked) asked = network.bridge.host_binding;
  if (asked) {
    if (*asked == kLoopback6 && !endpoint.address4 && endpoint.address6)
      return fail(
          ErrorKind::kUnsupported,
          "port on [::1]: the endpoint on network {} has IPv6 alone, and the kernel takes no "
          "answers for ::1 from a bridge where br_netfilter is on: publish on another address "
          "of the host, or use a network with IPv4 too, which leads there as well",
          network.name);
    const bool reached = is_translated(endpoint, *asked) ? translate
                         : asked->is_v4()                ? endpoint.address4.has_value()
                                                         : endpoint.address6.has_value();
    if (!reached)
      return fail(ErrorKind::kUnsupported,
                  "port on {}: the endpoint on network {} has no {} address{}, give an {} one",
                  asked->str(), network.name, asked->is_v4() ? "IPv4" : "IPv6",
                  is_translated(endpoint, *asked) ? " that it could lead to" : "",
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

// Every address of the host means those of both families, where no family was named; and all of
// IPv6 means [::1] too. What of that the endpoint's own addresses cannot do, the translator does.
Bindings translated_beside(const Network& network, const Endpoint& endpoint, const PortSpec& spec,
                           const Bindings& bindings) {
  Bindings more;
  if (!endpoint.address4) return more;
  const bool any_family = !spec.host_ip && !network.bridge.host_binding;
  for (const auto& each : bindings) {
    const bool all4 = each.host_ip == Ip() && any_family && !endpoint.address6;
    if (all4) more.push_back({each.protocol, kAny6, 0, 0});
    if (all4 || each.host_ip == kAny6) more.push_back({each.protocol, kLoopback6, 0, 0});
  }
  return more;
}

// What parse_port_spec() makes fulfils it; a caller of the library may give anything.
Status check_spec(const PortSpec& spec) {
  const int host = spec.host_last - spec.host_first;
  const int container = spec.container_last - spec.container_first;
  if (spec.container_first != 0 && container >= 0 && host >= 0 &&
      (spec.host_first == 0 ? spec.host_last == 0 : container == 0 || host == container))
    return {};
  return fail(
      ErrorKind::kInvalid,
      "ports {}-{} of the host for {}-{} of the container: give ranges of 1 to 65535 and of "
      "one size, or one port of the container, or no port of the host",
      spec.host_first, spec.host_last, spec.container_first, spec.container_last);
}

// The ports of one spec, taken for `endpoint`.
Result<Published> resolve_spec(State& state, const Network& network, const PortSpec& spec,
                               const Endpoint& endpoint, bool translate,
                               const std::vector<PortMapping>& waiting) {
  TRY(check_spec(spec));
  auto wanted = TRY(bindings_of(network, endpoint, spec, translate));
  const auto routed_begin = std::ranges::stable_partition(
      wanted, [&](const PortMapping& each) { return !is_routed(network, each.host_ip); });
  Bindings routed(routed_begin.begin(), routed_begin.end());
  wanted.erase(routed_begin.begin(), routed_begin.end());
  const auto listed = wanted.size();
  if (translate) {
    const auto more = translated_beside(network, endpoint, spec, wanted);
    wanted.insert(wanted.end(), more.begin(), more.end());
  }
  Published published;
  auto& mappings = published.ports;
  for (int port = spec.container_first; port <= spec.container_last; ++port) {
    for (auto& each : wanted) each.container_port = static_cast<Port>(port);
    for (auto& each : routed) each.container_port = static_cast<Port>(port);
    mappings.insert(mappings.end(), routed.begin(), routed.end());
    if (wanted.empty()) continue;
    switch (choice_of(spec)) {
      case Choice::kAny:
        TRY(take_any_free_port(state, waiting, wanted));
        break;
      case Choice::kRange:
        TRY(take_of_range(state, waiting, spec, wanted));
        break;
      case Choice::kNone:
        TRY(check_binding(state, wanted,
                          static_cast<Port>(spec.host_first + (port - spec.container_first))));
        break;
    }
    TRY(state.take_port(wanted, endpoint.id));
    for (std::size_t i = 0; i < wanted.size(); ++i)
      (i < listed ? mappings : published.translated).push_back(wanted[i]);
  }
  return published;
}

// What publishes the ports: each element once, since two ports of the host may lead to one port of
// the container.
Result<std::set<nft::Element>> elements_of(const Network& network, const Endpoint& endpoint,
                                           const std::vector<PortMapping>& mappings,
                                           const std::string& owner) {
  std::set<nft::Element> elements;
  for (const auto& mapping : mappings) {
    const auto& address = mapping.host_ip.is_v4() ? endpoint.address4 : endpoint.address6;
    const auto to = is_translated(endpoint, mapping.host_ip)
                        ? translator::translated(endpoint.address4->ip())
                    : address ? address->ip()
                              : Ip();
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

Result<Endpoint> change_ports(
    Instance& instance, Draft& draft, const std::string& network_name, const Target& target,
    const std::function<Status(const Network& network, Endpoint& endpoint)>& edit) {
  auto& state = draft.state;
  const auto named = network_name.empty() ? Network{} : TRY(state.network(network_name));
  const auto sandbox = TRY(find_sandbox(instance, state, target));
  const auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  auto endpoint = TRY(which_endpoint(sandbox, endpoints, named, std::nullopt));
  const auto network = TRY(state.network_by_id(endpoint.network_id));
  const auto before = all_ports(endpoint);
  TRY(edit(network, endpoint));
  state.put(endpoint);
  note_shared_links(instance, draft, sandbox.id);
  draft.verb = fmt::format("change the ports of {}", sandbox.name);
  plan::append(draft.plan, TRY(port_changes(network, endpoint, before, all_ports(endpoint),
                                            owner_comment(instance, sandbox, endpoint))));
  if (before.empty() != endpoint.ports.empty() && TRY(bridge_netfilter_on()))
    draft.plan.push_back(plan::HairpinPort{endpoint.host_ifname, before.empty()});
  return endpoint;
}

}  // namespace

bool is_translated(const Endpoint& endpoint, const Ip& host_ip) {
  if (host_ip.is_v4() || !endpoint.address4) return false;
  return !endpoint.address6 || host_ip == kLoopback6;
}

std::vector<std::size_t> order_of_choice(const std::vector<PortSpec>& specs) {
  std::vector<std::size_t> order(specs.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {
    const auto choice = choice_of(specs[i]);
    return std::pair(choice, choice == Choice::kRange ? specs[i].host_last : Port{});
  });
  return order;
}

Result<Published> resolve_ports(State& state, const Network& network,
                                const std::vector<PortSpec>& specs, const Endpoint& endpoint,
                                bool translate, const std::vector<PortMapping>& waiting) {
  if (!specs.empty() && network.internal)
    return fail(ErrorKind::kInvalid,
                "network {} is internal: its containers' ports cannot be published", network.name);
  if (!specs.empty() && (network.driver != Driver::kBridge || !network.bridge.managed))
    return fail(ErrorKind::kInvalid,
                "network {} is {}: its containers are reached at their own addresses, and ports "
                "cannot be published",
                network.name,
                network.driver == Driver::kBridge ? "unmanaged" : name(network.driver));
  std::vector<Published> of_spec(specs.size());
  for (const auto i : order_of_choice(specs))
    of_spec[i] = TRY(resolve_spec(state, network, specs[i], endpoint, translate, waiting));
  Published all;
  for (const auto& [ports, translated] : of_spec) {
    all.ports.insert(all.ports.end(), ports.begin(), ports.end());
    all.translated.insert(all.translated.end(), translated.begin(), translated.end());
  }
  return all;
}

Status check_free(State& state, const PortMapping& wanted) {
  return check_binding(state, {wanted}, kStartedWithIt);
}

Result<plan::Plan> port_changes(const Network& network, const Endpoint& endpoint,
                                const std::vector<PortMapping>& before,
                                const std::vector<PortMapping>& after, const std::string& owner) {
  plan::Plan plan;
  const auto old = TRY(elements_of(network, endpoint, before, owner));
  auto wanted = TRY(elements_of(network, endpoint, after, owner));
  for (const auto& element : old)
    if (wanted.erase(element) == 0) plan.push_back(plan::DeleteElement{element});
  while (!wanted.empty())
    plan.push_back(plan::AddElement{std::move(wanted.extract(wanted.begin()).value())});
  const auto flush = [&](const PortMapping& mapping, const std::vector<PortMapping>& others) {
    if (mapping.protocol != Protocol::kUdp || mapping.host_port == 0) return;
    if (std::ranges::find(others, mapping) != others.end()) return;
    plan.push_back(plan::FlushFlows{mapping.protocol, mapping.host_ip, mapping.host_port});
  };
  for (const auto& mapping : before) flush(mapping, after);
  for (const auto& mapping : after) flush(mapping, before);
  return plan;
}

Result<Endpoint> prepare(Instance& instance, Draft& draft, const Publish& request) {
  const auto add = [&](const Network& network, Endpoint& endpoint) -> Status {
    const bool translate = TRY(use_translator(instance, draft, network, endpoint, request.ports));
    auto sandbox = TRY(draft.state.sandbox(endpoint.sandbox_id));
    const auto added =
        TRY(resolve_ports(draft.state, network, request.ports, endpoint, translate, sandbox.ports));
    const auto waiting = ports_without(sandbox.ports, added);
    if (waiting != sandbox.ports) {
      sandbox.ports = waiting;
      draft.state.put(sandbox);
    }
    endpoint.ports.insert(endpoint.ports.end(), added.ports.begin(), added.ports.end());
    endpoint.translated.insert(endpoint.translated.end(), added.translated.begin(),
                               added.translated.end());
    return {};
  };
  return change_ports(instance, draft, request.network, request.target, add);
}

Result<Endpoint> prepare(Instance& instance, Draft& draft, const Unpublish& request) {
  draft.direction = Direction::kRemove;
  const auto remove = [&](const Network&, Endpoint& endpoint) -> Status {
    auto sandbox = TRY(find_sandbox(instance, draft.state, request.target));
    const auto started_with = sandbox.ports;
    const auto endpoints = TRY(draft.state.endpoints(sandbox.endpoints));
    const auto is_listed = [&](const PortMapping& port) {
      return std::ranges::any_of(endpoints, [&](const Endpoint& each) {
        const auto& now = each.id == endpoint.id ? endpoint : each;
        return std::ranges::count(now.ports, port) != 0;
      });
    };
    for (const auto& mapping : request.ports) {
      if (std::erase(endpoint.ports, mapping) == 0)
        return fail(ErrorKind::kNotFound, "{} does not publish {} for its port {}", request.target,
                    describe(mapping), mapping.container_port);
      TRY(draft.state.free_port(mapping, endpoint.id));
      std::erase(sandbox.ports, mapping);  // else it would come back with the next network
      if (!mapping.host_ip.is_unspecified()) continue;
      auto twin = mapping;  // of `-p 8080:80`, which names no address: it is listed too, or implied
      twin.host_ip = mapping.host_ip.is_v4() ? kAny6 : Ip();
      if (!is_listed(twin)) std::erase(sandbox.ports, twin);
      if (mapping.host_ip.is_v4() && std::ranges::count(endpoint.ports, twin) != 0) continue;
      const auto is_beside = [&](const PortMapping& each) {
        return std::tie(each.protocol, each.host_port, each.container_port) ==
               std::tie(mapping.protocol, mapping.host_port, mapping.container_port);
      };
      for (const auto& each : endpoint.translated)
        if (is_beside(each)) TRY(draft.state.free_port(each, endpoint.id));
      std::erase_if(endpoint.translated, is_beside);
    }
    if (sandbox.ports != started_with) draft.state.put(sandbox);
    return {};
  };
  return change_ports(instance, draft, request.network, request.target, remove);
}

}  // namespace berth::engine
