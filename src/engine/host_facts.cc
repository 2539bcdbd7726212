#include "engine/host_facts.h"

#include <linux/netlink.h>

#include "base/result.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/netns/netns.h"
#include "kernel/sysctl/sysctl.h"

namespace berth::engine {

Result<std::vector<Cidr>> routed_prefixes(kernel::Socket& route) {
  std::vector<Cidr> prefixes;
  for (const auto& each : TRY(kernel::list_routes(route, Ip::Family::kV4)))
    if (each.destination) prefixes.push_back(*each.destination);
  return prefixes;
}

Result<std::uint32_t> default_mtu(kernel::Socket& route) {
  constexpr std::uint32_t kEthernetMtu = 1500;  // RFC 894
  std::optional<kernel::Route> best;
  for (const auto& each : TRY(kernel::list_routes(route, Ip::Family::kV4)))
    if (!each.destination && each.link_index != 0 && (!best || each.metric < best->metric))
      best = each;
  if (!best) return kEthernetMtu;
  const auto link = TRY(kernel::find_link(route, best->link_index));
  return link ? link->mtu : kEthernetMtu;
}

Result<bool> link_exists(kernel::Socket& route, const IfName& name) {
  return TRY(kernel::find_link(route, name)).has_value();
}

Result<bool> ip_forward_on() {
  const auto value = TRY(kernel::read_sysctl(kIpForward));
  return value != "0";
}

Result<bool> has_default_route(const std::string& path, const std::optional<Ip>& gateway) {
  auto socket =
      TRY(kernel::open_socket_in(TRY(kernel::Netns::open(path)), NETLINK_ROUTE));
  std::optional<kernel::Route> found;
  for (const auto& each : TRY(kernel::list_routes(socket, Ip::Family::kV4))) {
    if (each.destination) continue;
    if (found) return false;
    found = each;
  }
  return found && found->gateway == gateway;
}

Result<std::vector<Cidr>> connected_prefixes(kernel::Socket& route) {
  std::vector<Cidr> prefixes;
  for (const auto& each : TRY(kernel::list_routes(route, Ip::Family::kV4)))
    if (each.destination && !each.gateway && each.link_index != 0)
      prefixes.push_back(*each.destination);
  return prefixes;
}

Result<bool> bridge_netfilter_on() {
  const auto value = kernel::read_sysctl("net/bridge/bridge-nf-call-iptables");
  if (!value && value.error().kind == ErrorKind::kNotFound) return false;
  return TRY(value) != "0";
}

}  // namespace berth::engine
