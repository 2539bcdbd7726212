// Creating and removing networks, and making their kernel objects where they are missing.

#include <algorithm>
#include <array>

#include "base/result.h"
#include "drivers/bridge/bridge.h"
#include "engine/host_facts.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "ipam/allocator.h"
#include "ipam/pools.h"
#include "ipam/subnet.h"
#include "model/options.h"

namespace berth {
namespace {

using engine::Change;

constexpr std::string_view kDefaultDevice = "berth0";

firewall::NetworkIntent intent_of(const Network& network) {
  firewall::NetworkIntent intent{.bridge = network.bridge.device,
                                 .subnets = {},
                                 .internal = network.internal,
                                 .icc = network.bridge.icc,
                                 .masquerade = network.bridge.masquerade,
                                 .owner = {}};
  for (const auto& subnet : network.subnets) intent.subnets.push_back(subnet.cidr);
  return intent;
}

// The names of those who are attached, for an error.
Result<std::string> users_of(engine::State& state, const Network& network) {
  std::string users;
  for (const auto& endpoint : TRY(state.endpoints_of_network(network.id))) {
    const auto user = state.sandbox(endpoint.sandbox_id);
    users += (users.empty() ? "" : ", ") + (user ? user->name : endpoint.sandbox_id);
  }
  return users;
}

Status check_overlap(const Cidr& subnet, const std::vector<Network>& networks) {
  for (const auto& other : networks)
    for (const auto& taken : other.subnets)
      if (taken.cidr.overlaps(subnet))
        return fail(ErrorKind::kInvalid, "subnet {} overlaps {} of network {}: give a free one",
                    subnet.str(), taken.cidr.str(), other.name);
  return {};
}

Result<Subnet> choose_and_complete(SubnetRequest request, const std::vector<Network>& networks,
                                   std::span<const ipam::Pool> pools, kernel::Socket& route) {
  if (!request.subnet) {
    if (request.range || request.gateway || !request.aux.empty())
      return fail(ErrorKind::kInvalid,
                  "an ip-range, gateway or aux-address needs the subnet it is of: give --subnet");
    auto used = TRY(engine::routed_prefixes(route));
    for (const auto& network : networks)
      for (const auto& subnet : network.subnets) used.push_back(subnet.cidr);
    request.subnet = TRY(ipam::choose_subnet(pools, used));
  }
  auto subnet = TRY(ipam::complete_subnet(
      {*request.subnet, request.range, request.gateway, std::move(request.aux)}));
  TRY(check_overlap(subnet.cidr, networks));
  for (const auto& connected : TRY(engine::connected_prefixes(route)))
    if (connected.overlaps(subnet.cidr))
      return fail(ErrorKind::kInvalid, "subnet {} overlaps {}, which the host is on: give a free one",
                  subnet.cidr.str(), connected.str());
  if (ipam::usable_addresses(subnet) == 0)
    return fail(ErrorKind::kInvalid,
                "the ip-range {} holds no address for a container: give a larger one",
                subnet.range ? subnet.range->str() : subnet.cidr.str());
  return subnet;
}

// Of another instance's bridge, whose: for an error.
Result<std::string> whose(Engine::Impl& impl, const IfName& device) {
  for (const auto& element : TRY(impl.others_elements(firewall::kBridges)))
    if (element.key.front() == nft::Field(device))
      return fmt::format(" but that of network {} of another instance of berth",
                         element.comment.substr(0, element.comment.find(' ')));
  return "";
}

std::vector<ipam::Pool> pools_of(const Config& config) {
  std::vector<ipam::Pool> pools;
  for (const auto& [base, size] : config.pools) pools.push_back({base, size});
  if (pools.empty()) {
    const auto defaults = ipam::default_pools();
    pools.assign(defaults.begin(), defaults.end());
  }
  return pools;
}

}  // namespace

Result<Network> Engine::Impl::prepare(Change& change, const CreateNetwork& request) {
  TRY(engine::check_name("network", request.name));
  const auto others = TRY(change.state.networks());
  if (std::ranges::find(others, request.name, &Network::name) != others.end())
    return fail(ErrorKind::kExists, "network {} exists already: give another name", request.name);

  Network network;
  network.id = engine::random_id();
  network.name = request.name;
  network.driver = TRY(model::parse_driver(request.driver));
  network.created = engine::now();
  network.internal = request.internal;
  network.labels = request.labels;
  network.options = request.options;
  network.bridge = TRY(model::parse_bridge_options(request.options));

  auto& route = *TRY(kernel.route());
  auto& device = network.bridge.device;
  if (device.empty()) device = TRY(IfName::parse("br-" + engine::short_id(network.id)));
  const auto same_device = [&](const Network& other) { return other.bridge.device == device; };
  if (const auto other = std::ranges::find_if(others, same_device); other != others.end())
    return fail(ErrorKind::kExists, "network {}: bridge {} belongs to network {}", network.name,
                device.str(), other->name);

  if (request.subnets.size() > 1)
    return fail(ErrorKind::kInvalid, "network {}: {} subnets given, a bridge network takes one",
                network.name, request.subnets.size());
  const auto asked = request.subnets.empty() ? SubnetRequest{} : request.subnets.front();
  if (asked.subnet && !asked.subnet->ip().is_v4())
    return fail(ErrorKind::kUnsupported, "network {}: subnet {} is IPv6: give an IPv4 subnet",
                network.name, asked.subnet->str());
  auto subnet = choose_and_complete(asked, others, pools_of(config), route);
  if (!subnet) return std::unexpected(in_context(subnet.error(), "network {}", network.name));
  network.subnets.push_back(*std::move(subnet));

  change.verb = "create network " + network.name;
  change.durability = store::Durability::kFull;
  change.state.put(network);
  TRY(realise(change, network));
  return network;
}

Result<engine::Realised> Engine::Impl::realise(Change& change, const Network& network) {
  if (const auto there = TRY(change.state.realised(network))) return *there;
  auto& route = *TRY(kernel.route());
  const auto& device = network.bridge.device;
  if (TRY(engine::link_exists(route, device)))
    return fail(ErrorKind::kExists,
                "network {}: an interface {} exists already and is not this network's{}: remove it, "
                "or {}",
                network.name, device.str(), TRY(whose(*this, device)),
                network.predefined ? "use a network made with `berth network create`"
                                   : fmt::format("give another {}", model::kOptionBridgeName));
  engine::Realised realised{network.bridge.mtu};
  if (realised.mtu == 0) realised.mtu = TRY(engine::default_mtu(route));
  if (!TRY(table_intact())) change.plan.push_back(plan::EnsureTable{});
  plan::append(change.plan, network_plan(network, realised.mtu));
  if (!network.internal && !TRY(engine::ip_forward_on())) {
    change.plan.push_back(plan::SetSysctl{std::string(engine::kIpForward), "1", "0"});
    if (!TRY(shared(firewall::kSharedForwarding)))
      change.plan.push_back(plan::AddElement{firewall::shared_element(firewall::kSharedForwarding, "0")});
    change.state.put_switched(engine::kIpForward, "0");
  }
  if (TRY(others_have_networks()) && !TRY(shared(firewall::kSharedInstances)))
    change.plan.push_back(
        plan::AddElement{firewall::shared_element(firewall::kSharedInstances)});
  change.state.put_realised(network, realised);
  return realised;
}

// Who may not read the ruleset may still have the whole plan printed.
Result<bool> Engine::Impl::table_intact() {
  const auto read = [&]() -> Result<bool> { return firewall::table_intact(*TRY(kernel.nft())); };
  auto intact = read();
  if (!intact && config.only_plan && intact.error().kind == ErrorKind::kPermission) return false;
  return intact;
}

plan::Plan Engine::Impl::network_plan(const Network& network, std::uint32_t mtu) const {
  auto plan = drivers::bridge::create(network, mtu);
  auto intent = intent_of(network);
  intent.owner = fmt::format("{} {} {}", network.name, engine::short_id(network.id), instance);
  for (auto& element : firewall::network_elements(intent))
    plan.push_back(plan::AddElement{std::move(element)});
  return plan;
}

Status Engine::Impl::prepare(Change& change, const RemoveNetworks& request) {
  change.direction = engine::Direction::kRemove;
  change.durability = store::Durability::kFull;
  change.verb = fmt::format("remove network {}", fmt::join(request.networks, " "));
  auto& state = change.state;
  std::vector<Network> networks;
  for (const auto& reference : request.networks) {
    auto network = state.network(reference);
    if (!network && request.force && network.error().kind == ErrorKind::kNotFound) continue;
    if (!network) return std::unexpected(network.error());
    if (network->predefined)
      return fail(ErrorKind::kInvalid, "network {} is predefined and cannot be removed",
                  network->name);
    const auto users = TRY(users_of(state, *network));
    if (!users.empty() && !request.force)
      return fail(ErrorKind::kInUse,
                  "network {} is in use by {}: disconnect them first, or use --force",
                  network->name, users);
    networks.push_back(*std::move(network));
  }

  return remove(change, networks);
}

Status Engine::Impl::remove(Change& change, const std::vector<Network>& networks) {
  auto& state = change.state;
  change.closing = networks;
  for (const auto& network : networks)
    TRY(detach(change, TRY(state.endpoints_of_network(network.id))));
  plan::Plan links;
  for (const auto& network : networks) {
    if (const auto realised = TRY(state.realised(network))) {
      auto intent = intent_of(network);
      intent.owner = fmt::format("{} {} {}", network.name, engine::short_id(network.id), instance);
      for (auto& element : firewall::network_elements(intent))
        change.plan.push_back(plan::DeleteElement{std::move(element)});
      plan::append(links, drivers::bridge::remove(network));
    }
    state.erase(network);
  }
  const bool last_instance = !TRY(others_have_networks());
  if (last_instance)
    if (auto several = TRY(shared(firewall::kSharedInstances)))
      change.plan.push_back(plan::DeleteElement{*std::move(several)});
  if (!TRY(state.forwarding_needed_without(networks))) {
    // The last instance that has networks puts it back, whoever switched it.
    const auto mark = TRY(shared(firewall::kSharedForwarding));
    const auto before = mark ? mark->comment : TRY(state.switched(engine::kIpForward));
    if (before && last_instance)
      change.plan.push_back(plan::SetSysctl{std::string(engine::kIpForward), *before, "1"});
    if (mark && last_instance) change.plan.push_back(plan::DeleteElement{*mark});
    if (mark || last_instance) state.erase_switched(engine::kIpForward);
  }
  bool last = !links.empty();
  for (const auto& network : TRY(state.networks()))
    if (TRY(state.realised(network))) last = false;
  if (last) change.plan.push_back(plan::DeleteTableIfUnused{});
  plan::append(change.last, std::move(links));
  return {};
}

Status Engine::Impl::heal(const Network& network) {
  Change change(*store);
  change.verb = "repair network " + network.name;
  const auto realised = TRY(change.state.realised(network));
  if (!realised) return {};
  if (!TRY(table_intact())) change.plan.push_back(plan::EnsureTable{});
  plan::append(change.plan, TRY(plan::missing(kernel, network_plan(network, realised->mtu))));
  return commit(change);
}

void Engine::Impl::put_back(const Change& change) {
  const auto make = [&](const Result<plan::Plan>& wanted) {
    if (!wanted) return;
    if (const auto gone = plan::missing(kernel, *wanted)) (void)plan::apply_all(kernel, *gone);
  };
  Change look(*store);
  for (const auto& network : change.closing)
    if (const auto realised = look.state.realised(network); realised && *realised)
      make(network_plan(network, (*realised)->mtu));
  for (const auto& endpoint : change.leaving) {
    const auto network = look.state.network_by_id(endpoint.network_id);
    const auto sandbox = look.state.sandbox(endpoint.sandbox_id);
    if (network && sandbox && alive(*sandbox)) make(endpoint_plan(*network, *sandbox, endpoint));
  }
}

Status Engine::Impl::choose_subnet(Change& change, Network& network) {
  auto subnet = choose_and_complete({}, TRY(change.state.networks()), pools_of(config),
                                    *TRY(kernel.route()));
  if (!subnet) return std::unexpected(in_context(subnet.error(), "network {}", network.name));
  network.subnets.push_back(*std::move(subnet));
  change.state.put(network);
  return {};
}

// Docker's three, made with the store itself. `bridge` gets its devices when it is first used, so
// that asking berth for anything does not change the host.
Status Engine::Impl::add_predefined_networks() {
  Change change(*store);
  if (TRY(change.transaction.get("network-name/none"))) return {};
  for (const auto& [name, driver] :
       {std::pair{"bridge", Driver::kBridge}, std::pair{"host", Driver::kHost},
        std::pair{"none", Driver::kNone}}) {
    Network network;
    network.id = engine::random_id();
    network.name = name;
    network.driver = driver;
    network.created = engine::now();
    network.predefined = true;
    if (driver == Driver::kBridge) {
      network.options = {{std::string(model::kOptionBridgeName), std::string(kDefaultDevice)}};
      network.bridge = TRY(model::parse_bridge_options(network.options));
      auto subnet = choose_and_complete({}, {}, pools_of(config), *TRY(kernel.route()));
      // Without one it gets its subnet at its first use, like its devices.
      if (!subnet && subnet.error().kind != ErrorKind::kExhausted)
        return std::unexpected(subnet.error());
      if (subnet) network.subnets.push_back(*std::move(subnet));
    }
    change.state.put(network);
  }
  change.durability = store::Durability::kFull;
  return commit(change);
}

}  // namespace berth
