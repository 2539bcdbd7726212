#include "drivers/bridge/bridge.h"

#include "drivers/among_others.h"
#include "drivers/mac_from_id.h"
#include "plan/host_device.h"

namespace berth::drivers::bridge {
namespace {

bool has_address(const Network& network, const Subnet& subnet) {
  const bool v4 = subnet.cidr.ip().is_v4();
  const auto mode = v4 ? network.bridge.mode4 : network.bridge.mode6;
  return network.bridge.managed && subnet.gateway && mode != GatewayMode::kIsolated &&
         !(v4 && network.bridge.inhibit_ipv4);
}

// It was there before the network, so others may have put machines on it.
bool is_given(const Network& network) {
  return network.bridge.adopted || !network.bridge.managed;
}

struct PortModes {
  bool hairpin = false;
  bool isolated = false;
};
PortModes modes_of(const Network& network, const Endpoint& endpoint, const Facts& facts) {
  return {.hairpin = facts.bridge_netfilter && !endpoint.ports.empty(),
          .isolated = network.bridge.port_isolation ||
                      (!network.bridge.icc && !(facts.bridge_netfilter && network.bridge.managed))};
}

// The port is in `vlan` and no longer in the one that the bridge puts new ports into.
plan::Plan access_port(const IfName& port, std::uint16_t vlan, const Facts& facts, bool self) {
  plan::Plan plan{plan::AddPortVlan{port, vlan, self}};
  if (facts.default_vlan != 0 && facts.default_vlan != vlan)
    plan.push_back(plan::DeletePortVlan{port, facts.default_vlan, self});
  return plan;
}

// An adopted bridge is the host's own and may be its way out: there nothing is set but what this
// network needs, and router advertisements are refused unless the host lives by them.
plan::Plan guards(const Network& network, bool has_ipv6, const Facts& facts) {
  const auto& device = network.bridge.device;
  if (!network.bridge.adopted)
    return plan::guard_host_device(device, plan::host_ipv6(has_ipv6, network.ipv6));
  plan::Plan plan;
  if (network.ipv6 && has_ipv6)
    plan.push_back(plan::device_setting(device, Ip::Family::kV6, "disable_ipv6", "0"));
  if (has_ipv6 && !facts.heard_router)
    plan.push_back(plan::device_setting(device, Ip::Family::kV6, "accept_ra", "0"));
  return plan;
}

plan::Plan settings(const Network& network, std::uint32_t mtu, const Facts& facts) {
  const bool has_ipv6 = facts.ipv6 && carries_ipv6(mtu);
  auto plan = guards(network, has_ipv6, facts);
  const auto set = [&](Ip::Family family, std::string_view name, std::string_view value) {
    plan.push_back(plan::device_setting(network.bridge.device, family, name, value));
  };
  const bool leads_out = !network.internal;
  if (network.ipv4 && leads_out) set(Ip::Family::kV4, "forwarding", "1");
  // Only published ports need it.
  if (network.ipv4 && leads_out)
    set(Ip::Family::kV4, "route_localnet", "1");
  else if (!network.bridge.adopted)
    set(Ip::Family::kV4, "route_localnet", "0");
  if (!network.ipv6 || !has_ipv6) return plan;
  // What is forwarded waits for an answer to a neighbour solicitation, and those are sent from the
  // link-local address (ndisc_send_ns in net/ipv6/ndisc.c): there has to be one, and it must not
  // be checked for duplicates first, else for a second or two nobody from outside would get in.
  if (!network.bridge.adopted) set(Ip::Family::kV6, "addr_gen_mode", "0");
  set(Ip::Family::kV6, "accept_dad", "0");
  // Not `forwarding`: the kernel forwards IPv6 by `all` alone (ip6_forward), and whoever switches a
  // device's own on loses the default routes that routers advertised (addrconf_fixup_forwarding).
  return plan;
}

}  // namespace

// The address is fixed: otherwise a bridge takes its lowest port's and changes it as ports come and
// go, and neighbours lose it (net/bridge/br_stp_if.c, br_stp_recalculate_bridge_id).
Mac mac_of(const Network& network) {
  for (const auto& subnet : network.subnets)
    if (subnet.gateway && subnet.gateway->is_v4()) return Mac::from_ip(*subnet.gateway);
  return mac_from_id(network.id);
}

std::vector<Cidr> host_addresses(const Network& network) {
  std::vector<Cidr> addresses;
  for (const auto& subnet : network.subnets)
    if (has_address(network, subnet)) addresses.emplace_back(*subnet.gateway, subnet.cidr.prefix());
  return addresses;
}

std::uint16_t vlan_of(const Network& network, const Endpoint& endpoint) {
  return endpoint.asked.vlan != 0 ? endpoint.asked.vlan : network.bridge.vlan;
}

plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts) {
  plan::Plan plan;
  const auto& bridge = network.bridge;
  const auto& device = bridge.device;
  if (!bridge.managed) return plan;
  if (bridge.adopted)
    plan.push_back(plan::SetLinkUp{{}, device});
  else
    plan.push_back(plan::AddBridge{device, mac_of(network), mtu});
  // Before the addresses: they and their routes move with the bridge.
  if (!bridge.vrf.empty()) plan.push_back(plan::SetVrf{device, bridge.vrf});
  if (bridge.vlan != 0) {
    plan.push_back(plan::FilterVlans{device});
    plan::append(plan, access_port(device, bridge.vlan, facts, /*self=*/true));
  }
  plan::append(plan, settings(network, mtu, facts));
  for (const auto& address : host_addresses(network))
    plan.push_back(plan::AddAddress{{}, device, address});
  return plan;
}

plan::Plan attach(const Network& network, const Endpoint& endpoint, const plan::NsRef& sandbox,
                  const Facts& facts) {
  plan::Plan plan;
  plan.push_back(plan::AddVeth{endpoint.host_ifname, network.bridge.device, endpoint.mtu, sandbox,
                               endpoint.ifname, endpoint.mac});
  const auto modes = modes_of(network, endpoint, facts);
  if (modes.hairpin) plan.push_back(plan::HairpinPort{endpoint.host_ifname, true});
  if (modes.isolated) plan.push_back(plan::IsolatePort{endpoint.host_ifname, true});
  if (const auto vlan = vlan_of(network, endpoint); vlan != 0)
    plan::append(plan, access_port(endpoint.host_ifname, vlan, facts, /*self=*/false));
  if (network.bridge.mac_spoof_check) {
    plan.push_back(plan::LockPort{endpoint.host_ifname});
    plan.push_back(plan::AddFdbEntry{endpoint.host_ifname, endpoint.mac});
  }
  // The port itself is no device of the host's to talk to: what comes in by it is the bridge's, and
  // the exception (chain raw in firewall/table.h) is the firewall's, so a port needs no settings.
  // There is no firewall for an unmanaged bridge, hence no IPv6 on its ports.
  if (!network.bridge.managed && facts.ipv6 && carries_ipv6(endpoint.mtu))
    plan.push_back(
        plan::device_setting(endpoint.host_ifname, Ip::Family::kV6, "disable_ipv6", "1"));
  plan::append(plan, is_given(network) ? configure_among_others(network, endpoint, sandbox, facts)
                                       : configure(network, endpoint, sandbox, facts));
  return plan;
}

plan::Plan modes_off(const Network& network, const Endpoint& endpoint, const Facts& facts) {
  plan::Plan plan;
  const auto modes = modes_of(network, endpoint, facts);
  if (!modes.hairpin) plan.push_back(plan::HairpinPort{endpoint.host_ifname, false});
  if (!modes.isolated) plan.push_back(plan::IsolatePort{endpoint.host_ifname, false});
  return plan;
}

plan::Plan detach(const Endpoint& endpoint, const plan::NsRef& sandbox) {
  return {plan::DeleteLink{.name = endpoint.host_ifname, .kind = "veth", .peer_ns = sandbox}};
}

}  // namespace berth::drivers::bridge
