#include "drivers/bridge/bridge.h"

namespace berth::drivers::bridge {
namespace {

struct PortModes {
  bool hairpin = false;
  bool isolated = false;
};
PortModes modes_of(const Network& network, const Endpoint& endpoint, bool bridge_netfilter) {
  return {.hairpin = bridge_netfilter && !endpoint.ports.empty(),
          .isolated = !bridge_netfilter && !network.bridge.icc};
}

}  // namespace

plan::Plan create(const Network& network, std::uint32_t mtu) {
  plan::Plan plan;
  const auto& device = network.bridge.device;
  const auto& subnet = network.subnets.front();
  // The address is fixed: otherwise a bridge takes its lowest port's and changes it as ports come
  // and go, and neighbours lose it (net/bridge/br_stp_if.c, br_stp_recalculate_bridge_id).
  plan.push_back(plan::AddBridge{device, Mac::from_ip(subnet.gateway), mtu});
  for (const auto& each : network.subnets)
    plan.push_back(plan::AddAddress{{}, device, Cidr(each.gateway, each.cidr.prefix())});
  plan.push_back(plan::SetSysctl{"net/ipv4/conf/" + device.str() + "/route_localnet", "1", ""});
  return plan;
}

plan::Plan remove(const Network& network) {
  return {plan::DeleteLink{network.bridge.device}};
}

plan::Plan attach(const Network& network, const Endpoint& endpoint, const plan::NsRef& sandbox,
                  bool bridge_netfilter) {
  plan::Plan plan;
  plan.push_back(plan::AddVeth{endpoint.host_ifname, network.bridge.device, endpoint.mtu, sandbox,
                               endpoint.ifname, endpoint.mac});
  const auto modes = modes_of(network, endpoint, bridge_netfilter);
  if (modes.hairpin) plan.push_back(plan::HairpinPort{endpoint.host_ifname, true});
  if (modes.isolated) plan.push_back(plan::IsolatePort{endpoint.host_ifname, true});
  plan.push_back(plan::AddAddress{sandbox, endpoint.ifname, Cidr(endpoint.ip, endpoint.prefix)});
  plan.push_back(plan::SetLinkUp{sandbox, endpoint.ifname});
  if (endpoint.default_route) plan.push_back(default_route(endpoint, sandbox));
  return plan;
}

plan::Plan modes_off(const Network& network, const Endpoint& endpoint, bool bridge_netfilter) {
  plan::Plan plan;
  const auto modes = modes_of(network, endpoint, bridge_netfilter);
  if (!modes.hairpin) plan.push_back(plan::HairpinPort{endpoint.host_ifname, false});
  if (!modes.isolated) plan.push_back(plan::IsolatePort{endpoint.host_ifname, false});
  return plan;
}

plan::Plan detach(const Endpoint& endpoint) {
  return {plan::DeleteLink{endpoint.host_ifname}};
}

plan::AddRoute default_route(const Endpoint& endpoint, const plan::NsRef& sandbox) {
  return {sandbox, std::nullopt, endpoint.gateway, endpoint.ifname};
}

}  // namespace berth::drivers::bridge
