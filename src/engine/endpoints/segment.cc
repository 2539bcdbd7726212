#include "engine/endpoints/segment.h"

#include <algorithm>

#include "base/result.h"
#include "drivers/macvlan/macvlan.h"
#include "drivers/parent.h"
#include "engine/networks/existing_bridge.h"
#include "engine/state/state.h"
#include "ipam/subnet.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/link.h"

namespace berth::engine {
namespace {

// Above those that users give their networks.
constexpr std::uint32_t kLaterMetric = 4096;

// The host's part of the segment.
const IfName& device_of(const Network& network) {
  return has_parent(network) ? network.parent.device : network.bridge.device;
}

}  // namespace

Result<std::vector<Ip>> addresses_of_host(kernel::Socket& route, const Network& network,
                                          std::span<const Cidr> given) {
  std::vector<Ip> addresses;
  if (!has_parent(network) && !on_existing_bridge(network)) return addresses;
  const auto index = TRY(kernel::link_index(route, device_of(network)));
  if (!index) return addresses;  // yet to be made
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    const auto is_of_family = [&](const Cidr& each) { return each.ip().family() == family; };
    const bool has_family = family == Ip::Family::kV4 ? network.ipv4 : network.ipv6;
    if (!has_family && std::ranges::none_of(given, is_of_family)) continue;
    for (const auto& each : TRY(kernel::list_addresses(route, *index, family)))
      addresses.push_back(each.address.ip());
  }
  return addresses;
}

Subnet keeping(Subnet subnet, std::span<const Ip> kept) {
  for (const auto& ip : kept) {
    const auto is_same = [&](const auto& named) { return named.second == ip; };
    if (ip != subnet.gateway && std::ranges::none_of(subnet.aux, is_same) &&
        ipam::check_host_address(subnet.cidr, ip, ""))
      subnet.aux.emplace("the host's " + ip.str(), ip);
  }
  return subnet;
}

Status check_not_hosts(const Network& network, std::span<const Ip> hosts, const Ip& ip) {
  if (std::ranges::find(hosts, ip) == hosts.end()) return {};
  return fail(ErrorKind::kInUse, "network {}: address {} is taken by the host, on {}", network.name,
              ip.str(), device_of(network).str());
}

std::vector<Route> routes_to_host(const Network& network, std::span<const Ip> hosts,
                                  const Endpoint& endpoint, std::span<const Endpoint> others) {
  std::vector<Route> routes;
  if (!network.parent.host_access || !drivers::is_asked_by_arp(network)) return routes;
  for (const auto& ip : hosts) {
    const auto& address = ip.is_v4() ? endpoint.address4 : endpoint.address6;
    const bool is_gateway = ip == endpoint.gateway4 || ip == endpoint.gateway6;
    if (!address || !address->contains(ip) || is_gateway) continue;
    const Cidr destination(ip, ip.bits());
    std::uint32_t metric = 0;
    for (const auto& other : others)
      for (const auto& route : other.routes)
        if (route.destination == destination)
          metric = std::max(metric, std::max(route.metric + 1, kLaterMetric));
    for (const auto& own : network.parent.host_addresses)
      if (own.network() == address->network())
        routes.push_back({.destination = destination, .gateway = own.ip(), .metric = metric});
  }
  return routes;
}

Status check_mac(State& state, kernel::Socket& route, const Network& network, const Mac& mac) {
  const auto taken_by = [&](std::string_view holder) {
    return fail(ErrorKind::kInUse, "network {}: MAC address {} is taken by {}: give another one",
                network.name, mac.str(), holder);
  };
  const auto device = TRY(kernel::find_link(route, device_of(network)));
  if (device && device->mac == mac)
    return taken_by(fmt::format("the host's {}", device->name.str()));
  for (const auto& each : TRY(state.on_one_segment(network))) {
    if (each.driver == Driver::kMacvlan && each.parent.host_access &&
        drivers::macvlan::host_mac(each) == mac)
      return taken_by(fmt::format("the host's {}", each.parent.host_device.str()));
    for (const auto& endpoint : TRY(state.endpoints_of_network(each.id))) {
      if (endpoint.mac != mac) continue;
      const auto user = state.sandbox(endpoint.sandbox_id);
      return taken_by(user ? user->name : endpoint.sandbox_id);
    }
  }
  return {};
}

}  // namespace berth::engine
