#include "engine/state/state.h"

#include <fmt/compile.h>
#include <algorithm>
#include <charconv>
#include <map>

#include "base/result.h"
#include "engine/ids.h"
#include "engine/networks/existing_bridge.h"
#include "engine/ports/publish.h"
#include "ipam/allocator.h"
#include "model/json.h"
#include "model/options.h"
#include "plan/json.h"

namespace berth::engine {
namespace {

// Of one family, so that the keys sort by address.
std::string lease_prefix(std::string_view network_id, Ip::Family family) {
  return fmt::format(FMT_COMPILE("lease/{}/{}/"), network_id, family == Ip::Family::kV4 ? 4 : 6);
}

std::string lease_key(std::string_view network_id, const Ip& ip) {
  return lease_prefix(network_id, ip.family()) + hex(ip.bytes());
}

std::string hint_key(std::string_view network_id, const Cidr& subnet) {
  return fmt::format(FMT_COMPILE("hint/{}/{}"), network_id, hex(subnet.ip().bytes()));
}

std::string link_prefix(std::string_view name) {
  return fmt::format("link/{}/", name);
}

// `link` is NAME:ALIAS.
std::string link_key(std::string_view link, std::string_view endpoint_id) {
  return link_prefix(link.substr(0, link.find(':'))) + std::string(endpoint_id);
}

std::string share_key(const Sandbox& sandbox) {
  return fmt::format("share/{}/{}", sandbox.shares, sandbox.id);
}

// One request after another is about the same networks, and creating one looks at all: to read their
// documents anew each time would be a tenth of an attach, and most of a creation. What is returned is
// good until the next call.
Result<const Network*> parsed(std::string_view id, std::string_view text) {
  constexpr std::size_t kMost = 4096;  // some 2 KiB each
  struct Document {
    std::string text;
    Network network;
  };
  thread_local std::map<std::string, Document, std::less<>> known;
  const auto found = known.find(id);
  if (found != known.end() && found->second.text == text) return &found->second.network;
  auto network = TRY(model::network_from_json(text));
  if (known.size() >= kMost) known.clear();
  auto& kept = known[std::string(id)];
  kept = {std::string(text), std::move(network)};
  return &kept.network;
}

bool share_a_segment(const Network& network, const Network& other) {
  if (has_parent(network)) return has_parent(other) && other.parent.device == network.parent.device;
  if (!on_existing_bridge(other) || other.bridge.device != network.bridge.device) return false;
  // Ports of no VLAN are in the bridge's default one, which may be any.
  const auto vlan = network.bridge.vlan, others = other.bridge.vlan;
  return vlan == others || vlan == 0 || others == 0;
}

}  // namespace

std::vector<PortMapping> all_ports(const Endpoint& endpoint) {
  auto all = endpoint.ports;
  all.insert(all.end(), endpoint.translated.begin(), endpoint.translated.end());
  return all;
}

bool needs_forwarding(const Network& network, Ip::Family family) {
  const bool has_family = family == Ip::Family::kV4 ? network.ipv4 : network.ipv6;
  return network.driver == Driver::kBridge && !network.internal && network.bridge.managed &&
         has_family;
}

bool is_by_dhcp(const Network& network, const Endpoint& endpoint) {
  return network.ipam == Ipam::kDhcp && endpoint.asked.addresses.empty();
}

bool in_table(const Network& network) {
  return network.driver == Driver::kBridge && network.bridge.managed;
}

// ---- references ---------------------------------------------------------------------------------

Result<std::string> State::resolve(std::string_view kind, std::string_view index,
                                   std::string_view what, std::string_view reference) {
  if (reference.empty())
    return fail(ErrorKind::kInvalid, "'' names no {}: give a name or an id", what);
  // A whole id before a name, so that nothing can be named to stand in another's place.
  constexpr std::size_t kIdDigits = 64;
  if (reference.size() == kIdDigits && TRY(tx_.get(fmt::format("{}/{}", kind, reference))))
    return std::string(reference);
  if (const auto id = TRY(tx_.get(fmt::format(FMT_COMPILE("{}/{}"), index, reference)))) return *id;
  std::vector<std::string> matches;
  const bool could_be_id =
      !reference.empty() && reference.find_first_not_of("0123456789abcdef") == reference.npos;
  if (could_be_id) {
    const auto prefix = fmt::format("{}/{}", kind, reference);
    TRY(tx_.scan(prefix, [&](std::string_view key, std::string_view) {
      matches.emplace_back(key.substr(kind.size() + 1));
      return matches.size() < 2;
    }));
  }
  if (matches.size() == 1) return std::move(matches[0]);
  if (matches.empty()) return fail(ErrorKind::kNotFound, "no such {}: {}", what, reference);
  return fail(ErrorKind::kInvalid, "{} {}: more than one id starts with that, give more digits",
              what, reference);
}

// ---- networks -----------------------------------------------------------------------------------

Result<Network> State::network(std::string_view reference) {
  return network_by_id(TRY(resolve("network", "network-name", "network", reference)));
}

Result<Network> State::network_by_id(std::string_view id) {
  const auto text = TRY(tx_.get(fmt::format(FMT_COMPILE("network/{}"), id)));
  if (!text) return fail(ErrorKind::kNotFound, "no such network: {}", id);
  return *TRY(parsed(id, *text));
}

Status State::each_network(const std::function<void(const Network&)>& visit) {
  Status read;
  TRY(tx_.scan("network/", [&](std::string_view key, std::string_view text) {
    const auto network = parsed(key.substr(key.find('/') + 1), text);
    if (!network) read = std::unexpected(in_context(network.error(), "{}", key));
    if (network) visit(**network);
    return read.has_value();
  }));
  return read;
}

Result<std::vector<Network>> State::networks() {
  std::vector<Network> networks;
  TRY(each_network([&](const Network& network) { networks.push_back(network); }));
  std::ranges::sort(networks, {}, &Network::name);
  return networks;
}

void State::put(const Network& network) {
  tx_.put("network/" + network.id, model::to_json(network));
  tx_.put("network-name/" + network.name, network.id);
  for (const auto& address : network.parent.host_addresses)
    tx_.put(lease_key(network.id, address.ip()), network.id);
}

void State::erase(const Network& network) {
  for (const auto& address : network.parent.host_addresses) {
    tx_.erase(lease_key(network.id, address.ip()));
    (void)lower_hint(network, address.ip());  // at worst the others on its segment skip the address
  }
  tx_.erase("network/" + network.id);
  tx_.erase("network-name/" + network.name);
  for (const auto& subnet : network.subnets) tx_.erase(hint_key(network.id, subnet.cidr));
  erase_realised(network);
}

Result<std::optional<Realised>> State::realised(const Network& network) {
  const auto text = TRY(tx_.get("realised/" + network.id));
  if (!text) return std::nullopt;
  Realised realised;
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), realised.mtu);
  const std::string_view rest(end, text->data() + text->size());
  if (error != std::errc{} || (!rest.empty() && rest.front() != ' '))
    return fail(ErrorKind::kCorrupt, "the stored MTU of network {} is '{}'", network.name, *text);
  if (!rest.empty()) realised.give_back = TRY(plan::from_json(rest.substr(1)));
  return realised;
}

void State::put_realised(const Network& network, const Realised& realised) {
  auto text = std::to_string(realised.mtu);
  if (!realised.give_back.empty()) text += " " + plan::to_json(realised.give_back);
  tx_.put("realised/" + network.id, std::move(text));
}

void State::erase_realised(const Network& network) {
  tx_.erase("realised/" + network.id);
}

Result<bool> State::forwarding_needed_without(const std::vector<Network>& except,
                                              Ip::Family family) {
  for (const auto& network : TRY(networks())) {
    if (!needs_forwarding(network, family)) continue;
    if (std::ranges::find(except, network.id, &Network::id) != except.end()) continue;
    if (TRY(realised(network))) return true;
  }
  return false;
}

// ---- endpoints ----------------------------------------------------------------------------------

Result<Endpoint> State::endpoint(std::string_view id) {
  const auto text = TRY(tx_.get(fmt::format(FMT_COMPILE("endpoint/{}"), id)));
  if (!text) return fail(ErrorKind::kNotFound, "no such endpoint: {}", id);
  return model::endpoint_from_json(*text);
}

Result<std::vector<Endpoint>> State::endpoints(const std::vector<std::string>& ids) {
  std::vector<Endpoint> endpoints;
  for (const auto& id : ids) endpoints.push_back(TRY(endpoint(id)));
  return endpoints;
}

Result<std::vector<Endpoint>> State::endpoints_of_network(std::string_view network_id) {
  std::vector<std::string> ids;
  const auto prefix = fmt::format("user/{}/", network_id);
  TRY(tx_.scan(prefix, [&](std::string_view key, std::string_view) {
    ids.emplace_back(key.substr(prefix.size()));
    return true;
  }));
  return endpoints(ids);
}

void State::put(const Endpoint& endpoint, Ports ports) {
  tx_.put("endpoint/" + endpoint.id, model::to_json(endpoint));
  tx_.put(fmt::format(FMT_COMPILE("user/{}/{}"), endpoint.network_id, endpoint.id),
          endpoint.sandbox_id);
  for (const auto& address : addresses_of(endpoint))
    tx_.put(lease_key(endpoint.network_id, address.ip()), endpoint.id);
  if (ports == Ports::kToTake) take_ports(endpoint);
  for (const auto& link : endpoint.asked.links)
    tx_.put(link_key(link, endpoint.id), endpoint.sandbox_id);
}

Status State::erase(const Endpoint& endpoint) {
  tx_.erase("endpoint/" + endpoint.id);
  tx_.erase(fmt::format("user/{}/{}", endpoint.network_id, endpoint.id));
  free_ports(endpoint);
  for (const auto& link : endpoint.asked.links) tx_.erase(link_key(link, endpoint.id));
  const auto network = network_by_id(endpoint.network_id);  // may be lost (see reset)
  for (const auto& address : addresses_of(endpoint)) {
    tx_.erase(lease_key(endpoint.network_id, address.ip()));
    if (network) TRY(lower_hint(*network, address.ip()));
  }
  return {};
}

// ---- sandboxes ----------------------------------------------------------------------------------

Result<Sandbox> State::sandbox(std::string_view reference) {
  const auto id = TRY(resolve("sandbox", "sandbox-name", "sandbox", reference));
  const auto text = TRY(tx_.get("sandbox/" + id));
  if (!text) return fail(ErrorKind::kNotFound, "no such sandbox: {}", reference);
  return model::sandbox_from_json(*text);
}

Result<std::optional<Sandbox>> State::sandbox_by_netns(std::uint64_t inode) {
  const auto id = TRY(tx_.get(fmt::format(FMT_COMPILE("netns/{}"), inode)));
  if (!id) return std::nullopt;
  const auto text = TRY(tx_.get("sandbox/" + *id));
  if (!text) return std::nullopt;
  return TRY(model::sandbox_from_json(*text));
}

Result<std::vector<Sandbox>> State::sandboxes() {
  std::vector<Sandbox> sandboxes;
  Status read;
  TRY(tx_.scan("sandbox/", [&](std::string_view key, std::string_view text) {
    auto sandbox = model::sandbox_from_json(text);
    if (!sandbox) read = std::unexpected(in_context(sandbox.error(), "{}", key));
    if (sandbox) sandboxes.push_back(*std::move(sandbox));
    return read.has_value();
  }));
  TRY(read);
  std::ranges::sort(sandboxes, std::greater{}, &Sandbox::created);
  return sandboxes;
}

Result<std::optional<Sandbox>> State::sandbox_named(std::string_view name) {
  const auto id = TRY(tx_.get(fmt::format(FMT_COMPILE("sandbox-name/{}"), name)));
  if (!id) return std::nullopt;
  const auto text = TRY(tx_.get("sandbox/" + *id));
  if (!text) return std::nullopt;
  return TRY(model::sandbox_from_json(*text));
}

Result<bool> State::sandbox_name_taken(std::string_view name) {
  return TRY(tx_.get(fmt::format("sandbox-name/{}", name))).has_value();
}

void State::put(const Sandbox& sandbox) {
  tx_.put("sandbox/" + sandbox.id, model::to_json(sandbox));
  tx_.put("sandbox-name/" + sandbox.name, sandbox.id);
  if (sandbox.netns_inode != 0 && sandbox.state != SandboxState::kExited)
    tx_.put(fmt::format(FMT_COMPILE("netns/{}"), sandbox.netns_inode), sandbox.id);
  if (!sandbox.shares.empty() && sandbox.state != SandboxState::kExited)
    tx_.put(share_key(sandbox), "");
}

void State::erase(const Sandbox& sandbox) {
  tx_.erase("sandbox/" + sandbox.id);
  tx_.erase("sandbox-name/" + sandbox.name);
  if (!sandbox.shares.empty()) tx_.erase(share_key(sandbox));
  // The number of a namespace that is gone may be another sandbox's by now.
  const auto key = fmt::format("netns/{}", sandbox.netns_inode);
  if (const auto owner = tx_.get(key); owner && *owner == sandbox.id) tx_.erase(key);
}

Result<std::vector<Sandbox>> State::sharers(std::string_view id) {
  std::vector<std::string> ids;
  const auto prefix = fmt::format("share/{}/", id);
  TRY(tx_.scan(prefix, [&](std::string_view key, std::string_view) {
    ids.emplace_back(key.substr(prefix.size()));
    return true;
  }));
  std::vector<Sandbox> sharers;
  for (const auto& each : ids) {
    auto sharer = sandbox(each);
    if (!sharer && sharer.error().kind == ErrorKind::kNotFound) continue;  // lost: see reset
    sharers.push_back(TRY(std::move(sharer)));
  }
  return sharers;
}

Result<std::vector<std::string>> State::linkers(std::string_view name) {
  std::vector<std::string> ids;
  TRY(tx_.scan(link_prefix(name), [&](std::string_view, std::string_view id) {
    ids.emplace_back(id);
    return true;
  }));
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  return ids;
}

// ---- addresses ----------------------------------------------------------------------------------

Result<std::vector<Network>> State::on_one_segment(const Network& network) {
  std::vector<Network> sharing = {network};
  if (!has_parent(network) && !on_existing_bridge(network)) return sharing;
  TRY(each_network([&](const Network& other) {
    if (other.id != network.id && !other.config_only && share_a_segment(network, other))
      sharing.push_back(other);
  }));
  return sharing;
}

// All that `others` have given out or keep of `subnet`, from `from` on.
Status State::add_taken(std::set<Ip>& taken, const Network& other, const Cidr& subnet,
                        const Ip& from) {
  const auto add = [&](const Ip& ip) {
    if (subnet.contains(ip) && ip >= from) taken.insert(ip);
  };
  for (const auto& each : other.subnets) {
    if (each.gateway) add(*each.gateway);
    for (const auto& [name, ip] : each.aux) add(ip);
  }
  Status read;
  const auto prefix = lease_prefix(other.id, subnet.ip().family());
  TRY(tx_.scan(prefix, prefix + hex(from.bytes()), [&](std::string_view key, std::string_view) {
    const auto ip = ip_from_hex(key.substr(prefix.size()));
    if (!ip) read = std::unexpected(ip.error());
    if (ip) add(*ip);
    return ip && *ip <= subnet.last();
  }));
  return read;
}

Result<Ip> State::allocate(const Network& network, const Subnet& subnet) {
  std::optional<Ip> hint;
  if (const auto text = TRY(tx_.get(hint_key(network.id, subnet.cidr)))) {
    if (const auto ip = Ip::parse(*text))
      hint = model::is_serial(network) ? Ip::from_number(ip->family(), ip->number() + 1) : *ip;
  }
  const auto prefix = lease_prefix(network.id, subnet.cidr.ip().family());
  const auto sharing = TRY(on_one_segment(network));
  const auto taken_from = [&](const Ip& from,
                              const std::function<bool(const Ip&)>& visit) -> Status {
    Status read;
    if (sharing.size() > 1) {
      std::set<Ip> taken;
      for (const auto& each : sharing) TRY(add_taken(taken, each, subnet.cidr, from));
      for (const auto& ip : taken)
        if (!visit(ip)) break;
      return {};
    }
    auto scanned =
        tx_.scan(prefix, prefix + hex(from.bytes()), [&](std::string_view key, std::string_view) {
          const auto ip = ip_from_hex(key.substr(prefix.size()));
          if (!ip) read = std::unexpected(ip.error());
          return ip && visit(*ip);
        });
    return scanned ? read : scanned;
  };
  auto ip = ipam::first_free(subnet, hint, taken_from);
  // What the subnet kept when the hint was written may be free by now: an address of the host's.
  if (!ip && hint && ip.error().kind == ErrorKind::kExhausted)
    ip = ipam::first_free(subnet, std::nullopt, taken_from);
  if (!ip) return std::unexpected(in_context(ip.error(), "network {}", network.name));
  tx_.put(hint_key(network.id, subnet.cidr), ip->str());
  return ip;
}

Status State::reserve(const Network& network, const Subnet& subnet, const Ip& ip) {
  if (auto allowed = ipam::check_static(subnet, ip); !allowed)
    return std::unexpected(in_context(allowed.error(), "network {}", network.name));
  return check_free(network, ip);
}

Status State::check_free(const Network& network, const Ip& ip) {
  const auto taken_by = [&](std::string_view holder) {
    return fail(ErrorKind::kInUse, "network {}: address {} is taken by {}", network.name, ip.str(),
                holder);
  };
  for (const auto& each : TRY(on_one_segment(network))) {
    if (const auto owner = TRY(tx_.get(lease_key(each.id, ip)))) {
      std::string holder = *owner == each.id ? "the host (host_access)" : *owner;
      if (const auto held = endpoint(*owner))
        if (const auto user = sandbox(held->sandbox_id)) holder = user->name;
      return taken_by(holder);
    }
    if (each.id == network.id) continue;
    for (const auto& other : each.subnets) {
      if (other.gateway == ip) return taken_by("the gateway of network " + each.name);
      for (const auto& [name, kept] : other.aux)
        if (kept == ip) return taken_by(fmt::format("{} of network {}", name, each.name));
    }
  }
  return {};
}

Status State::lower_hint(const Network& network, const Ip& ip) {
  for (const auto& each : TRY(on_one_segment(network))) {
    if (model::is_serial(each)) continue;  // allocate() begins anew at the end of the range
    for (const auto& subnet : each.subnets) {
      if (!subnet.cidr.contains(ip)) continue;
      const auto key = hint_key(each.id, subnet.cidr);
      const auto text = TRY(tx_.get(key));
      if (!text) continue;
      const auto hint = Ip::parse(*text);
      if (hint && ip < *hint) tx_.put(key, ip.str());
    }
  }
  return {};
}

// ---- sysctls ------------------------------------------------------------------------------------

Result<std::optional<std::string>> State::switched(std::string_view sysctl) {
  return tx_.get(fmt::format("switched/{}", sysctl));
}

void State::put_switched(std::string_view sysctl, std::string_view before) {
  tx_.put(fmt::format("switched/{}", sysctl), std::string(before));
}

Result<std::vector<plan::SetSysctl>> State::switched_for(Ip::Family family) {
  std::vector<plan::SetSysctl> back;
  constexpr std::string_view kPrefix = "switched/";
  const auto of_family =
      fmt::format("{}net/{}/", kPrefix, family == Ip::Family::kV4 ? "ipv4" : "ipv6");
  TRY(tx_.scan(of_family, [&](std::string_view key, std::string_view before) {
    const std::string sysctl(key.substr(kPrefix.size()));
    back.push_back({sysctl, std::string(before), sysctl.ends_with("/accept_ra") ? "2" : "1"});
    return true;
  }));
  return back;
}

void State::erase_switched(std::string_view sysctl) {
  tx_.erase(fmt::format("switched/{}", sysctl));
}

}  // namespace berth::engine
