#include "engine/ports/roaming.h"

#include <algorithm>
#include <tuple>

#include "engine/endpoints/default_route.h"
#include "engine/ports/publish.h"
#include "engine/sandboxes/modes.h"
#include "engine/state/state.h"

namespace berth::engine {
namespace {

const Ip kAny4;
const Ip kAny6 = Ip::from_number(Ip::Family::kV6, 0);
const Ip kLoopback6 = Ip::from_number(Ip::Family::kV6, 1);

bool same_numbers(const PortMapping& a, const PortMapping& b) {
  return std::tie(a.protocol, a.host_port, a.container_port) ==
         std::tie(b.protocol, b.host_port, b.container_port);
}

bool contains(const std::vector<PortMapping>& ports, const PortMapping& port) {
  return std::ranges::find(ports, port) != ports.end();
}

// The host's port that `spec` got for one of the container's; 0: none.
Port number_for(const PortSpec& spec, Port container_port,
                const std::vector<PortMapping>& published,
                const std::vector<PortMapping>& given_before) {
  for (const auto& each : published) {
    const bool in_range = spec.host_first == 0 ||
                          (each.host_port >= spec.host_first && each.host_port <= spec.host_last);
    const bool given = std::ranges::any_of(
        given_before, [&](const PortMapping& other) { return same_numbers(other, each); });
    if (each.host_port != 0 && each.protocol == spec.protocol &&
        each.container_port == container_port && in_range && !given)
      return each.host_port;
  }
  const bool one_to_one =
      spec.host_last - spec.host_first == spec.container_last - spec.container_first;
  if (spec.host_first == 0 || !one_to_one) return 0;
  return static_cast<Port>(spec.host_first + (container_port - spec.container_first));
}

bool can_publish(const Attached& on, Ip::Family family) {
  const auto& [endpoint, network] = on;
  return network.driver == Driver::kBridge && network.bridge.managed && !network.internal &&
         (family == Ip::Family::kV4 ? endpoint.address4 : endpoint.address6).has_value();
}

GatewayMode mode_of(const Network& network, Ip::Family family) {
  return family == Ip::Family::kV4 ? network.bridge.mode4 : network.bridge.mode6;
}

bool can_translate(const Attached& on, Ip::Family family) {
  const auto mode = mode_of(on.network, family);
  const bool nat = mode == GatewayMode::kNat || mode == GatewayMode::kNatUnprotected;
  return nat && can_publish(on, family);
}

Attached* publisher_of(std::span<Attached> endpoints, Ip::Family family) {
  const auto by = publisher(endpoints, family);
  return by ? &endpoints[*by] : nullptr;
}

void take_back(Endpoint& endpoint, const std::vector<PortMapping>& ports) {
  std::erase_if(endpoint.ports, [&](const PortMapping& each) {
    return std::ranges::any_of(ports, [&](const PortMapping& port) {
      const bool opened = each.host_port == 0 && each.protocol == port.protocol &&
                          each.container_port == port.container_port;
      return each == port || opened;
    });
  });
  // They go with [::], asked for or implied; those of `network connect -p` are not `ports`'.
  std::erase_if(endpoint.translated, [&](PortMapping each) {
    each.host_ip = kAny6;
    return contains(ports, each);
  });
}

void add(std::vector<PortMapping>& to, const PortMapping& port) {
  if (!contains(to, port)) to.push_back(port);
}

}  // namespace

std::vector<PortMapping> asked_ports(const std::vector<PortSpec>& specs, const Network& network,
                                     const Published& published) {
  auto numbers = published.ports;
  numbers.insert(numbers.end(), published.translated.begin(), published.translated.end());
  std::vector<PortMapping> asked;
  for (const auto& spec : specs) {
    const auto host_ip = spec.host_ip ? spec.host_ip : network.bridge.host_binding;
    const auto before = asked;
    for (int port = spec.container_first; port <= spec.container_last; ++port) {
      const auto container_port = static_cast<Port>(port);
      const auto number = number_for(spec, container_port, numbers, before);
      for (const auto& ip : host_ip ? std::vector{*host_ip} : std::vector{kAny4, kAny6})
        asked.push_back({spec.protocol, ip, number, container_port});
    }
  }
  return asked;
}

std::vector<PortMapping> ports_without(std::vector<PortMapping> ports, const Published& published) {
  std::erase_if(ports, [&](const PortMapping& each) {
    return each.host_port != 0 &&  // else it is open wherever it can be
           (contains(published.ports, each) || contains(published.translated, each));
  });
  return ports;
}

std::vector<PortMapping> own_ports(Endpoint endpoint, const std::vector<PortMapping>& ports) {
  take_back(endpoint, ports);
  return all_ports(endpoint);
}

std::optional<std::size_t> publisher(std::span<const Attached> endpoints, Ip::Family family) {
  std::optional<std::size_t> best;
  const auto rank = [&](std::size_t i) {
    return rank_of(endpoints[i].endpoint, endpoints[i].network.link.metric);
  };
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const bool possible = can_translate(endpoints[i], family);
    if (has_default(endpoints[i].endpoint, family))
      return possible ? std::optional(i) : std::nullopt;
    if (possible && (!best || rank(i) < rank(*best))) best = i;
  }
  return best;
}

void distribute(std::span<Attached> endpoints, const std::vector<PortMapping>& ports,
                bool translate) {
  for (auto& each : endpoints) take_back(each.endpoint, ports);
  auto* const by4 = publisher_of(endpoints, Ip::Family::kV4);
  auto* const by6 = publisher_of(endpoints, Ip::Family::kV6);
  const bool leads = by4 != nullptr && translate && by4->network.bridge.translate6to4;
  for (const auto& port : ports) {
    const auto family = port.host_ip.family();
    for (auto& each : endpoints)
      if (mode_of(each.network, family) == GatewayMode::kRouted && can_publish(each, family))
        add(each.endpoint.ports,
            {port.protocol, family == Ip::Family::kV4 ? kAny4 : kAny6, 0, port.container_port});
    if (port.host_port == 0) continue;
    if (family == Ip::Family::kV4) {
      if (by4 != nullptr) add(by4->endpoint.ports, port);
      continue;
    }
    auto twin = port;
    twin.host_ip = kAny4;
    const bool implied = port.host_ip == kAny6 && contains(ports, twin);
    if (by6 != nullptr && port.host_ip != kLoopback6)
      add(by6->endpoint.ports, port);
    else if (leads && is_translated(by4->endpoint, port.host_ip))
      add(implied ? by4->endpoint.translated : by4->endpoint.ports, port);
    if (port.host_ip != kAny6 || !leads) continue;
    twin.host_ip = kLoopback6;
    add(by4->endpoint.translated, twin);
  }
}

}  // namespace berth::engine
