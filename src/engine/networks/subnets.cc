#include "engine/networks/subnets.h"

#include <algorithm>
#include <array>

#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/interface.h"
#include "engine/host/host_facts.h"
#include "engine/instance.h"
#include "engine/networks/existing_bridge.h"
#include "engine/networks/networks.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "ipam/allocator.h"
#include "ipam/pools.h"
#include "ipam/subnet.h"
#include "kernel/netlink/link.h"
#include "kernel/sysctl/sysctl.h"
#include "model/options.h"
#include "translator/translator.h"

namespace berth::engine {
namespace {

Status check_overlap(const Network& network, const Cidr& subnet,
                     const std::vector<Network>& networks) {
  for (const auto& other : networks) {
    // Networks of one bridge are one segment.
    if (on_existing_bridge(network) && on_existing_bridge(other) &&
        network.bridge.device == other.bridge.device)
      continue;
    for (const auto& taken : other.subnets)
      if (taken.cidr.overlaps(subnet))
        return fail(ErrorKind::kInvalid, "subnet {} overlaps {} of network {}: give a free one",
                    subnet.str(), taken.cidr.str(), other.name);
  }
  return {};
}

// Whether the subnets of a network need an address that somebody routes at.
bool wants_gateway(const Network& network, Ip::Family family) {
  switch (network.driver) {
    case Driver::kBridge: {
      const auto& [mode4, mode6] = std::tie(network.bridge.mode4, network.bridge.mode6);
      const bool nobody_routes =
          family == Ip::Family::kV4 && network.internal && network.bridge.inhibit_ipv4;
      return !nobody_routes &&
             (family == Ip::Family::kV4 ? mode4 : mode6) != GatewayMode::kIsolated;
    }
    case Driver::kMacvlan:
      return !network.internal;
    case Driver::kIpvlan:
      return !network.internal && network.parent.ipvlan_mode == IpvlanMode::kL2;
    case Driver::kHost:
    case Driver::kNone:
      break;
  }
  return false;
}

Result<Subnet> choose_and_complete(const Network& network, Ip::Family family, SubnetRequest request,
                                   const std::vector<Network>& others,
                                   std::span<const ipam::Pool> pools, kernel::Socket& route) {
  // 0.0.0.0/24 and ::/64 ask for any subnet of that size, as in Docker.
  std::optional<int> size;
  if (request.subnet && request.subnet->ip().is_unspecified() && request.subnet->prefix() != 0)
    size = request.subnet->prefix();
  if (!request.subnet || size) {
    if (request.range || request.gateway || !request.aux.empty())
      return fail(ErrorKind::kInvalid,
                  "an ip-range, gateway or aux-address needs the subnet it is of: give --subnet");
    auto [taken, routed] = TRY(host_prefixes(route, family));
    for (const auto& other : others)
      for (const auto& subnet : other.subnets) taken.push_back(subnet.cidr);
    for (const auto& subnet : network.subnets) taken.push_back(subnet.cidr);
    std::vector<ipam::Pool> of_family;
    for (const auto& pool : pools)
      if (pool.base.ip().family() == family && pool.base.prefix() <= size.value_or(pool.size))
        of_family.push_back({pool.base, size.value_or(pool.size)});
    if (size) TRY(ipam::check_size(family, *size));
    request.subnet = TRY(ipam::choose_subnet(of_family, taken, routed));
  }
  auto subnet =
      TRY(ipam::complete_subnet({*request.subnet, request.range, request.gateway,
                                 std::move(request.aux), wants_gateway(network, family)}));
  if (has_parent(network))
    for (const auto& other : network.subnets)
      if (other.cidr.overlaps(subnet.cidr))
        return fail(ErrorKind::kInvalid, "subnets {} and {} overlap: give ones that do not",
                    other.cidr.str(), subnet.cidr.str());
  // A bridge is a segment of its own; what is on a parent shares the segment that the parent is on.
  if (network.driver == Driver::kBridge && network.bridge.managed) {
    TRY(check_overlap(network, subnet.cidr, others));
    const auto link_local = TRY(Cidr::parse("fe80::/64"));  // every device's own: one more may be
    const auto own = TRY(kernel::find_link(route, network.bridge.device));  // if it is adopted
    const auto linked = TRY(overlapped_link(route, subnet.cidr, own ? own->index : 0));
    if (linked && subnet.cidr != link_local)
      return fail(ErrorKind::kInvalid,
                  "subnet {} overlaps {}, which the host is on: give a free one", subnet.cidr.str(),
                  linked->str());
  }
  if (ipam::usable_addresses(subnet) == 0)
    return fail(ErrorKind::kInvalid,
                "the ip-range {} holds no address for a container: give a larger one",
                subnet.range ? subnet.range->str() : subnet.cidr.str());
  return subnet;
}

}  // namespace

std::vector<ipam::Pool> pools_of(const Config& config) {
  std::vector<ipam::Pool> pools;
  pools.assign(config.pools.begin(), config.pools.end());
  const auto has = [&](Ip::Family family) {
    return std::ranges::any_of(
        pools, [&](const ipam::Pool& pool) { return pool.base.ip().family() == family; });
  };
  if (!has(Ip::Family::kV4)) {
    const auto defaults = ipam::default_pools();
    pools.insert(pools.end(), defaults.begin(), defaults.end());
  }
  if (!has(Ip::Family::kV6)) pools.push_back(ipam::unique_local_pool(host_seed(config.root)));
  return pools;
}

// The network's subnets: those asked for, and for each family without one a block of the pools.
Status add_subnets(Network& network, const std::vector<SubnetRequest>& asked,
                   const std::vector<Network>& others, std::span<const ipam::Pool> pools,
                   kernel::Socket& route) {
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    const bool v4 = family == Ip::Family::kV4;
    std::vector<SubnetRequest> of_family;
    for (const auto& request : asked) {
      // What names no address of either family belongs to IPv4, as Docker has it.
      const auto named = request.subnet ? request.subnet->ip().family() : Ip::Family::kV4;
      if (named == family) of_family.push_back(request);
    }
    const bool wanted = v4 ? network.ipv4 : network.ipv6;
    if (!wanted && !of_family.empty())
      return fail(ErrorKind::kInvalid, "subnet {} is given, but the network has no {}",
                  of_family.front().subnet ? of_family.front().subnet->str() : "",
                  v4 ? "IPv4 (--ipv4=false)" : "IPv6 (--ipv6=false)");
    if (!wanted) continue;
    if (of_family.empty() && network.ipam == Ipam::kBerth) of_family.emplace_back();
    if (network.driver == Driver::kBridge && of_family.size() > 1)
      return fail(ErrorKind::kInvalid,
                  "{} {} subnets given, a bridge network takes one of each family",
                  of_family.size(), v4 ? "IPv4" : "IPv6");
    for (auto& request : of_family)
      network.subnets.push_back(
          TRY(choose_and_complete(network, family, std::move(request), others, pools, route)));
  }
  return {};
}

Status choose_subnet(Instance& instance, Draft& draft, Network& network) {
  auto others = TRY(draft.state.networks());
  std::erase_if(others, [](const Network& each) { return each.config_only; });
  if (auto added = add_subnets(network, {}, others, pools_of(instance.config),
                               *TRY(instance.kernel.route()));
      !added)
    return std::unexpected(in_context(added.error(), "network {}", network.name));
  draft.state.put(network);
  return {};
}

}  // namespace berth::engine
