// What macvlan and ipvlan networks stand on: a device of the host, its parent.
//
// A parent is one that was there (and stays when the network goes), a VLAN of one that was there,
// or a dummy; the last two are made with the first network that needs them and removed with the
// last one. What the kernel would refuse only when the first container comes is refused here, when
// the network is made: a kind of device that it does not have, and kinds and modes that do not go
// together on one parent (macvlan_common_newlink, ipvlan_link_new).

#include "engine/networks/parents.h"

#include <algorithm>
#include <charconv>

#include "base/result.h"
#include "engine/endpoints/segment.h"
#include "engine/host/host_facts.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/networks/networks.h"
#include "engine/ports/publish.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "ipam/allocator.h"
#include "kernel/netlink/link.h"
#include "model/options.h"

namespace berth::engine {
namespace {

using Origin = ParentSettings::Origin;

constexpr std::string_view kHostAddressName = "host";  // of an --aux-address

// "eth0.50": VLAN 50 of eth0.
struct VlanName {
  IfName lower;
  std::uint16_t id = 0;
};

Result<std::optional<VlanName>> parse_vlan(const IfName& device) {
  constexpr int kFirst = 1, kLast = 4094;  // IEEE 802.1Q: 0 and 4095 mean something else
  const std::string_view text = device.str();
  const auto dot = text.rfind('.');
  if (dot == text.npos || dot == 0) return std::nullopt;
  const auto digits = text.substr(dot + 1);
  int id = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), id);
  if (error != std::errc{} || end != digits.end() || id < kFirst || id > kLast)
    return fail(ErrorKind::kInvalid,
                "parent {}: there is no such interface, and '{}' is no VLAN number: give {} to {}",
                text, digits, kFirst, kLast);
  return VlanName{TRY(IfName::parse(text.substr(0, dot))), static_cast<std::uint16_t>(id)};
}

// What the network puts on its parent, for errors.
std::string describe(const Network& network) {
  const auto& parent = network.parent;
  if (network.driver == Driver::kMacvlan)
    return fmt::format("macvlan ({})", name(parent.macvlan_mode));
  return fmt::format("ipvlan ({}, {})", name(parent.ipvlan_mode), name(parent.ipvlan_flag));
}

// Whether both can be on one parent.
Status check_together(const Network& network, const Network& other) {
  const auto& here = network.parent;
  const auto& there = other.parent;
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::kInUse, "parent {} carries network {}, {}, and cannot carry {} too: {}",
                here.device.str(), other.name, describe(other), describe(network), why);
  };
  if (network.driver != other.driver)
    return refuse("the kernel has either macvlan or ipvlan on a device");
  if (network.driver == Driver::kMacvlan &&
      (here.macvlan_mode == MacvlanMode::kPassthru || there.macvlan_mode == MacvlanMode::kPassthru))
    return refuse("passthru takes the whole device");
  if (network.driver == Driver::kIpvlan &&
      (here.ipvlan_mode != there.ipvlan_mode || here.ipvlan_flag != there.ipvlan_flag))
    return refuse("the kernel has one mode for all ipvlans of a device");
  return {};
}

Status check_settings(const Network& network) {
  const auto& parent = network.parent;
  if (!parent.sources.empty() && parent.macvlan_mode != MacvlanMode::kSource)
    return fail(ErrorKind::kInvalid,
                "network {}: macvlan_sources is for macvlan_mode=source, and this one is {}",
                network.name, name(parent.macvlan_mode));
  if (!parent.host_access) return {};
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::kInvalid, "network {}: host_access=true: {}", network.name, why);
  };
  if (network.internal)
    return refuse("an internal network is reached by nobody, the host included");
  if (network.ipam != Ipam::kBerth)
    return refuse(
        "the host needs an address of the network's subnet, and berth gives none out "
        "here: use the default ipam driver");
  if (network.driver == Driver::kMacvlan && parent.macvlan_mode != MacvlanMode::kBridge)
    return refuse("only in mode bridge may the sub-interfaces of a parent talk to each other");
  if (network.driver == Driver::kIpvlan && parent.ipvlan_flag != IpvlanFlag::kBridge)
    return refuse(
        "only with ipvlan_flag=bridge may the sub-interfaces of a parent talk to each "
        "other");
  return {};
}

Status check_kind(plan::Kernel& kernel, const Config& config, std::string_view what,
                  std::string_view kind) {
  const auto has = kernel::has_link_kind(*TRY(kernel.route()), kind);
  if (!has && config.only_plan && has.error().kind == ErrorKind::kPermission) return {};
  if (TRY(has)) return {};
  return fail(ErrorKind::kUnsupported, "{}: this host's kernel has no {} devices (module {})", what,
              kind, kind == "vlan" ? "8021q" : kind);
}

bool is_own(const ParentSettings& parent) {
  return parent.origin != Origin::kGiven;
}

}  // namespace

bool has_parent(const Network& network) {
  return network.driver == Driver::kMacvlan || network.driver == Driver::kIpvlan;
}

Status complete_parent(Instance& instance, Network& network, const std::vector<Network>& others) {
  auto& parent = network.parent;
  auto& route = *TRY(instance.kernel.route());
  TRY(check_kind(instance.kernel, instance.config, "network " + network.name,
                 name(network.driver)));
  if (parent.device.empty()) {
    const auto* prefix = network.driver == Driver::kMacvlan ? "dm-" : "di-";
    TRY(check_kind(
        instance.kernel, instance.config,
        fmt::format("network {} has no parent, so it needs a dummy one (-o parent= gives "
                    "another)",
                    network.name),
        "dummy"));
    parent.device = TRY(IfName::parse(prefix + short_id(network.id)));
    parent.origin = Origin::kDummy;
    network.internal = true;
  } else if (parent.device.str() == "lo") {
    return fail(ErrorKind::kInvalid,
                "network {}: parent lo: the loopback device has no segment to put containers on: "
                "give a network interface",
                network.name);
  } else if (const auto found = TRY(kernel::find_link(route, parent.device))) {
    if (!found->name.empty())
      parent.device = found->name;  // it may have been named by another of its names (ip-link(8))
    const bool stacked = found->kind == "macvlan" || found->kind == "ipvlan";
    const auto lower = stacked && !found->peer_netnsid
                           ? TRY(kernel::find_link(route, found->peer_index))
                           : std::nullopt;
    if (lower)
      return fail(ErrorKind::kInvalid,
                  "network {}: parent {} is itself a {} of {}, and the kernel would put others "
                  "beside it: give {}",
                  network.name, found->name.str(), found->kind, lower->name.str(),
                  lower->name.str());
  } else {
    const auto vlan = TRY(parse_vlan(parent.device));
    if (!vlan)
      return fail(ErrorKind::kNotFound, "network {}: parent {}: there is no such interface",
                  network.name, parent.device.str());
    if (!TRY(link_exists(route, vlan->lower)))
      return fail(ErrorKind::kNotFound,
                  "network {}: parent {}: there is neither such an interface nor {} to make it on",
                  network.name, parent.device.str(), vlan->lower.str());
    TRY(check_kind(instance.kernel, instance.config,
                   fmt::format("network {}: parent {} is to be a VLAN of {}", network.name,
                               parent.device.str(), vlan->lower.str()),
                   "vlan"));
    parent.origin = Origin::kVlan;
    parent.lower = vlan->lower;
    parent.vlan = vlan->id;
  }
  for (const auto& other : others) {
    if (!has_parent(other) || other.config_only || other.parent.device != parent.device) continue;
    if (auto together = check_together(network, other); !together)
      return std::unexpected(in_context(together.error(), "network {}", network.name));
    if (is_own(other.parent)) {  // made by berth for both
      parent.origin = other.parent.origin;
      parent.lower = other.parent.lower;
      parent.vlan = other.parent.vlan;
    }
  }
  if (parent.host_access) {
    const auto* prefix = network.driver == Driver::kMacvlan ? "mv-" : "iv-";
    parent.host_device = TRY(IfName::parse(prefix + short_id(network.id)));
  }
  return check_settings(network);
}

Status choose_host_addresses(Instance& instance, Draft& draft, Network& network) {
  auto& parent = network.parent;
  if (!parent.host_access) return {};
  const auto hosts = TRY(addresses_of_host(*TRY(instance.kernel.route()), network));
  auto avoided = hosts;
  avoided.insert(avoided.end(), draft.neighbours.begin(), draft.neighbours.end());
  for (const auto& subnet : network.subnets) {
    const auto kept = subnet.aux.find(std::string(kHostAddressName));
    if (kept != subnet.aux.end()) {
      TRY(draft.state.check_free(network, kept->second));
      TRY(check_not_hosts(network, hosts, kept->second));
    }
    const auto ip = kept != subnet.aux.end()
                        ? kept->second
                        : TRY(draft.state.allocate(network, keeping(subnet, avoided)));
    parent.host_addresses.emplace_back(ip, subnet.cidr.prefix());
  }
  return {};
}

std::vector<Ip> chosen_host_addresses(const Network& network) {
  std::vector<Ip> chosen;
  for (const auto& address : network.parent.host_addresses)
    for (const auto& subnet : network.subnets)
      if (subnet.cidr.contains(address.ip()) && !subnet.aux.contains(std::string(kHostAddressName)))
        chosen.push_back(address.ip());
  return chosen;
}

Status check_parent(Instance& instance, const Network& network) {
  const auto& parent = network.parent;
  if (!has_parent(network) || is_own(parent)) return {};
  const auto found = TRY(kernel::find_link(*TRY(instance.kernel.route()), parent.device));
  if (!found)
    return fail(ErrorKind::kNotFound,
                "network {}: its parent {} is gone, and with it what stood on it: bring the "
                "interface back, or remove the network",
                network.name, parent.device.str());
  if (found->master == 0) return {};
  const auto master = TRY(kernel::find_link(*TRY(instance.kernel.route()), found->master));
  if (!master || master->kind != "bridge") return {};
  return fail(
      ErrorKind::kInvalid,
      "network {}: parent {} is a port of bridge {}, which takes all that comes in: give {} "
      "itself as the parent",
      network.name, parent.device.str(), master->name.str(), master->name.str());
}

Result<bool> parent_shared(Draft& draft, const Network& network) {
  if (!has_parent(network) || !is_own(network.parent)) return false;
  for (const auto& other : TRY(draft.state.networks()))
    if (other.id != network.id && has_parent(other) &&
        other.parent.device == network.parent.device && TRY(draft.state.realised(other)))
      return true;
  return false;
}

Result<Realised> realise_on_parent(Instance& instance, Draft& draft, Network network) {
  TRY(check_parent(instance, network));
  auto& route = *TRY(instance.kernel.route());
  auto& parent = network.parent;
  const bool shared = TRY(parent_shared(draft, network));
  if (is_own(parent) && !shared && TRY(link_exists(route, parent.device))) {
    if (parent.origin == Origin::kDummy)
      return fail(ErrorKind::kExists, "network {}: an interface {} exists already: remove it",
                  network.name, parent.device.str());
    // Somebody else has made the VLAN since, at the start of the machine, say: it is theirs.
    parent.origin = Origin::kGiven;
    draft.state.put(network);
  }
  if (parent.host_access && TRY(link_exists(route, parent.host_device)))
    return fail(ErrorKind::kExists, "network {}: an interface {} exists already: remove it",
                network.name, parent.host_device.str());

  const bool made_here = is_own(parent) && !shared;
  const auto& below = parent.origin == Origin::kVlan && made_here ? parent.lower : parent.device;
  const auto lower = TRY(kernel::find_link(route, below));
  if (!lower && parent.origin == Origin::kVlan)
    return fail(ErrorKind::kNotFound,
                "network {}: parent {}: there is no interface {} to make it on", network.name,
                parent.device.str(), below.str());
  Realised realised{network.link.mtu};
  if (lower && realised.mtu > lower->mtu)
    return fail(ErrorKind::kInvalid,
                "network {}: an MTU of {} bytes is more than the {} of its parent {}", network.name,
                realised.mtu, lower->mtu, below.str());
  if (realised.mtu == 0) realised.mtu = lower ? lower->mtu : TRY(default_mtu(route, {}));
  auto plan = TRY(network_plan(instance, network, realised.mtu));
  if (shared)
    std::erase_if(plan, [&](const plan::Op& op) {
      const auto* up = std::get_if<plan::SetLinkUp>(&op);
      return std::holds_alternative<plan::AddVlan>(op) ||
             std::holds_alternative<plan::AddDummy>(op) || (up && up->name == parent.device);
    });
  plan::append(draft.plan, std::move(plan));
  draft.state.put_realised(network, realised);
  return realised;
}

Status complete_on_parent(Instance& instance, Draft& draft, const Network& network,
                          Endpoint& endpoint) {
  const auto& parent = network.parent;
  if (!endpoint.asked.host_ifname.empty())
    return fail(ErrorKind::kInvalid,
                "network {} is {}: its endpoints have no interface on the host to be called {}",
                network.name, name(network.driver), endpoint.asked.host_ifname.str());
  if (network.driver == Driver::kMacvlan) {
    if (parent.macvlan_mode != MacvlanMode::kPassthru) return {};
    for (const auto& other : TRY(draft.state.endpoints_of_network(network.id))) {
      const auto user = draft.state.sandbox(other.sandbox_id);
      return fail(
          ErrorKind::kInUse,
          "network {} gives its parent {} as a whole to one container (passthru), and {} has "
          "it",
          network.name, parent.device.str(), user ? user->name : other.sandbox_id);
    }
  }
  // Both kinds have the parent's MAC address, whatever they are made with (macvlan_common_newlink,
  // ipvlan_init).
  if (endpoint.asked.mac)
    return fail(
        ErrorKind::kInvalid,
        "network {} is {}: its endpoints have the MAC address of {}, and {} cannot be given",
        network.name, describe(network), parent.device.str(), endpoint.asked.mac->str());
  const auto found = TRY(kernel::find_link(*TRY(instance.kernel.route()), parent.device));
  if (found && found->mac) endpoint.mac = *found->mac;
  endpoint.on_link = network.driver == Driver::kIpvlan && parent.ipvlan_mode != IpvlanMode::kL2 &&
                     !network.internal && network.link.default_route;
  return {};
}

}  // namespace berth::engine
