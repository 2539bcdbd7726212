#include "kernel_objects.h"

#include <linux/netlink.h>

#include <string_view>

#include "firewall/table.h"
#include "harness.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/netns/netns.h"
#include "kernel/nft/connection.h"
#include "kernel/sysctl/sysctl.h"

namespace berth::bench {
namespace {

bool is_link_local(const Ip& ip) {
  return !ip.is_v4() && Cidr::parse("fe80::/10").value().contains(ip);
}

std::string_view version_of(const Ip& ip) {
  return ip.is_v4() ? "IPv4" : "IPv6";
}

// One namespace, which `socket` speaks for and `read_sysctl` reads of.
template <typename ReadSysctl>
KernelObjects look(kernel::Socket& socket, ReadSysctl read_sysctl) {
  KernelObjects objects;
  for (const auto& link : must(kernel::list_links(socket))) {
    std::string settings;
    for (const char* name : {"disable_ipv6", "accept_ra", "accept_dad"})
      if (const auto value = read_sysctl("net/ipv6/conf/" + link.name.str() + "/" + name))
        settings += fmt::format(" {}={}", name, *value);
    ++objects[fmt::format("link kind={} up={} port={} hairpin={} isolated={} mtu={}{}", link.kind,
                          link.up, link.master != 0, link.hairpin.value_or(false),
                          link.isolated.value_or(false), link.mtu, settings)];
  }
  for (const auto& each : must(kernel::list_addresses(socket)))
    if (!is_link_local(each.address.ip()))
      ++objects[fmt::format("address {}/{} broadcast={} flags={:#x}", version_of(each.address.ip()),
                            each.address.prefix(), each.broadcast.has_value(), each.flags)];
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6})
    for (const auto& route : must(kernel::list_routes(socket, family)))
      if (!route.destination || !is_link_local(route.destination->ip()))
        ++objects[fmt::format("route {}/{} gateway={} type={} protocol={} metric={}",
                              family == Ip::Family::kV4 ? "IPv4" : "IPv6",
                              route.destination ? route.destination->prefix() : 0,
                              route.gateway.has_value(), route.type, route.protocol, route.metric)];
  return objects;
}

}  // namespace

KernelObjects host_objects() {
  auto socket = must(kernel::Socket::open(NETLINK_ROUTE));
  auto objects = look(socket, &kernel::read_sysctl);
  auto connection = must(nft::Connection::open());
  for (const auto& set : firewall::table().sets) {
    const auto elements = connection.list_elements(std::string(firewall::kTable), set);
    if (elements && !elements->empty())
      objects["element of " + set.name] = static_cast<int>(elements->size());
  }
  return objects;
}

KernelObjects objects_in(const std::string& path) {
  const auto netns = must(kernel::Netns::open(path));
  auto socket = must(kernel::open_socket_in(netns, NETLINK_ROUTE));
  return look(socket, [&](const std::string& key) { return kernel::read_sysctl_in(netns, key); });
}

KernelObjects added(const KernelObjects& before, const KernelObjects& after) {
  KernelObjects more;
  for (const auto& [object, count] : after) {
    const auto old = before.find(object);
    const int change = count - (old == before.end() ? 0 : old->second);
    if (change > 0) more[object] = change;
  }
  return more;
}

std::string text(const KernelObjects& objects) {
  std::string lines;
  for (const auto& [object, count] : objects) lines += fmt::format("{:>4} x {}\n", count, object);
  return lines;
}

}  // namespace berth::bench
