#include "drivers/ipvlan/ipvlan.h"

#include "drivers/among_others.h"
#include "drivers/parent.h"

namespace berth::drivers::ipvlan {
namespace {

plan::AddIpvlan add(const Network& network, const plan::NsRef& ns, const IfName& name,
                    std::uint32_t mtu) {
  const auto& parent = network.parent;
  return {ns, name, parent.device, mtu, parent.ipvlan_mode, parent.ipvlan_flag};
}

}  // namespace

plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts) {
  auto plan = make_parent(network, mtu, facts);
  if (!network.parent.host_access) return plan;
  plan.push_back(add(network, {}, network.parent.host_device, mtu));
  plan::append(plan, configure_host_access(network, facts));
  return plan;
}

plan::Plan attach(const Network& network, const Endpoint& endpoint, const plan::NsRef& sandbox,
                  const Facts& facts) {
  plan::Plan plan;
  plan.push_back(add(network, sandbox, endpoint.ifname, endpoint.mtu));
  plan::append(plan, is_asked_by_arp(network)
                         ? configure_among_others(network, endpoint, sandbox, facts)
                         : configure(network, endpoint, sandbox, facts));
  plan::append(plan, host_routes(network, endpoint));
  return plan;
}

}  // namespace berth::drivers::ipvlan
