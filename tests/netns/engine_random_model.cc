#include "engine_random_model.h"

#include <algorithm>
#include <tuple>

#include "engine_fixture.h"

namespace berth::testing::random {
namespace {

const Ip kAll4, kAll6 = Ip::from_number(Family::kV6, 0),
                kLoopback6 = Ip::from_number(Family::kV6, 1);

std::vector<Cidr> subnets(const std::vector<std::string>& texts) {
  std::vector<Cidr> all;
  for (const auto& text : texts) all.push_back(cidr(text));
  return all;
}
std::vector<Route> routes(const std::vector<std::string>& texts) {
  std::vector<Route> all;
  for (const auto& text : texts) all.push_back(must(parse_route(text)));
  return all;
}

}  // namespace

Ip nth(const Cidr& subnet, unsigned n) {
  return Ip::from_number(subnet.ip().family(), subnet.first().number() + n);
}

const std::vector<Kind>& kinds() {
  // four and clash have a route to one destination: no sandbox can be on both. routed has one too,
  // of another metric.
  static const std::vector<Kind> all = {
      {.name = "four",
       .device = "br1",
       .subnets = subnets({"10.1.0.0/24"}),
       .routes = routes({"10.201.0.0/16,10.1.0.200", "10.202.0.0/16,blackhole"})},
      {.name = "dual",
       .device = "br2",
       .subnets = subnets({"10.2.0.0/24", "fd02::/64"}),
       .routes = routes({"10.203.0.0/16,prohibit", "fd99::/64,fd02::99", "fd98::/64,unreachable"})},
      {.name = "six", .device = "br3", .subnets = subnets({"fd03::/64"})},
      {.name = "inside",
       .device = "br4",
       .subnets = subnets({"10.4.0.0/24", "fd04::/64"}),
       .internal = true},
      {.name = "routed",
       .device = "br5",
       .subnets = subnets({"10.5.0.0/24", "fd05::/64"}),
       .routed = true,
       .metric = 50,
       .routes = routes({"10.202.0.0/16,blackhole,50", "fd98::/64,blackhole"})},
      {.name = "clash",
       .device = "br6",
       .subnets = subnets({"10.6.0.0/24"}),
       .routes = routes({"10.202.0.0/16,10.6.0.99"})},
      {.name = "adopted",
       .device = "br7",
       .subnets = subnets({"10.7.0.0/24", "fd07::/64"}),
       .given = true},
      {.name = "unmanaged",
       .device = "br7",
       .subnets = subnets({"10.8.0.0/24"}),
       .given = true,
       .managed = false},
      {.name = "lan",
       .driver = Driver::kMacvlan,
       .device = "lan0",
       .subnets = subnets({"192.168.7.0/24", "fd17::/64"}),
       .host_access = true,
       .mode = "bridge"},
      {.name = "apart",
       .driver = Driver::kMacvlan,
       .device = "lan0",
       .subnets = subnets({"192.168.8.0/24"}),
       .mode = "private",
       .routes = routes({"10.204.0.0/16,192.168.8.99"})},
      {.name = "vepa",
       .driver = Driver::kMacvlan,
       .device = "lan0",
       .subnets = subnets({"192.168.9.0/24", "fd19::/64"}),
       .internal = true,
       .mode = "vepa"},
      {.name = "whole",
       .driver = Driver::kMacvlan,
       .device = "lan0",
       .subnets = subnets({"192.168.10.0/24", "fd20::/64"}),
       .mode = "passthru"},
      {.name = "ipvlan",
       .driver = Driver::kIpvlan,
       .device = "lan0",
       .subnets = subnets({"192.168.11.0/24"}),
       .possible = false},
      {.name = "vlan",
       .driver = Driver::kMacvlan,
       .device = "lan0.50",
       .subnets = subnets({"192.168.12.0/24"}),
       .mode = "bridge",
       .possible = false},
  };
  return all;
}

const Kind& kind(const std::string& name) {
  return *std::ranges::find(kinds(), name, &Kind::name);
}

std::optional<Cidr> Kind::subnet(Family family) const {
  const auto found =
      std::ranges::find_if(subnets, [&](const Cidr& each) { return each.ip().family() == family; });
  return found == subnets.end() ? std::nullopt : std::optional(*found);
}

bool Connection::by_translator(const Ip& host_ip) const {
  return !host_ip.is_v4() && ip4 && (!ip6 || host_ip == kLoopback6);
}

// ---- what a request may do ----------------------------------------------------------------------

bool Model::may_create(const Kind& wanted) const {
  if (!wanted.possible || networks.contains(wanted.name)) return false;
  return std::ranges::none_of(networks, [&](const auto& network) {
    const auto& other = kind(network.first);
    return other.device == wanted.device && (other.mode == "passthru" || wanted.mode == "passthru");
  });
}

std::set<Ip> Model::addresses(const std::string& network) const {
  std::set<Ip> taken;
  for (const auto& [name, box] : boxes)
    for (const auto& each : box.connections)
      if (each.network == network)
        for (const auto& ip : {each.ip4, each.ip6})
          if (ip) taken.insert(*ip);
  if (kind(network).host_access)
    for (const auto& subnet : kind(network).subnets) taken.insert(nth(subnet, 2));
  return taken;
}

std::optional<Connection> Model::connection(const std::string& box, const Kind& to,
                                            std::optional<Ip> ip4) const {
  const auto found = boxes.find(box);
  if (!networks.contains(to.name) || found == boxes.end() || find(box, to.name)) return {};
  if (to.mode == "passthru" && in_use(to.name)) return {};
  const auto& connections = found->second.connections;
  // Two routes to one destination, of one metric.
  for (const auto& each : connections)
    for (const auto& one : to.routes)
      for (const auto& other : kind(each.network).routes) {
        const auto metric = [](const Kind& of, const Route& route) {
          return route.metric != 0 ? route.metric : of.metric;
        };
        if (one.destination == other.destination &&
            metric(to, one) == metric(kind(each.network), other))
          return {};
      }

  Connection joining{.network = to.name};
  const auto taken = addresses(to.name);
  for (const auto& subnet : to.subnets) {
    auto& ip = subnet.ip().is_v4() ? joining.ip4 : joining.ip6;
    unsigned n = 2;
    while (taken.contains(nth(subnet, n))) ++n;
    ip = nth(subnet, n);
  }
  if (ip4 && (!joining.ip4 || taken.contains(*ip4))) return {};
  if (ip4) joining.ip4 = ip4;
  for (int n = 0;; ++n) {
    joining.ifname = fmt::format("eth{}", n);
    if (std::ranges::find(connections, joining.ifname, &Connection::ifname) == connections.end())
      return joining;
  }
}

bool Model::may_link(const std::string& box, const std::string& other) const {
  const auto is_own = [&](const std::string& name) {
    const auto found = boxes.find(name);
    return found != boxes.end() && !found->second.foreign;
  };
  return is_own(box) && is_own(other) && box != other;
}

std::optional<Connection> Model::published(Connection to, const PortSpec& spec) const {
  const auto& network = kind(to.network);
  if (network.internal || !network.in_table()) return {};
  std::set<Ip> on;
  if (spec.host_ip) {
    if (*spec.host_ip == kLoopback6 && !to.ip4) return {};
    const bool reached = to.by_translator(*spec.host_ip)
                             ? translator_possible && !network.routed
                             : to.ip(spec.host_ip->family()).has_value();
    if (!reached) return {};
    on = {*spec.host_ip};
  } else {
    if (to.ip4) on.insert(kAll4);
    if (to.ip6) on.insert(kAll6);
  }
  const auto mapping = [&](const Ip& host_ip) {
    return PortMapping{spec.protocol, host_ip, network.routed ? Port{0} : spec.host_first,
                       spec.container_first};
  };
  std::set<PortMapping> listed, translated;
  for (const auto& ip : on) listed.insert(mapping(ip));
  if (to.ip4 && !network.routed && translator_possible) {
    if (!spec.host_ip && !to.ip6) translated.insert(mapping(kAll6));
    if (on.contains(kAll6) || !translated.empty()) translated.insert(mapping(kLoopback6));
  }
  for (const auto* mappings : {&listed, &translated})
    for (const auto& each : *mappings)
      if (is_taken(each)) return {};
  to.ports.merge(listed);
  to.translated.merge(translated);
  return to;
}

// On one address, or one of them on all of the family.
bool Model::is_taken(const PortMapping& wanted) const {
  if (wanted.host_port == 0) return false;
  const auto clashes = [&](const PortMapping& other) {
    return other.protocol == wanted.protocol && other.host_port == wanted.host_port &&
           other.host_ip.family() == wanted.host_ip.family() &&
           (other.host_ip == wanted.host_ip || other.host_ip.is_unspecified() ||
            wanted.host_ip.is_unspecified());
  };
  for (const auto& [name, box] : boxes)
    for (const auto& each : box.connections)
      if (std::ranges::any_of(each.ports, clashes) || std::ranges::any_of(each.translated, clashes))
        return true;
  return false;
}

// ---- what it does -------------------------------------------------------------------------------

void Model::remove_network(const std::string& name) {
  for (auto& [label, box] : boxes)
    std::erase_if(box.connections, [&](const auto& each) { return each.network == name; });
  networks.erase(name);
  const auto in_table = [](const auto& network) { return kind(network.first).in_table(); };
  if (std::ranges::none_of(networks, in_table)) translator = false;
}

// ---- what then holds ----------------------------------------------------------------------------

const Connection* Model::find(const std::string& box, const std::string& network) const {
  const auto found = boxes.find(box);
  if (found == boxes.end()) return nullptr;
  const auto& connections = found->second.connections;
  const auto there = std::ranges::find(connections, network, &Connection::network);
  return there == connections.end() ? nullptr : &*there;
}
Connection* Model::find(const std::string& box, const std::string& network) {
  return const_cast<Connection*>(std::as_const(*this).find(box, network));
}

bool Model::in_use(const std::string& network) const {
  return std::ranges::any_of(boxes, [&](const auto& box) { return find(box.first, network); });
}

const Connection* Model::way_out(const Box& box, Family family) const {
  static constexpr std::uint32_t kUnset = 100;
  const auto rank = [](const Connection& each) {
    const auto metric = kind(each.network).metric;
    return std::tuple(-each.priority, metric == 0 ? kUnset : metric, each.network);
  };
  const Connection* best = nullptr;
  for (const auto& each : box.connections)
    if (kind(each.network).leads_out(family) && (!best || rank(each) < rank(*best))) best = &each;
  return best;
}

bool Model::forwards(Family family) const {
  if (family == Family::kV6 && translator) return true;  // the host has an address of its own
  return std::ranges::any_of(networks, [&](const auto& network) {
    return kind(network.first).in_table() && kind(network.first).leads_out(family);
  });
}

bool Model::translator_needed() const {
  for (const auto& [name, box] : boxes)
    for (const auto& each : box.connections) {
      const auto leads = [&](const PortMapping& port) { return each.by_translator(port.host_ip); };
      if (!each.translated.empty() || std::ranges::any_of(each.ports, leads)) return true;
    }
  return false;
}

}  // namespace berth::testing::random
