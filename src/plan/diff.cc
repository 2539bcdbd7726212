// Plans compared with what the kernel has: missing() and rollback(). Each namespace's links,
// addresses and routes, and each nft set, are listed once, whatever the number of operations that
// ask about them.

#include <algorithm>
#include <map>
#include <set>

#include "base/result.h"
#include "dhcp/client.h"
#include "firewall/intents.h"
#include "firewall/table.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/bridge.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/sysctl/sysctl.h"
#include "plan/apply.h"
#include "plan/namespaces.h"
#include "plan/whose.h"
#include "translator/translator.h"

namespace berth::plan {
namespace {

struct Links {
  std::map<IfName, kernel::LinkInfo> by_name;
  std::set<std::pair<int, Cidr>> addresses;
  std::vector<kernel::Route> routes;
};

std::string_view last_word(std::string_view text) {
  return text.substr(text.rfind(' ') + 1);  // npos + 1 is 0: the whole text is one word
}

}  // namespace

class Diff {
 public:
  explicit Diff(Kernel& kernel) : kernel_(kernel) {}

  // Forgets other namespaces: a thousand held open would be more than a process may have.
  void keep_to_the_host() {
    std::erase_if(links_, [](const auto& each) { return !each.first.is_host(); });
    namespaces_ = {};
  }

  // Adds to `missing` what of `op` is not there: often `op` itself, sometimes a smaller one.
  Status look(const Op& op, Plan& missing) {
    if (const auto* bridge = std::get_if<AddBridge>(&op)) {
      const auto* found = TRY(own_link(deletion_of(*bridge)));
      if (!found) missing.push_back(op);
      if (found && !found->up) missing.push_back(SetLinkUp{{}, bridge->name});
      if (found) compare_mtu({}, *found, bridge->mtu, missing);
    } else if (const auto* veth = std::get_if<AddVeth>(&op)) {
      TRY(look_at(*veth, missing));
    } else if (const auto* macvlan = std::get_if<AddMacvlan>(&op)) {
      TRY(look_at(deletion_of(*macvlan), macvlan->mtu, op, missing));
    } else if (const auto* ipvlan = std::get_if<AddIpvlan>(&op)) {
      TRY(look_at(deletion_of(*ipvlan), ipvlan->mtu, op, missing));
    } else if (const auto* vlan = std::get_if<AddVlan>(&op)) {
      TRY(look_at(deletion_of(*vlan), 0, op, missing));
    } else if (const auto* dummy = std::get_if<AddDummy>(&op)) {
      TRY(look_at(deletion_of(*dummy), dummy->mtu, op, missing));
    } else if (const auto* isolate = std::get_if<IsolatePort>(&op)) {
      const auto* port = TRY(link({}, isolate->name));
      if (port ? port->isolated != isolate->on : isolate->on)
        missing.push_back(IsolatePort{port ? port->name : isolate->name, isolate->on});
    } else if (const auto* hairpin = std::get_if<HairpinPort>(&op)) {
      const auto* port = TRY(link({}, hairpin->name));
      if (port ? port->hairpin != hairpin->on : hairpin->on)
        missing.push_back(HairpinPort{port ? port->name : hairpin->name, hairpin->on});
    } else if (const auto* filter = std::get_if<FilterVlans>(&op)) {
      const auto* found = TRY(link({}, filter->bridge));
      if (!found || found->filters_vlans != filter->on) missing.push_back(op);
    } else if (const auto* add_vlan = std::get_if<AddPortVlan>(&op)) {
      const auto* there = TRY(port_vlan(add_vlan->port, add_vlan->vlan));
      if (!there || !there->access) missing.push_back(op);
    } else if (const auto* no_vlan = std::get_if<DeletePortVlan>(&op)) {
      if (TRY(port_vlan(no_vlan->port, no_vlan->vlan))) missing.push_back(op);
    } else if (const auto* lock = std::get_if<LockPort>(&op)) {
      const auto* port = TRY(link({}, lock->name));
      if (!port || !port->locked) missing.push_back(op);
    } else if (const auto* entry = std::get_if<AddFdbEntry>(&op)) {
      if (!TRY(has_fdb_entry(*entry))) missing.push_back(op);
    } else if (const auto* vrf = std::get_if<SetVrf>(&op)) {
      const auto* member = TRY(link({}, vrf->name));
      const auto* device = TRY(link({}, vrf->vrf));
      const bool is_member = member && device && member->master == device->index;
      if (is_member != vrf->member) missing.push_back(op);
    } else if (const auto* up = std::get_if<SetLinkUp>(&op)) {
      const auto* found = TRY(link(up->ns, up->name));
      if (!found || found->up != up->up) missing.push_back(op);
    } else if (const auto* mtu = std::get_if<SetLinkMtu>(&op)) {
      const auto* found = TRY(link(mtu->ns, mtu->name));
      if (!found || found->mtu != mtu->mtu) missing.push_back(op);
    } else if (const auto* client = std::get_if<StartDhcp>(&op)) {
      if (!dhcp::running(client->directory)) missing.push_back(op);
    } else if (const auto* address = std::get_if<AddAddress>(&op)) {
      const auto* found = TRY(link(address->ns, address->link));
      const auto& there = (*TRY(links(address->ns))).addresses;
      if (!found || !there.contains({found->index, address->address})) missing.push_back(op);
    } else if (const auto* route = std::get_if<AddRoute>(&op)) {
      const auto* found = route->link.empty() ? nullptr : TRY(link(route->ns, route->link));
      const auto& there = (*TRY(links(route->ns))).routes;
      const auto same = [&](const kernel::Route& other) {
        const bool default_route = !route->destination || route->destination->prefix() == 0;
        const auto& named = route->gateway ? *route->gateway : route->destination->ip();
        return other.link_index == (found ? found->index : 0) && other.gateway == route->gateway &&
               other.family == named.family() &&
               (default_route ? !other.destination : other.destination == route->destination) &&
               other.metric ==
                   (route->metric != 0 ? route->metric : kernel::default_metric(named.family())) &&
               (!route->source || other.source == route->source);
      };
      if (std::ranges::none_of(there, same)) missing.push_back(op);
    } else if (const auto* sysctl = std::get_if<SetSysctl>(&op)) {
      const auto setting = TRY(under_present_name(*sysctl));
      const auto value =
          setting.ns.is_host()
              ? kernel::read_sysctl(setting.key)
              : kernel::read_sysctl_in(*TRY(namespaces_.open(setting.ns)), setting.key);
      if (!value || *value != setting.value) missing.push_back(setting);
    } else if (std::holds_alternative<EnsureTranslator>(op)) {
      if (!TRY(translator::intact(*TRY(kernel_.route())))) missing.push_back(op);
    } else if (const auto* add = std::get_if<AddElement>(&op)) {
      TRY(look_at(*add, missing));
    }
    return {};
  }

  // Is `undo` about something that the undone plan did not make?
  Result<bool> is_others(const Op& undo) {
    if (const auto* element = std::get_if<DeleteElement>(&undo))
      return !TRY(is_there(element->element));
    const auto* gone = std::get_if<DeleteLink>(&undo);
    return gone && plan::is_others(kernel_, namespaces_, *gone);
  }

  // Of the host's sysctls, those that `plan` has not come to: what they hold now is the doing of
  // others. What the plan makes in the table or the translator before a sysctl tells.
  Result<std::set<std::string>> sysctls_not_reached(const Plan& plan) {
    std::set<std::string> keys;
    bool reached = true;
    for (const auto& op : plan) {
      if (const auto* add = std::get_if<AddElement>(&op)) reached = TRY(is_there(add->element));
      if (std::holds_alternative<EnsureTranslator>(op))
        reached = TRY(translator::intact(*TRY(kernel_.route())));
      const auto* sysctl = std::get_if<SetSysctl>(&op);
      if (sysctl && sysctl->ns.is_host() && !reached) keys.insert(sysctl->key);
    }
    return keys;
  }

 private:
  // ---- one function an operation ----------------------------------------------------------------

  Status look_at(const DeleteLink& meant, std::uint32_t mtu, const Op& op, Plan& missing) {
    const auto* found = TRY(own_link(meant));
    if (!found) missing.push_back(op);
    if (found) compare_mtu(meant.ns, *found, mtu, missing);
    return {};
  }

  // Null: there is none of the name. An error: that is another one.
  Result<const kernel::LinkInfo*> own_link(DeleteLink meant) {
    const auto* found = TRY(link(meant.ns, meant.name));
    // Who is in a sandbox may change its address.
    if (!meant.ns.is_host()) meant.mac.reset();
    if (found && !is_alike(*found, meant)) return not_made_by_berth(meant);
    return found;
  }
  static std::unexpected<Error> not_made_by_berth(const DeleteLink& meant) {
    return fail(
        ErrorKind::kExists,
        "interface {}{} is somebody else's by now, not the {} that berth made: remove it or "
        "give it another name",
        meant.name.str(), meant.ns.is_host() ? "" : " in " + meant.ns.path, meant.kind);
  }

  // A pair whose bridge was made again has lost it, and what it carries is still there.
  Status look_at(const AddVeth& veth, Plan& missing) {
    const auto* peer = TRY(link(veth.peer_ns, veth.peer));
    const auto* host_end = TRY(host_end_of(veth, peer));
    const auto peer_ns = peer ? TRY(netnsid(kernel_, namespaces_, veth.peer_ns)) : std::nullopt;
    if (!host_end || !peer || !are_a_pair(*host_end, *peer, peer_ns)) {
      const auto gone = deletion_of(veth);
      if (host_end && plan::is_others(kernel_, namespaces_, gone)) return not_made_by_berth(gone);
      if (host_end) missing.push_back(gone);
      missing.push_back(veth);
      return {};
    }
    const auto* bridge = TRY(link({}, veth.bridge));
    if (!bridge || host_end->master != bridge->index)
      missing.push_back(JoinBridge{host_end->name, veth.bridge});
    if (!host_end->up) missing.push_back(SetLinkUp{{}, host_end->name});
    compare_mtu({}, *host_end, veth.mtu, missing);
    compare_mtu(veth.peer_ns, *peer, veth.mtu, missing);
    return {};
  }

  // One that has been given another name since does its work under that: it is known by both here.
  Result<const kernel::LinkInfo*> host_end_of(const AddVeth& veth, const kernel::LinkInfo* peer) {
    const auto* named = TRY(link({}, veth.name));
    if (named || !peer) return named;
    auto& all = links_.at({}).by_name;
    const auto peer_ns = TRY(netnsid(kernel_, namespaces_, veth.peer_ns));
    const auto renamed = std::ranges::find_if(
        all, [&](const auto& each) { return are_a_pair(each.second, *peer, peer_ns); });
    if (renamed == all.end()) return nullptr;
    return &all.emplace(veth.name, renamed->second).first->second;
  }

  // Of a port that has been given another name (host_end_of), the settings are under that.
  Result<SetSysctl> under_present_name(SetSysctl setting) {
    constexpr std::string_view kDevices = "/conf/";
    const auto begin = setting.key.find(kDevices);
    if (!setting.ns.is_host() || begin == std::string::npos) return setting;
    const auto at = begin + kDevices.size();
    const auto size = setting.key.rfind('/') - at;
    const auto name = TRY(IfName::parse(setting.key.substr(at, size)));
    const auto* device = TRY(link({}, name));
    if (device && device->name != name) setting.key.replace(at, size, device->name.str());
    return setting;
  }

  static void compare_mtu(const NsRef& ns, const kernel::LinkInfo& link, std::uint32_t wanted,
                          Plan& missing) {
    if (wanted != 0 && link.mtu != wanted)
      missing.push_back(SetLinkMtu{ns, link.name, wanted, link.mtu});
  }

  // An element that is there with other data is in the way: it goes first, if it is this instance's
  // (the last word of its comment). What a person has put there stays, and adding ours fails and says so.
  Status look_at(const AddElement& add, Plan& missing) {
    const auto& element = add.element;
    const auto& there = *TRY(elements(element.set));
    const auto found = std::ranges::find(there, element.key, &nft::Element::key);
    if (found != there.end() && *found == element) return {};
    if (found != there.end() && last_word(found->comment) == last_word(element.comment))
      missing.push_back(DeleteElement{*found});
    missing.push_back(add);
    return {};
  }

  Result<const Links*> links(const NsRef& ns) {
    if (const auto known = links_.find(ns); known != links_.end()) return &known->second;
    auto& socket = *TRY(namespaces_.route(kernel_, ns));
    Links links;
    for (auto& each : TRY(kernel::list_links(socket))) links.by_name[each.name] = each;
    for (const auto& each : TRY(kernel::list_addresses(socket)))
      links.addresses.insert({each.link_index, each.address});
    links.routes = TRY(kernel::list_routes(socket, Ip::Family::kV4));
    for (auto& each : TRY(kernel::list_routes(socket, Ip::Family::kV6)))
      links.routes.push_back(std::move(each));
    return &links_.emplace(ns, std::move(links)).first->second;
  }

  Result<const kernel::LinkInfo*> link(const NsRef& ns, const IfName& name) {
    const auto& all = *TRY(links(ns));
    const auto found = all.by_name.find(name);
    return found == all.by_name.end() ? nullptr : &found->second;
  }

  // Null: the port is not in that VLAN, or not there.
  Result<const kernel::PortVlan*> port_vlan(const IfName& name, std::uint16_t vlan) {
    const auto* port = TRY(link({}, name));
    if (!port) return nullptr;
    if (!vlans_) vlans_ = TRY(kernel::list_port_vlans(*TRY(kernel_.route())));
    const auto found = std::ranges::find_if(*vlans_, [&](const kernel::PortVlan& each) {
      return each.port == port->index && each.vlan == vlan;
    });
    return found == vlans_->end() ? nullptr : &*found;
  }

  Result<bool> has_fdb_entry(const AddFdbEntry& entry) {
    const auto* port = TRY(link({}, entry.port));
    if (!port) return false;
    if (!fdb_) fdb_ = TRY(kernel::list_fdb(*TRY(kernel_.route())));
    return std::ranges::any_of(*fdb_, [&](const kernel::FdbEntry& each) {
      return each.port == port->index && each.mac == entry.mac && each.fixed;
    });
  }

  Result<const std::vector<nft::Element>*> elements(const std::string& set) {
    if (const auto known = elements_.find(set); known != elements_.end()) return &known->second;
    const auto& sets = firewall::table().sets;
    const auto spec = std::ranges::find(sets, set, &nft::SetSpec::name);
    if (spec == sets.end())
      return fail(ErrorKind::kCorrupt, "the table has no set {}: the plan is another berth's", set);
    auto listed = TRY(kernel_.nft())->list_elements(std::string(firewall::kTable), *spec);
    if (!listed && listed.error().kind != ErrorKind::kNotFound)
      return std::unexpected(listed.error());
    return &elements_.emplace(set, listed ? *std::move(listed) : std::vector<nft::Element>{})
                .first->second;
  }

  // With the same data and comment.
  Result<bool> is_there(const nft::Element& element) {
    const auto& there = *TRY(elements(element.set));
    return std::ranges::find(there, element) != there.end();
  }

  Kernel& kernel_;
  Namespaces namespaces_;
  std::map<NsRef, Links> links_;
  std::optional<std::vector<kernel::PortVlan>> vlans_;
  std::optional<std::vector<kernel::FdbEntry>> fdb_;
  std::map<std::string, std::vector<nft::Element>> elements_;
};

Comparison::Comparison(Kernel& kernel) : diff_(std::make_unique<Diff>(kernel)) {}
Comparison::Comparison(Comparison&&) noexcept = default;
Comparison& Comparison::operator=(Comparison&&) noexcept = default;
Comparison::~Comparison() = default;

Result<Plan> Comparison::missing(const Plan& plan) {
  diff_->keep_to_the_host();
  Plan missing;
  for (const auto& op : plan) TRY(diff_->look(op, missing));
  return missing;
}

Result<Plan> missing(Kernel& kernel, const Plan& plan) {
  return Comparison(kernel).missing(plan);
}

Result<Plan> rollback(Kernel& kernel, const Plan& plan) {
  Diff diff(kernel);
  Plan undo;
  const auto others = TRY(diff.sysctls_not_reached(plan));
  for (auto& op : inverse(plan)) {
    // Which of several the kernel deletes that lead nowhere, it decides by what it is told, and a
    // metric of 0 tells nothing (fib_table_delete in net/ipv4/fib_trie.c): one that was never made
    // must not cost another.
    if (const auto* route = std::get_if<DeleteRoute>(&op);
        route && route->kind != RouteKind::kUnicast) {
      const auto gone = missing(kernel, {AddRoute{route->ns, route->destination, route->gateway,
                                                  route->link, route->kind, route->metric}});
      if (gone && !gone->empty()) continue;
    }
    const auto* sysctl = std::get_if<SetSysctl>(&op);
    if (sysctl && sysctl->ns.is_host() && others.contains(sysctl->key)) continue;
    if (!TRY(diff.is_others(op))) undo.push_back(std::move(op));
  }
  return undo;
}

}  // namespace berth::plan
