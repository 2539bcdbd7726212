#include "drivers/macvlan/macvlan.h"

#include "drivers/among_others.h"
#include "drivers/mac_from_id.h"
#include "drivers/parent.h"

namespace berth::drivers::macvlan {

Mac host_mac(const Network& network) {
  return mac_from_id(network.id);
}

plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts) {
  const auto& parent = network.parent;
  auto plan = make_parent(network, mtu, facts);
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
