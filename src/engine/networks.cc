// Creating and removing networks, and making their kernel objects where they are missing.

#include <algorithm>
#include <array>

#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/interface.h"
#include "engine/given_bridge.h"
#include "engine/host_facts.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "engine/renamed.h"
#include "engine/routes.h"
#include "engine/templates.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "ipam/allocator.h"
#include "ipam/pools.h"
#include "ipam/subnet.h"
#include "kernel/netlink/link.h"
#include "kernel/sysctl/sysctl.h"
#include "model/options.h"
#include "translator/translator.h"

namespace berth {
namespace {

using engine::Change;

constexpr std::string_view kDefaultDevice = "berth0";

// Of a name in a comment: what tells whose the element is comes after it (firewall::comment_of).
constexpr std::size_t kMaxNameBytes = 60;

firewall::NetworkIntent intent_of(const Network& network, std::string owner) {
  firewall::NetworkIntent intent{.bridge = network.bridge.device,
                                 .subnets = {},
                                 .internal = network.internal,
                                 .icc = network.bridge.icc,
                                 .masquerade = network.bridge.masquerade,
                                 .masquerade6 = network.bridge.masquerade,
                                 .mode4 = network.bridge.mode4,
                                 .mode6 = network.bridge.mode6,
                                 .source4 = network.bridge.snat4,
                                 .source6 = network.bridge.snat6,
                                 .owner = std::move(owner)};
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

Status check_overlap(const Network& network, const Cidr& subnet,
                     const std::vector<Network>& networks) {
  for (const auto& other : networks) {
    // Networks of one bridge are one segment.
    if (engine::on_given_bridge(network) && engine::on_given_bridge(other) &&
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
    auto [taken, routed] = TRY(engine::host_prefixes(route, family));
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
  if (engine::has_parent(network))
    for (const auto& other : network.subnets)
      if (other.cidr.overlaps(subnet.cidr))
        return fail(ErrorKind::kInvalid, "subnets {} and {} overlap: give ones that do not",
                    other.cidr.str(), subnet.cidr.str());
  // A bridge is a segment of its own; what is on a parent shares the segment that the parent is on.
  if (network.driver == Driver::kBridge && network.bridge.managed) {
    TRY(check_overlap(network, subnet.cidr, others));
    const auto link_local = TRY(Cidr::parse("fe80::/64"));  // every device's own: one more may be
    const auto own = TRY(kernel::find_link(route, network.bridge.device));  // if it is adopted
    const auto linked = TRY(engine::overlapped_link(route, subnet.cidr, own ? own->index : 0));
    if (linked && subnet.cidr != link_local)
      return fail(ErrorKind::kInvalid,
                  "subnet {} overlaps {}, which the host is on: give a free one",
                  subnet.cidr.str(), linked->str());
  }
  if (ipam::usable_addresses(subnet) == 0)
    return fail(ErrorKind::kInvalid,
                "the ip-range {} holds no address for a container: give a larger one",
                subnet.range ? subnet.range->str() : subnet.cidr.str());
  return subnet;
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
  pools.assign(config.pools.begin(), config.pools.end());
  const auto has = [&](Ip::Family family) {
    return std::ranges::any_of(
        pools, [&](const ipam::Pool& pool) { return pool.base.ip().family() == family; });
  };
  if (!has(Ip::Family::kV4)) {
    const auto defaults = ipam::default_pools();
    pools.insert(pools.end(), defaults.begin(), defaults.end());
  }
  if (!has(Ip::Family::kV6))
    pools.push_back(ipam::unique_local_pool(engine::host_seed(config.root)));
  return pools;
}

}  // namespace

Result<Network> Engine::Impl::prepare(Change& change, const CreateNetwork& asked) {
  TRY(engine::check_name("network", asked.name));
  if (asked.name == "default")
    return fail(ErrorKind::kInvalid,
                "network default: with `run` the name stands for the network bridge: give another");
  auto others = TRY(change.state.networks());
  const auto same_name = std::ranges::find(others, asked.name, &Network::name);
  if (same_name != others.end() && asked.ignore_existing) return *same_name;
  if (same_name != others.end())
    return fail(ErrorKind::kExists, "network {} exists already: give another name", asked.name);
  std::erase_if(others, [](const Network& each) { return each.config_only; });  // never made
  if (asked.config_only && !asked.adopt.empty())
    return fail(ErrorKind::kInvalid,
                "network {}: a template (--config-only) has no bridge: give --adopt to the networks "
                "that are made from it",
                asked.name);
  if (asked.config_only) {
    auto network = TRY(engine::make_template(asked));
    change.verb = "create network " + network.name;
    change.durability = store::Durability::kFull;
    change.state.put(network);
    return network;
  }
  const auto request =
      asked.config_from.empty() ? asked : TRY(engine::from_template(change.state, asked));

  Network network;
  network.id = engine::random_id();
  network.name = request.name;
  network.config_from = request.config_from;
  network.driver = TRY(model::parse_driver(request.driver));
  network.created = engine::now();
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
  TRY(engine::read_adoption(network, request.adopt));
  network.link.routes = request.routes;
  if (!network.ipv4 && !network.ipv6)
    return fail(ErrorKind::kInvalid, "network {}: neither IPv4 nor IPv6 is wanted: give --ipv6",
                network.name);

  auto& route = *TRY(kernel.route());
  auto& device = network.bridge.device;
  if (network.driver == Driver::kBridge && device.empty())
    device = TRY(IfName::parse("br-" + engine::short_id(network.id)));
  TRY(engine::check_sharing(network, others));

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
  if (network.ipam == Ipam::kNone && !request.subnets.empty())
    return fail(ErrorKind::kInvalid,
                "network {}: ipam driver null gives no addresses: it goes without subnets",
                network.name);
  if (engine::has_parent(network)) TRY(complete_parent(network, others));
  auto subnets = request.subnets;
  if (engine::on_given_bridge(network) && network.ipam == Ipam::kBerth)
    TRY(engine::complete_from_bridge(route, network, !request.ipv6, subnets));
  if (auto added = add_subnets(network, subnets, others, pools_of(config), route); !added)
    return std::unexpected(in_context(added.error(), "network {}", network.name));
  TRY(engine::check_routes(network));

  change.verb = "create network " + network.name;
  change.durability = store::Durability::kFull;
  TRY(choose_host_addresses(change, network));
  change.state.put(network);
  TRY(realise(change, network));
  return network;
}

Result<engine::Realised> Engine::Impl::realise(Change& change, const Network& network) {
  if (const auto there = TRY(change.state.realised(network))) {
    // That a parent is a bridge's port by now is the kernel's to say, which it does when it refuses.
    if (!engine::has_parent(network) ||
        !TRY(kernel::link_index(*TRY(kernel.route()), network.parent.device)))
      TRY(check_ground(network));
    else
      TRY(engine::check_not_renamed(kernel, network));
    return *there;
  }
  if (engine::has_parent(network)) return realise_on_parent(change, network);
  auto& route = *TRY(kernel.route());
  const auto& device = network.bridge.device;
  const bool given = engine::on_given_bridge(network);
  TRY(engine::check_vrf(route, network));
  if (!given && TRY(engine::link_exists(route, device)))
    return fail(ErrorKind::kExists,
                "network {}: an interface {} exists already and is not this network's{}: remove "
                "it, or {}",
                network.name, device.str(), TRY(whose(*this, device)),
                network.predefined ? "use a network made with `berth network create`"
                                   : fmt::format("give another {}, or use it as it is with --adopt {}",
                                                 model::kOptionBridgeName, device.str()));
  engine::Realised realised{network.link.mtu, {}};
  if (given) {
    const auto bridge = TRY(engine::find_given_bridge(route, network));
    if (realised.mtu == 0) realised.mtu = bridge.mtu;
  }
  if (realised.mtu == 0) realised.mtu = TRY(engine::default_mtu(route, network.bridge.vrf));
  auto plan = TRY(network_plan(network, realised.mtu));
  if (network.bridge.adopted) TRY(keep_to_what_is_missing(plan, realised));
  if (engine::in_table(network) && !TRY(table_intact())) change.plan.push_back(plan::EnsureTable{});
  plan::append(change.plan, std::move(plan));
  TRY(start_forwarding(change, TRY(forwarding_plan(network))));
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

// Of what the adopted bridge is to have, what it has not; and how it loses that again.
Status Engine::Impl::keep_to_what_is_missing(plan::Plan& plan, engine::Realised& realised) {
  for (auto& op : plan)
    if (auto* sysctl = std::get_if<plan::SetSysctl>(&op))
      sysctl->previous = TRY(kernel::read_sysctl(sysctl->key));
  plan = TRY(plan::missing(kernel, plan));
  auto made = plan;
  std::erase_if(made, [](const plan::Op& op) {
    return std::holds_alternative<plan::AddElement>(op) ||
           std::holds_alternative<plan::DeleteElement>(op);
  });
  realised.give_back = plan::inverse(made);
  return {};
}

Result<plan::Plan> Engine::Impl::give_back(engine::State& state, const Network& network,
                                           const engine::Realised& realised,
                                           const std::vector<Network>& leaving) {
  const auto& device = network.bridge.device;
  if (realised.give_back.empty()) return plan::Plan{};
  auto name = device;
  if (!TRY(engine::link_exists(*TRY(kernel.route()), device))) {
    const auto renamed = TRY(engine::new_name_of_given(*TRY(kernel.route()), network));
    if (!renamed) return plan::Plan{};
    name = *renamed;
    // Another bridge may have the gateway's address since; the network's has all that it was given.
    const auto given = engine::under_its_new_name(plan::inverse(realised.give_back), device, name);
    if (!TRY(plan::missing(kernel, given)).empty()) return plan::Plan{};
  }
  const auto is_filter = [](const plan::Op& op) {
    return std::holds_alternative<plan::FilterVlans>(op);
  };
  const bool filters = std::ranges::any_of(realised.give_back, is_filter);
  auto back = realised.give_back;
  for (const auto& other : TRY(state.networks())) {
    if (other.id == network.id || other.bridge.device != device ||
        std::ranges::find(leaving, other.id, &Network::id) != leaving.end())
      continue;
    if (filters && other.bridge.vlan != 0)
      return fail(ErrorKind::kInUse,
                  "network {} made bridge {} filter VLANs, which network {} needs: remove that "
                  "first",
                  network.name, device.str(), other.name);
    // Who stays on the bridge needs it up.
    std::erase_if(back, [](const plan::Op& op) {
      return std::holds_alternative<plan::SetLinkUp>(op);
    });
  }
  return engine::under_its_new_name(std::move(back), device, name);
}

Result<drivers::Facts> Engine::Impl::bridge_facts(const Network& network, bool netfilter,
                                                  std::uint16_t vlan) {
  auto facts = TRY(this->facts(netfilter));
  if (network.driver != Driver::kBridge || vlan == 0) return facts;
  if (const auto bridge = TRY(kernel::find_link(*TRY(kernel.route()), network.bridge.device)))
    facts.default_vlan = bridge->default_vlan.value_or(facts.default_vlan);
  return facts;
}

Result<plan::Plan> Engine::Impl::network_plan(const Network& network, std::uint32_t mtu) {
  auto plan = drivers::create(network, mtu, TRY(bridge_facts(network, false, network.bridge.vlan)));
  for (auto& element : network_elements(network))
    plan.push_back(plan::AddElement{std::move(element)});
  return plan;
}

std::vector<nft::Element> Engine::Impl::network_elements(const Network& network) const {
  if (!engine::in_table(network)) return {};
  return firewall::network_elements(intent_of(
      network, fmt::format("{} {} {}{}", network.name.substr(0, kMaxNameBytes),
                           engine::short_id(network.id),
                           network.bridge.adopted ? engine::kAdoptedMark : "", instance)));
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
    auto made = TRY(engine::made_from(state, *network));
    std::erase_if(made, [&](const std::string& each) {
      return std::ranges::find(networks, each, &Network::name) != networks.end();
    });
    if (!made.empty())
      return fail(ErrorKind::kInUse, "network {} is the template of {}: remove {} first",
                  network->name, fmt::join(made, ", "), made.size() == 1 ? "that" : "those");
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
  bool last = false;
  for (const auto& network : networks) {
    if (const auto realised = TRY(state.realised(network))) {
      last = last || engine::in_table(network);
      for (auto& element : network_elements(network))
        change.plan.push_back(plan::DeleteElement{std::move(element)});
      plan::append(change.plan, TRY(give_back(state, network, *realised, networks)));
      auto gone = drivers::remove(network);
      if (TRY(parent_shared(change, network)))
        std::erase_if(gone, [&](const plan::Op& op) {
          return std::get<plan::DeleteLink>(op).name == network.parent.device;
        });
      for (auto& op : gone) {
        auto& link = std::get<plan::DeleteLink>(op);
        if (const auto name = TRY(engine::new_name_of(kernel, link))) {
          auto renamed = link;
          renamed.name = *name;
          links.push_back(std::move(renamed));
        }
        links.push_back(std::move(link));
      }
    }
    state.erase(network);
  }
  if (!TRY(others_have_networks()))
    if (auto several = TRY(shared(firewall::kSharedInstances)))
      change.plan.push_back(plan::DeleteElement{*std::move(several)});
  TRY(stop_forwarding(change, networks));
  for (const auto& network : TRY(state.networks()))
    if (engine::in_table(network) && TRY(state.realised(network))) last = false;
  if (last && TRY(translator::is_there(*TRY(kernel.route()))))
    change.plan.push_back(plan::DeleteTranslatorIfUnused{});
  if (last) change.plan.push_back(plan::DeleteTableIfUnused{});
  plan::append(change.last, std::move(links));
  return {};
}

Status Engine::Impl::check_ground(const Network& network) {
  TRY(check_parent(network));
  TRY(engine::check_not_renamed(kernel, network));
  if (!engine::on_given_bridge(network)) return {};
  return engine::check_bridge_still_there(*TRY(kernel.route()), network);
}

Status Engine::Impl::heal(const Network& network) {
  Change change(*store);
  change.verb = "repair network " + network.name;
  const auto realised = TRY(change.state.realised(network));
  if (!realised) return {};
  if (engine::in_table(network) && !TRY(table_intact()))
    change.plan.push_back(plan::EnsureTable{});
  auto plan = TRY(network_plan(network, realised->mtu));
  for (auto& mark : TRY(forwarding_marks(change.state, network)))
    plan.push_back(plan::AddElement{std::move(mark)});
  plan::append(change.plan, TRY(plan::missing(kernel, plan)));
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
  auto others = TRY(change.state.networks());
  std::erase_if(others, [](const Network& each) { return each.config_only; });
  if (auto added = add_subnets(network, {}, others, pools_of(config), *TRY(kernel.route())); !added)
    return std::unexpected(in_context(added.error(), "network {}", network.name));
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
      TRY(model::read_options(network, network.options));
      // Without a free subnet it gets one at its first use, like its devices.
      const auto added = add_subnets(network, {}, {}, pools_of(config), *TRY(kernel.route()));
      if (!added && added.error().kind != ErrorKind::kExhausted)
        return std::unexpected(added.error());
    }
    change.state.put(network);
  }
  change.durability = store::Durability::kFull;
  return commit(change);
}

}  // namespace berth
