// Creating and removing networks, and making their kernel objects where they are missing.

#include <algorithm>
#include <array>

#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/interface.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/endpoints/dhcp.h"
#include "engine/endpoints/routes.h"
#include "engine/host/host_facts.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/networks/existing_bridge.h"
#include "engine/networks/networks.h"
#include "engine/networks/parents.h"
#include "engine/networks/subnets.h"
#include "engine/networks/templates.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
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

Result<Network> prepare(Instance& instance, Draft& draft, const CreateNetwork& asked) {
  TRY(check_name("network", asked.name));
  if (asked.name == "default")
    return fail(ErrorKind::kInvalid,
                "network default: with `run` the name stands for the network bridge: give another");
  auto others = TRY(draft.state.networks());
  const auto same_name = std::ranges::find(others, asked.name, &Network::name);
  if (same_name != others.end() && asked.ignore_existing) return *same_name;
  if (same_name != others.end())
    return fail(ErrorKind::kExists, "network {} exists already: give another name", asked.name);
  std::erase_if(others, [](const Network& each) { return each.config_only; });  // never made
  if (asked.config_only && !asked.adopt.empty())
    return fail(
        ErrorKind::kInvalid,
        "network {}: a template (--config-only) has no bridge: give --adopt to the networks "
        "that are made from it",
        asked.name);
  if (asked.config_only) {
    auto network = TRY(make_template(asked));
    draft.verb = "create network " + network.name;
    draft.durability = store::Durability::kFull;
    draft.state.put(network);
    draft.events.push_back(event_of(Event::Action::kNetworkCreate, network));
    return network;
  }
  const auto request = asked.config_from.empty() ? asked : TRY(from_template(draft.state, asked));

  Network network;
  network.id = random_id();
  network.name = request.name;
  network.config_from = request.config_from;
  network.driver = TRY(model::parse_driver(request.driver));
  network.created = now();
  network.ipv4 = request.ipv4;
  const auto is_v6 = [](const SubnetRequest& subnet) {
    return subnet.subnet && !subnet.subnet->ip().is_v4();
  };
  network.ipv6 = request.ipv6.value_or(std::ranges::any_of(request.subnets, is_v6));
  network.internal = request.internal;
  network.attachable = request.attachable;
  network.labels = request.labels;
  network.options = request.options;
  network.ipam = TRY(model::parse_ipam(request.ipam));
  TRY(model::check_ipam_options(network.ipam, request.ipam_options));
  network.ipam_options = request.ipam_options;
  TRY(model::read_options(network, request.options));
  if (request.ipv6) network.ipv6 = *request.ipv6;  // a flag before an option of the same meaning
  if (!request.ipv4) network.ipv4 = false;
  TRY(read_adoption(network, request.adopt));
  network.link.routes = request.routes;
  if (!network.ipv4 && !network.ipv6)
    return fail(ErrorKind::kInvalid, "network {}: neither IPv4 nor IPv6 is wanted: give --ipv6",
                network.name);

  auto& route = *TRY(instance.kernel.route());
  auto& device = network.bridge.device;
  if (network.driver == Driver::kBridge && device.empty())
    device = TRY(IfName::parse("br-" + short_id(network.id)));
  TRY(check_sharing(network, others));

  const auto& binding = network.bridge.host_binding;
  if (binding && !(binding->is_v4() ? network.ipv4 : network.ipv6))
    return fail(ErrorKind::kInvalid,
                "network {}: option {}={}: the network has no {}: give an {} address", network.name,
                model::kOptionHostBinding, binding->str(), binding->is_v4() ? "IPv4" : "IPv6",
                binding->is_v4() ? "IPv6" : "IPv4");
  TRY(check_dhcp(network, request));
  if (network.ipv6 && !drivers::carries_ipv6(network.link.mtu))
    return fail(
        ErrorKind::kInvalid,
        "network {}: an MTU of {} bytes is too small for IPv6: give 1280 or more, or no IPv6",
        network.name, network.link.mtu);
  if (network.ipv6 && !has_ipv6())
    return fail(ErrorKind::kUnsupported,
                "network {}: IPv6 is asked for, and the kernel has no IPv6: give --ipv6=false",
                network.name);
  if (network.ipam == Ipam::kNone && !request.subnets.empty())
    return fail(ErrorKind::kInvalid,
                "network {}: ipam driver null gives no addresses: it goes without subnets",
                network.name);
  if (has_parent(network)) TRY(complete_parent(instance, network, others));
  auto subnets = request.subnets;
  if (on_existing_bridge(network) && network.ipam == Ipam::kBerth)
    TRY(complete_from_bridge(route, network, !request.ipv6, subnets));
  if (auto added = add_subnets(network, subnets, others, pools_of(instance.config), route); !added)
    return std::unexpected(in_context(added.error(), "network {}", network.name));
  TRY(check_routes(network));

  draft.verb = "create network " + network.name;
  draft.durability = store::Durability::kFull;
  TRY(choose_host_addresses(instance, draft, network));
  draft.state.put(network);
  TRY(realise(instance, draft, network));
  draft.events.push_back(event_of(Event::Action::kNetworkCreate, network));
  return network;
}

Result<Network> create_network(Instance& instance, const CreateNetwork& request) {
  const auto held = TRY(lock_instance(instance));
  constexpr int kTries = 8;
  std::vector<Ip> neighbours;
  for (int i = 1;; ++i) {
    Draft draft(*instance.store);
    draft.neighbours = neighbours;
    auto network = TRY(prepare(instance, draft, request));
    auto made = commit(instance, draft);
    if (made) return network;
    // A neighbour has the address that was chosen for the host: then it is to be another one.
    const auto chosen = chosen_host_addresses(network);
    const bool answered = made.error().kind == ErrorKind::kInUse && made.error().sys == 0;
    if (!answered || chosen.empty() || i == kTries) return std::unexpected(std::move(made).error());
    neighbours.insert(neighbours.end(), chosen.begin(), chosen.end());
  }
}

}  // namespace berth::engine
