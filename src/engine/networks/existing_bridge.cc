#include "engine/networks/existing_bridge.h"

#include <algorithm>

#include "base/result.h"
#include "drivers/driver.h"
#include "kernel/netlink/address.h"
#include "model/options.h"

namespace berth::engine {
namespace {

// RFC 3927 and RFC 4291: they are on every link, and no network's.
bool is_link_local(const Ip& ip) {
  static const Cidr kV4(Ip::v4(169, 254, 0, 0), 16);
  static const Cidr kV6(Ip::from_number(Ip::Family::kV6, Uint128{0xfe80} << 112), 10);
  return (ip.is_v4() ? kV4 : kV6).contains(ip);
}

// Options of what the firewall does, which an unmanaged bridge has none of.
Status check_wants_no_firewall(const Network& network) {
  const auto& bridge = network.bridge;
  const auto opens = [](GatewayMode mode) {
    return mode == GatewayMode::kRouted || mode == GatewayMode::kNatUnprotected;
  };
  const struct {
    bool given;
    std::string_view option;
  } options[] = {
      {opens(bridge.mode4), "com.docker.network.bridge.gateway_mode_ipv4"},
      {opens(bridge.mode6), "com.docker.network.bridge.gateway_mode_ipv6"},
      {bridge.host_binding.has_value(), model::kOptionHostBinding},
      {!bridge.trusted.empty(), "com.docker.network.bridge.trusted_host_interfaces"},
      {bridge.snat4.has_value(), "com.docker.network.host_ipv4"},
      {bridge.snat6.has_value(), "com.docker.network.host_ipv6"},
  };
  for (const auto& [given, option] : options)
    if (given)
      return fail(ErrorKind::kInvalid,
                  "network {}: option {}: an unmanaged bridge has no firewall, so it would do "
                  "nothing: leave it out, or take the bridge with --adopt",
                  network.name, option);
  return {};
}

}  // namespace

bool on_existing_bridge(const Network& network) {
  return network.driver == Driver::kBridge && (network.bridge.adopted || !network.bridge.managed);
}

Status read_adoption(Network& network, const std::string& adopt) {
  auto& bridge = network.bridge;
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::kInvalid, "network {}: {}", network.name, why);
  };
  if (!adopt.empty()) {
    if (network.driver != Driver::kBridge)
      return refuse("--adopt takes a bridge, and the driver is not bridge");
    if (!bridge.managed)
      return refuse(
          fmt::format("an unmanaged bridge is not adopted: give either --adopt {} or -o "
                      "mode=unmanaged -o {}={}",
                      adopt, model::kOptionBridgeName, adopt));
    auto device = IfName::parse(adopt);
    if (!device) return std::unexpected(in_context(device.error(), "--adopt"));
    if (!bridge.device.empty() && bridge.device != *device)
      return refuse(fmt::format("--adopt {} and option {}={} are two bridges: give one", adopt,
                                model::kOptionBridgeName, bridge.device.str()));
    bridge.device = *std::move(device);
    bridge.adopted = true;
  }
  if (network.driver != Driver::kBridge) return {};
  const bool isolated = (network.ipv4 && bridge.mode4 == GatewayMode::kIsolated) ||
                        (network.ipv6 && bridge.mode6 == GatewayMode::kIsolated);
  if (isolated && !network.internal)
    return refuse("gateway mode isolated is for internal networks: give --internal as well");
  if (bridge.managed) return {};
  if (bridge.device.empty())
    return refuse(
        fmt::format("an unmanaged network is on a bridge that is there already: say on "
                    "which with -o {}=BRIDGE",
                    model::kOptionBridgeName));
  if (!bridge.vrf.empty())
    return refuse("an unmanaged bridge is left as it is: put it into its VRF yourself");
  return check_wants_no_firewall(network);
}

Status check_sharing(const Network& network, const std::vector<Network>& others) {
  const auto& device = network.bridge.device;
  for (const auto& other : others) {
    if (device.empty() || other.bridge.device != device) continue;
    if (on_existing_bridge(network) && on_existing_bridge(other) &&
        !(network.bridge.managed && other.bridge.managed))
      continue;
    return fail(ErrorKind::kExists, "network {}: bridge {} belongs to network {}{}", network.name,
                device.str(), other.name,
                on_existing_bridge(network) && on_existing_bridge(other)
                    ? ": beside it there can be networks with -o mode=unmanaged"
                    : "");
  }
  return {};
}

Result<kernel::LinkInfo> find_existing_bridge(kernel::Socket& route, const Network& network) {
  const auto& bridge = network.bridge;
  const auto name = bridge.device.str();
  const auto link = TRY(kernel::find_link(route, bridge.device));
  if (!link)
    return fail(ErrorKind::kNotFound,
                "network {}: there is no bridge {}: make it first (ip link add {} type bridge), or "
                "let berth make one",
                network.name, name, name);
  if (link->kind != "bridge")
    return fail(ErrorKind::kInvalid, "network {}: interface {} is {}: it has to be a bridge",
                network.name, name, link->kind.empty() ? "no bridge" : "a " + link->kind);
  if (bridge.vlan == 0) return *link;
  if (!link->default_vlan)
    return fail(ErrorKind::kUnsupported,
                "network {}: option vlan={}: the bridges of this kernel know no VLANs "
                "(CONFIG_BRIDGE_VLAN_FILTERING)",
                network.name, bridge.vlan);
  if (!bridge.managed && !link->filters_vlans)
    return fail(ErrorKind::kInvalid,
                "network {}: option vlan={}: bridge {} does not filter VLANs: switch that on (ip "
                "link set {} type bridge vlan_filtering 1), or adopt the bridge",
                network.name, bridge.vlan, name, name);
  return *link;
}

Result<std::optional<IfName>> new_name_of_existing(kernel::Socket& route, const Network& network) {
  if (TRY(kernel::link_index(route, network.bridge.device))) return std::nullopt;
  const auto own = drivers::host_addresses(network);
  for (const auto& each : TRY(kernel::list_addresses(route))) {
    if (std::ranges::find(own, each.address) == own.end()) continue;
    const auto link = TRY(kernel::find_link(route, each.link_index));
    if (link && link->kind == "bridge") return link->name;
  }
  return std::nullopt;
}

plan::Plan under_its_new_name(plan::Plan plan, const IfName& from, const IfName& to) {
  const auto rename = [&](IfName& name) {
    if (name == from) name = to;
  };
  for (auto& op : plan)
    std::visit(
        [&](auto& each) {
          if constexpr (requires { each.link = to; }) rename(each.link);
          if constexpr (requires { each.name = to; }) rename(each.name);
          if constexpr (requires { each.bridge = to; }) rename(each.bridge);
          if constexpr (requires { each.port = to; }) rename(each.port);
          if constexpr (requires { each.key = std::string(); }) {  // net/ipv4/conf/BRIDGE/...
            const auto part = "/" + from.str() + "/";
            if (const auto at = each.key.find(part); at != std::string::npos)
              each.key.replace(at, part.size(), "/" + to.str() + "/");
          }
        },
        op);
  return plan;
}

Status check_bridge_still_there(kernel::Socket& route, const Network& network) {
  const auto name = network.bridge.device.str();
  const auto link = TRY(kernel::find_link(route, network.bridge.device));
  if (link && link->kind == "bridge") return {};
  if (const auto renamed = TRY(new_name_of_existing(route, network)))
    return fail(ErrorKind::kNotFound,
                "network {}: its bridge {} is called {} now: give it its name back (ip link set {} "
                "name {}), or remove the network",
                network.name, name, renamed->str(), renamed->str(), name);
  return fail(ErrorKind::kNotFound,
              "network {}: its bridge {} is gone, and with it the way to its containers: bring the "
              "bridge back (ip link add {} type bridge), or remove the network",
              network.name, name, name);
}

Status complete_from_bridge(kernel::Socket& route, Network& network, bool ipv6_unsaid,
                            std::vector<SubnetRequest>& subnets) {
  const auto link = TRY(find_existing_bridge(route, network));
  for (const auto& each : TRY(kernel::list_addresses(route, link.index))) {
    const auto& address = each.address;
    const bool v4 = address.ip().is_v4();
    if (is_link_local(address.ip())) continue;
    if (!v4 && ipv6_unsaid) network.ipv6 = true;
    if (!(v4 ? network.ipv4 : network.ipv6)) continue;
    const auto of_family = std::ranges::find_if(subnets, [&](const SubnetRequest& asked) {
      return asked.subnet ? asked.subnet->ip().is_v4() == v4 : v4;
    });
    if (of_family == subnets.end())
      subnets.push_back(
          {.subnet = address.network(), .range = {}, .gateway = address.ip(), .aux = {}});
    else if (of_family->subnet && !of_family->gateway && of_family->subnet->contains(address.ip()))
      of_family->gateway = address.ip();
  }
  return {};
}

Status check_vrf(kernel::Socket& route, const Network& network) {
  const auto& vrf = network.bridge.vrf;
  if (network.driver != Driver::kBridge || vrf.empty()) return {};
  const auto link = TRY(kernel::find_link(route, vrf));
  if (!link && !TRY(kernel::has_vrf(route)))
    return fail(ErrorKind::kUnsupported,
                "network {}: option vrf={}: this kernel has no virtual routers (CONFIG_NET_VRF)",
                network.name, vrf.str());
  if (!link)
    return fail(ErrorKind::kNotFound,
                "network {}: option vrf={}: there is no such VRF: make it first (ip link add {} "
                "type vrf table NUMBER)",
                network.name, vrf.str(), vrf.str());
  if (link->kind != "vrf")
    return fail(ErrorKind::kInvalid, "network {}: option vrf={}: the interface is no VRF",
                network.name, vrf.str());
  const auto bridge = TRY(kernel::find_link(route, network.bridge.device));
  if (bridge && bridge->master != 0 && bridge->master != link->index)
    return fail(ErrorKind::kInvalid,
                "network {}: option vrf={}: bridge {} is a member of something else already",
                network.name, vrf.str(), network.bridge.device.str());
  return {};
}

}  // namespace berth::engine
