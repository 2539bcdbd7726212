// What can be changed of a network that is in use, and who uses it.

#include "base/result.h"
#include "engine/endpoints/segment.h"
#include "engine/instance.h"
#include "engine/networks/networks.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
#include "ipam/allocator.h"

namespace berth::engine {
namespace {

std::uint64_t saturated(Uint128 number) {
  constexpr auto kMax = ~std::uint64_t{0};
  return number > kMax ? kMax : static_cast<std::uint64_t>(number);
}

Uint128 size_of(const Cidr& cidr) {
  const int host_bits = cidr.ip().bits() - cidr.prefix();
  return host_bits == 128 ? ~Uint128{0} : Uint128{1} << host_bits;
}

}  // namespace

Result<Network> prepare(Instance& /*instance*/, Draft& draft, const UpdateNetwork& request) {
  auto network = TRY(draft.state.network(request.network));
  if (network.predefined)
    return fail(ErrorKind::kInvalid, "network {} is predefined and cannot be changed",
                network.name);
  if (request.add_labels.empty() && request.remove_labels.empty())
    return fail(ErrorKind::kInvalid, "network {}: no change is asked for", network.name);
  for (const auto& key : request.remove_labels) network.labels.erase(key);
  for (const auto& [key, value] : request.add_labels) network.labels[key] = value;
  draft.verb = "update network " + network.name;
  draft.durability = store::Durability::kFull;
  draft.state.put(network);
  draft.events.push_back(event_of(Event::Action::kNetworkUpdate, network));
  return network;
}

Result<std::vector<SubnetUse>> network_subnet_use(Instance& instance, const Network& network) {
  std::vector<SubnetUse> uses;
  if (network.config_only || network.subnets.empty()) return uses;
  // What allocation passes over: what is given out and kept on the whole segment.
  View look(*instance.store);
  auto kept = TRY(addresses_of_host(*TRY(instance.kernel.route()), network));
  std::vector<std::pair<std::string, Ip>> leased;  // the network's id, and an endpoint's address
  for (const auto& each : TRY(look.state.on_one_segment(network))) {
    for (const auto& address : each.parent.host_addresses) kept.push_back(address.ip());
    for (const auto& subnet : each.subnets) {
      if (subnet.gateway) kept.push_back(*subnet.gateway);
      for (const auto& [name, ip] : subnet.aux) kept.push_back(ip);
    }
    for (const auto& endpoint : TRY(look.state.endpoints_of_network(each.id)))
      for (const auto& address : addresses_of(endpoint)) leased.emplace_back(each.id, address.ip());
  }
  for (const auto& asked : network.subnets) {
    const auto subnet = keeping(asked, kept);
    Uint128 in_use = 0, of_range = 0;
    for (const auto& [of, ip] : leased) {
      if (!subnet.cidr.contains(ip)) continue;
      if (of == network.id) ++in_use;
      if (subnet.range.value_or(subnet.cidr).contains(ip)) ++of_range;
    }
    auto whole = subnet;
    whole.range.reset();
    const auto usable = ipam::usable_addresses(subnet);
    uses.push_back({.network = network.name,
                    .subnet = subnet.cidr,
                    .in_use = saturated(in_use),
                    .reserved = saturated(size_of(subnet.cidr) - ipam::usable_addresses(whole)),
                    .available = saturated(usable > of_range ? usable - of_range : 0)});
  }
  return uses;
}

Result<std::vector<Network>> list_unused_networks(Instance& instance) {
  View look(*instance.store);
  std::vector<Network> unused;
  for (auto& network : TRY(look.state.networks())) {
    if (network.predefined || network.config_only) continue;
    if (TRY(look.state.endpoints_of_network(network.id)).empty())
      unused.push_back(std::move(network));
  }
  return unused;
}

}  // namespace berth::engine
