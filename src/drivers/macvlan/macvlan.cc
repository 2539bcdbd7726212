#include "drivers/macvlan/macvlan.h"

#include "drivers/among_others.h"
#include "drivers/parent.h"

namespace berth::drivers::macvlan {
namespace {

// As an endpoint's: the bytes of its first address, which nobody else has.
Mac host_mac(const Network& network) {
  const auto& addresses = network.parent.host_addresses;
  return addresses.empty() ? Mac() : Mac::from_ip(addresses.front().ip());
}

}  // namespace

plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts) {
  const auto& parent = network.parent;
  auto plan = make_parent(network, mtu);
  if (!parent.host_access) return plan;
  plan.push_back(plan::AddMacvlan{{}, parent.host_device, parent.device, host_mac(network), mtu});
  plan::append(plan, configure_host_access(network, facts));
  return plan;
}

plan::Plan attach(const Network& network, const Endpoint& endpoint, const plan::NsRef& sandbox,
                  const Facts& facts) {
  const auto& parent = network.parent;
  plan::Plan plan;
  plan.push_back(plan::AddMacvlan{sandbox, endpoint.ifname, parent.device, endpoint.mac,
                                  endpoint.mtu, parent.macvlan_mode, parent.sources,
                                  parent.broadcast_limit});
  plan::append(plan, configure_among_others(network, endpoint, sandbox, facts));
  plan::append(plan, host_routes(network, endpoint));
  return plan;
}

}  // namespace berth::drivers::macvlan
