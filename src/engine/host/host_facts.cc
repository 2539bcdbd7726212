#include "engine/host/host_facts.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/result.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/netns/netns.h"
#include "kernel/sysctl/device.h"
#include "kernel/sysctl/sysctl.h"
#include "sandbox/resolv_conf.h"

namespace berth::engine {

std::string_view forwarding_key(Ip::Family family) {
  return family == Ip::Family::kV4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
}

Result<bool> forwarding_on(Ip::Family family) {
  const auto value = TRY(kernel::read_sysctl(forwarding_key(family)));
  return value != "0";
}

// A prefix on the link is a route of the kernel's own, with the lifetime that the router gave it
// (addrconf_prefix_rcv in net/ipv6/addrconf.c); one for good needs no renewal.
Result<std::set<IfName>> devices_with_routers(kernel::Socket& route) {
  std::set<IfName> devices;
  for (const auto& each : TRY(kernel::list_routes(route, Ip::Family::kV6))) {
    if (each.protocol != RTPROT_RA && !(each.protocol == RTPROT_KERNEL && each.expires)) continue;
    if (const auto link = TRY(kernel::find_link(route, each.link_index)))
      devices.insert(link->name);
  }
  return devices;
}

Result<std::vector<std::string>> sysctls_of_devices_with_routers() {
  auto socket = TRY(kernel::Socket::open(NETLINK_ROUTE));
  std::vector<std::string> keys;
  for (const auto& device : TRY(devices_with_routers(socket))) {
    auto key = kernel::device_key(device, Ip::Family::kV6, "accept_ra");
    if (const auto value = kernel::read_sysctl(key); value && *value == "1")
      keys.push_back(std::move(key));
  }
  return keys;
}

namespace {

bool is_on_link(const kernel::Route& route) {
  return route.destination && !route.gateway && route.link_index != 0;
}

// Whether the route leads to the subnet of one of the host's addresses. Not by its protocol: DHCP
// clients and network managers make such routes themselves.
bool is_of_an_address(const kernel::Route& route,
                      const std::vector<kernel::AddressInfo>& addresses) {
  return is_on_link(route) && std::ranges::any_of(addresses, [&](const auto& each) {
           return each.link_index == route.link_index &&
                  each.address.network() == *route.destination;
         });
}

Cidr host_route(const Ip& ip) {
  return {ip, ip.bits()};
}

}  // namespace

Result<HostPrefixes> host_prefixes(kernel::Socket& route, Ip::Family family) {
  HostPrefixes prefixes;
  const auto addresses = TRY(kernel::list_addresses(route, std::nullopt, family));
  for (const auto& each : TRY(kernel::list_routes(route, family))) {
    if (each.gateway && each.gateway->family() == family)
      prefixes.needed.push_back(host_route(*each.gateway));
    if (each.destination)
      (is_of_an_address(each, addresses) ? prefixes.needed : prefixes.routed)
          .push_back(*each.destination);
  }
  if (const auto conf = sandbox::read_host_resolv_conf())  // unreadable: the host has no use of it
    for (const auto& server : conf->nameservers)
      if (server.ip && server.ip->family() == family)
        prefixes.needed.push_back(host_route(*server.ip));
  return prefixes;
}

Result<std::uint32_t> default_mtu(kernel::Socket& route, const IfName& vrf) {
  constexpr std::uint32_t kEthernetMtu = 1500;  // RFC 894
  auto table = kernel::kMainTable;
  if (!vrf.empty())
    if (const auto device = TRY(kernel::find_link(route, vrf))) table = device->vrf_table;
  std::optional<kernel::Route> best;
  for (const auto& each : TRY(kernel::list_routes(route, Ip::Family::kV4, table)))
    if (!each.destination && each.link_index != 0 && (!best || each.metric < best->metric))
      best = each;
  if (!best) return kEthernetMtu;
  const auto link = TRY(kernel::find_link(route, best->link_index));
  return link ? link->mtu : kEthernetMtu;
}

Result<bool> link_exists(kernel::Socket& route, const IfName& name) {
  return TRY(kernel::find_link(route, name)).has_value();
}

Result<std::vector<kernel::Route>> routes_in(const std::string& path, Ip::Family family) {
  auto socket = TRY(kernel::open_socket_in(TRY(kernel::Netns::open(path)), NETLINK_ROUTE));
  return kernel::list_routes(socket, family);
}

Result<std::vector<IfName>> links_down(const std::string& path) {
  auto socket = TRY(kernel::open_socket_in(TRY(kernel::Netns::open(path)), NETLINK_ROUTE));
  std::vector<IfName> down;
  for (const auto& link : TRY(kernel::list_links(socket)))
    if (!link.up) down.push_back(link.name);
  return down;
}

Result<std::optional<Cidr>> overlapped_link(kernel::Socket& route, const Cidr& subnet, int except) {
  const auto family = subnet.ip().family();
  std::optional<std::vector<kernel::AddressInfo>> addresses;  // once needed
  for (const auto& each : TRY(kernel::list_routes(route, family))) {
    if (!is_on_link(each) || each.link_index == except || !each.destination->overlaps(subnet))
      continue;
    if (each.destination->prefix() < subnet.prefix()) {
      if (!addresses) addresses = TRY(kernel::list_addresses(route, std::nullopt, family));
      if (!is_of_an_address(each, *addresses)) continue;
    }
    return each.destination;
  }
  return std::nullopt;
}

Result<bool> bridge_netfilter_on() {
  const auto value = kernel::read_sysctl("net/bridge/bridge-nf-call-iptables");
  if (!value && value.error().kind == ErrorKind::kNotFound) return false;
  return TRY(value) != "0";
}

bool has_ipv6() {
  // Not /proc/sys/net/ipv6: all namespaces' directories of that name are in one chain of the
  // kernel's name cache, and to find the right one of 1,000 takes a millisecond.
  return ::access("/proc/net/if_inet6", F_OK) == 0;
}

Status check_ipv6_on() {
  constexpr std::string_view kOff = "net/ipv6/conf/all/disable_ipv6";
  if (!has_ipv6()) return fail(ErrorKind::kUnsupported, "the kernel has no IPv6");
  if (TRY(kernel::read_sysctl(kOff)) == "0") return {};
  return fail(ErrorKind::kUnsupported, "IPv6 is switched off on this host (sysctl {} is 1)", kOff);
}

// FNV-1a (RFC 9923 has it): a fixed function, unlike std::hash.
std::uint64_t host_seed(std::string_view root) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&](std::string_view text) {
    for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3;
  };
  std::string machine;
  std::ifstream("/etc/machine-id") >> machine;
  mix(machine);
  mix(root);
  return hash;
}

}  // namespace berth::engine
