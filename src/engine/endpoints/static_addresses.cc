#include "engine/endpoints/static_addresses.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "base/result.h"
#include "engine/ports/publish.h"
#include "engine/state/state.h"
#include "engine/targets/targets.h"
#include "ipam/subnet.h"

namespace berth::engine {
namespace {

constexpr std::string_view family_name(Ip::Family family) {
  return family == Ip::Family::kV4 ? "IPv4" : "IPv6";
}

// Not taken, and one that a host can have: in a subnet of the network's, none that this keeps.
Status check_address(State& state, const Network& network, const Cidr& address) {
  const auto& ip = address.ip();
  for (const auto& subnet : network.subnets)
    if (subnet.cidr.contains(ip)) return state.reserve(network, subnet, ip);
  if (ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() ||
      ip == Ip::v4(255, 255, 255, 255) || address.prefix() == 0)
    return fail(ErrorKind::kInvalid, "{} is no address of an interface: give one like 10.1.1.5/24",
                address.str());
  if (address.prefix() < ip.bits())  // alone in its subnet, it is the first and the last of it
    TRY(ipam::check_host_address(address.network(), ip, "address " + ip.str()));
  return state.check_free(network, ip);
}

// Link-local addresses are in no subnet of the network's, and have no lease.
Status check_nobodys(State& state, const Network& network, std::span<const Cidr> addresses) {
  for (const auto& on : TRY(state.on_one_segment(network))) {
    for (const auto& other : TRY(state.endpoints_of_network(on.id))) {
      for (const auto& each : addresses) {
        const auto is_same = [&](const Cidr& has) { return has.ip() == each.ip(); };
        if (std::ranges::none_of(other.asked.link_local, is_same) &&
            std::ranges::none_of(addresses_of(other), is_same))
          continue;
        const auto user = state.sandbox(other.sandbox_id);
        return fail(ErrorKind::kInUse, "network {}: address {} is taken by {}", network.name,
                    each.ip().str(), user ? user->name : other.sandbox_id);
      }
    }
  }
  return {};
}

}  // namespace

Status take_static_addresses(State& state, const Network& network, const Sandbox& sandbox,
                             std::span<const Endpoint> others,
                             const std::function<Result<bool>(Ip::Family)>& has_foreign_default,
                             Endpoint& endpoint) {
  const auto& asked = endpoint.asked;
  for (auto each = asked.addresses.begin(); each != asked.addresses.end(); ++each) {
    TRY(check_address(state, network, *each));
    if (std::ranges::find(asked.addresses.begin(), each, each->ip(), &Cidr::ip) != each)
      return fail(ErrorKind::kInvalid, "address {} is given twice", each->ip().str());
    auto& own = each->ip().is_v4() ? endpoint.address4 : endpoint.address6;
    if (!own) own = *each;
  }
  std::vector<Cidr> link_local;
  std::ranges::copy_if(asked.addresses, std::back_inserter(link_local),
                       [](const Cidr& each) { return ipam::is_link_local(each.ip()); });
  if (!link_local.empty()) TRY(check_nobodys(state, network, link_local));
  int priority = asked.gw_priority;
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    const bool v4 = family == Ip::Family::kV4;
    const auto& gateway = v4 ? asked.gateway4 : asked.gateway6;
    if (!gateway) continue;
    // Every interface with IPv6 reaches link-local addresses of its segment (RFC 4861,
    // section 5.2).
    const bool on_link = !v4 && ipam::is_link_local(*gateway);
    const auto reaches = [&](const Cidr& address) {
      return address.contains(*gateway) || (on_link && !address.ip().is_v4());
    };
    if (gateway->family() != family || std::ranges::none_of(asked.addresses, reaches))
      return fail(ErrorKind::kInvalid,
                  "gateway {} is in the subnet of none of the addresses: give one that is",
                  gateway->str());
    for (const auto& address : asked.addresses)
      if (address.contains(*gateway) && address.prefix() < gateway->bits())
        TRY(ipam::check_host_address(address.network(), *gateway, "gateway " + gateway->str()));
    if (std::ranges::find(asked.addresses, *gateway, &Cidr::ip) != asked.addresses.end())
      return fail(ErrorKind::kInvalid, "gateway {} is one of the addresses: give another's",
                  gateway->str());
    if (TRY(has_foreign_default(family)))
      return fail(ErrorKind::kExists,
                  "gateway {}: {} has an {} default route that is not berth's: take it away first, "
                  "or attach without a gateway",
                  gateway->str(), sandbox.name, family_name(family));
    (v4 ? endpoint.gateway4 : endpoint.gateway6) = gateway;
    for (const auto& other : others) {
      if (other.asked.gw_priority == std::numeric_limits<int>::max())
        return fail(ErrorKind::kInvalid,
                    "gateway {}: the default route goes by network {}, whose priority is the "
                    "highest there is: connect {} to that with a lower one",
                    gateway->str(), other.network_name, sandbox.name);
      priority = std::max(priority, other.asked.gw_priority + 1);
    }
  }
  endpoint.asked.gw_priority = priority;
  return {};
}

Status check_link_local(State& state, const Network& network, std::span<const Cidr> addresses) {
  for (auto each = addresses.begin(); each != addresses.end(); ++each) {
    const auto& ip = each->ip();
    if (const auto meant = TRY(parse_link_local(ip.str())); meant != *each)
      return fail(ErrorKind::kInvalid, "link-local address {}: its prefix length is to be {}",
                  each->str(), meant.prefix());
    TRY(ipam::check_host_address(each->network(), ip, "link-local address " + ip.str()));
    if (std::find(addresses.begin(), each, *each) != each)
      return fail(ErrorKind::kInvalid, "link-local address {} is given twice", ip.str());
  }
  return check_nobodys(state, network, addresses);
}

}  // namespace berth::engine
