#include "drivers/parent.h"

#include "plan/host_device.h"

namespace berth::drivers {
namespace {

// The host's address from which an endpoint's is reached: the one of the same subnet.
std::optional<Ip> host_address_beside(const Network& network, const Cidr& address) {
  for (const auto& own : network.parent.host_addresses)
    if (own.network() == address.network()) return own.ip();
  return std::nullopt;
}

}  // namespace

bool is_asked_by_arp(const Network& network) {
  return network.driver != Driver::kIpvlan || network.parent.ipvlan_mode == IpvlanMode::kL2;
}

plan::Plan make_parent(const Network& network, std::uint32_t mtu, const Facts& facts) {
  plan::Plan plan;
  const auto& parent = network.parent;
  switch (parent.origin) {
    case ParentSettings::Origin::kGiven:
      return plan;
    case ParentSettings::Origin::kVlan:
      plan.push_back(plan::AddVlan{parent.device, parent.lower, parent.vlan});
      break;
    case ParentSettings::Origin::kDummy:
      plan.push_back(plan::AddDummy{parent.device, mtu});
      break;
  }
  // It is for the containers: the host has no addresses on it, and takes none.
  const auto no_ipv6 = plan::host_ipv6(facts.ipv6 && carries_ipv6(mtu), false);
  plan::append(plan, plan::guard_host_device(parent.device, no_ipv6));
  plan.push_back(plan::SetLinkUp{{}, parent.device});
  return plan;
}

plan::Plan configure_host_access(const Network& network, const Facts& facts) {
  plan::Plan plan;
  const auto& device = network.parent.host_device;
  const auto ipv6 = plan::host_ipv6(facts.ipv6 && carries_ipv6(network.link.mtu), network.ipv6);
  plan::append(plan, plan::guard_host_device(device, ipv6));
  plan.push_back(plan::device_setting(device, Ip::Family::kV4, "arp_announce", "2"));
  plan.push_back(plan::SetLinkUp{{}, device});
  if (is_asked_by_arp(network))
    for (const auto& address : network.parent.host_addresses)
      plan.push_back(plan::ProbeAddress{{}, device, address.ip()});
  for (const auto& address : network.parent.host_addresses)
    plan.push_back(plan::AddAddress{{}, device, Cidr(address.ip(), address.ip().bits())});
  return plan;
}

plan::Plan host_routes(const Network& network, const Endpoint& endpoint) {
  plan::Plan plan;
  if (!network.parent.host_access) return plan;
  for (const auto& address : addresses_of(endpoint)) {
    plan::AddRoute route{
        {}, Cidr(address.ip(), address.ip().bits()), std::nullopt, network.parent.host_device};
    route.source = host_address_beside(network, address);
    plan.push_back(std::move(route));
  }
  return plan;
}

plan::Plan detach_from_parent(const Network& network, const Endpoint& endpoint,
                              const plan::NsRef& sandbox) {
  auto plan = plan::inverse(host_routes(network, endpoint));
  plan::DeleteLink gone{endpoint.ifname, sandbox};
  // Of a damaged record nobody knows the driver; and who is in a sandbox may change the address.
  if (!network.id.empty()) gone.kind = name(network.driver);
  plan.push_back(std::move(gone));
  return plan;
}

}  // namespace berth::drivers
