#include "engine_random_facts.h"

#include <linux/rtnetlink.h>

#include <array>

#include "translator/translator.h"

namespace berth::testing::random {

// ---- the form of facts, one for all who say them ------------------------------------------------

std::string address_fact(const std::string& where, const std::string& link, const Cidr& address) {
  return fmt::format("{} address {} on {}", where, address.str(), link);
}

std::string route_fact(const std::string& where, const kernel::Route& route,
                       const std::string& link) {
  const auto kind = route.type == RTN_UNICAST       ? RouteKind::kUnicast
                    : route.type == RTN_BLACKHOLE   ? RouteKind::kBlackhole
                    : route.type == RTN_UNREACHABLE ? RouteKind::kUnreachable
                                                    : RouteKind::kProhibit;
  const auto to = route.destination ? route.destination->str()
                                    : fmt::format("default{}", route.family == Family::kV4 ? 4 : 6);
  const bool given = route.metric != 0 && route.metric != kernel::default_metric(route.family);
  return fmt::format("{} route {} {}{}{}{}{}", where, name(kind), to,
                     route.gateway ? " via " + route.gateway->str() : "",
                     kind == RouteKind::kUnicast ? " by " + link : "",
                     route.source ? " from " + route.source->str() : "",
                     given ? fmt::format(" metric {}", route.metric) : "");
}

std::string link_fact(const std::string& where, const std::string& address) {
  return fmt::format("{} knows {} as linked", where, address);
}

std::string endpoint_fact(const std::string& network, const std::string& box,
                          const std::string& ifname, const std::optional<Ip>& ip4,
                          const std::optional<Ip>& ip6, bool default4, bool default6,
                          const std::set<PortMapping>& ports,
                          const std::set<PortMapping>& translated) {
  auto text = fmt::format("store: {} is on {} by {}, {} {}{}{}", box, network, ifname,
                          ip4 ? ip4->str() : "-", ip6 ? ip6->str() : "-",
                          default4 ? ", default4" : "", default6 ? ", default6" : "");
  for (const auto* mappings : {&ports, &translated}) {
    text += mappings == &ports ? ", ports" : ", translated";
    for (const auto& each : *mappings)
      text += fmt::format(" {}[{}]:{}:{}", name(each.protocol), each.host_ip.str(), each.host_port,
                          each.container_port);
  }
  return text;
}

// ---- what should be -----------------------------------------------------------------------------

namespace {

void add_network(const Kind& network, Facts& facts) {
  const auto& device = network.device;
  if (network.driver == Driver::kMacvlan) {
    if (!network.host_access) return;
    facts.insert("host macvlan mv up");
    for (const auto& subnet : network.subnets)
      facts.insert(address_fact("host", "mv", Cidr(nth(subnet, 2), subnet.ip().bits())));
    return;
  }
  if (!network.given) facts.insert(fmt::format("host bridge {} up", device));
  if (!network.managed) return;
  facts.insert(fmt::format("table bridges \"{}\"", device));
  facts.insert(fmt::format("table pair \"{0}\" . \"{0}\" : accept", device));
  if (network.internal) facts.insert(fmt::format("table internal \"{}\"", device));
  for (const auto& subnet : network.subnets) {
    const int version = subnet.ip().is_v4() ? 4 : 6;
    facts.insert(address_fact("host", device, Cidr(nth(subnet, 1), subnet.prefix())));
    facts.insert(fmt::format("table hairpin{} {} . \"{}\"", version, subnet.str(), device));
    if (!network.internal && !network.routed)
      facts.insert(fmt::format("table masq{} {}", version, subnet.str()));
  }
  if (network.routed)
    for (const int version : {4, 6})
      facts.insert(fmt::format("table routed{} \"{}\"", version, device));
  if (network.leads_out(Family::kV4))
    facts.insert(fmt::format("host net/ipv4/conf/{}/route_localnet is 1", device));
  if (!network.given) facts.insert(fmt::format("host net/ipv6/conf/{}/accept_ra is 0", device));
}

void add_port(const Connection& connection, const PortMapping& port, Facts& facts) {
  const auto to = connection.by_translator(port.host_ip) ? translator::translated(*connection.ip4)
                                                         : *connection.ip(port.host_ip.family());
  const int version = to.is_v4() ? 4 : 6;
  const auto protocol = name(port.protocol);
  if (port.host_port == 0)
    facts.insert(
        fmt::format("table open{} {} . {} . {}", version, to.str(), protocol, port.container_port));
  else if (port.host_ip.is_unspecified())
    facts.insert(fmt::format("table publish{} {} . {} : {} . {}", version, protocol, port.host_port,
                             to.str(), port.container_port));
  else
    facts.insert(fmt::format("table publish{}_addr {} . {} . {} : {} . {}", version,
                             port.host_ip.str(), protocol, port.host_port, to.str(),
                             port.container_port));
}

// A server's other subnets: their clients' packets are masqueraded on their way in.
void add_shared_links(const Box& box, Facts& facts) {
  for (const auto& by : box.connections)
    for (const auto family : kBothFamilies)
      for (const auto& other : box.connections) {
        const bool publishes = std::ranges::any_of(
            by.ports, [&](const PortMapping& each) { return each.host_ip.family() == family; });
        if (&other == &by || !publishes || !other.ip(family)) continue;
        const auto ip = *by.ip(family);
        facts.insert(fmt::format("table linked{} {} . {}/{}", ip.is_v4() ? 4 : 6,
                                 kind(other.network).subnet(family)->str(), ip.str(), ip.bits()));
      }
}

void add_connection(const Model& model, const std::string& name, const Box& box,
                    const Connection& connection, Facts& facts) {
  const auto& network = kind(connection.network);
  const auto& link = connection.ifname;
  const auto way = [&](Family family) { return model.way_out(box, family) == &connection; };
  facts.insert(endpoint_fact(connection.network, name, link, connection.ip4, connection.ip6,
                             way(Family::kV4), way(Family::kV6), connection.ports,
                             connection.translated));
  facts.insert(fmt::format("{} link {} {} up", name, link,
                           network.driver == Driver::kMacvlan ? "macvlan" : "veth"));
  facts.insert(
      fmt::format("{} net/ipv6/conf/{}/disable_ipv6 is {:d}", name, link, !connection.ip6));
  for (const auto family : kBothFamilies) {
    const auto& ip = connection.ip(family);
    if (!ip) continue;
    const auto subnet = *network.subnet(family);
    facts.insert(address_fact(name, link, Cidr(*ip, subnet.prefix())));
    kernel::Route route{.family = family, .gateway = nth(subnet, 1), .metric = network.metric};
    if (way(family)) facts.insert(route_fact(name, route, link));
    if (network.host_access)
      facts.insert(route_fact(
          "host",
          {.family = family, .destination = Cidr(*ip, ip->bits()), .source = nth(subnet, 2)},
          "mv"));
  }
  for (const auto& route : network.routes) {
    constexpr std::array<std::uint8_t, 4> kTypes = {RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE,
                                                    RTN_PROHIBIT};  // as RouteKind counts
    const auto metric = route.metric != 0 ? route.metric : network.metric;
    facts.insert(route_fact(name,
                            {.family = route.destination.ip().family(),
                             .destination = route.destination,
                             .gateway = route.gateway,
                             .metric = metric,
                             .type = kTypes.at(static_cast<std::size_t>(route.kind))},
                            link));
  }
  for (const auto* mappings : {&connection.ports, &connection.translated})
    for (const auto& each : *mappings) add_port(connection, each, facts);
  if (const auto* linked = model.find(connection.link, connection.network))
    for (const auto& ip : {linked->ip4, linked->ip6})
      if (ip) facts.insert(link_fact(name, ip->str()));
}

}  // namespace

Facts facts_of(const Model& model) {
  Facts facts{address_fact("host", "br7", cidr("10.7.0.254/24")),
              address_fact("host", "lan0", cidr("fd70::10/64"))};
  std::map<std::string, int> ports;  // of bridges
  for (const auto& [name, labels] : model.networks) {
    add_network(kind(name), facts);
    std::string text = fmt::format("store: network {} of {}", name, berth::name(kind(name).driver));
    for (const auto& [key, value] : labels) text += fmt::format(", {}={}", key, value);
    facts.insert(text);
  }
  for (const auto& [name, box] : model.boxes) {
    if (!box.foreign) facts.insert(fmt::format("store: sandbox {}", name));
    facts.insert(fmt::format("{} link lo up", name));
    add_shared_links(box, facts);
    for (const auto& each : box.connections) {
      add_connection(model, name, box, each, facts);
      if (kind(each.network).driver == Driver::kBridge) ++ports[kind(each.network).device];
    }
  }
  for (const auto& [bridge, count] : ports)
    facts.insert(fmt::format("host bridge {} has {} ports up", bridge, count));
  facts.insert(fmt::format("host forwards IPv4: {}", model.forwards(Family::kV4)));
  facts.insert(fmt::format("host forwards IPv6: {}", model.forwards(Family::kV6)));
  if (model.translator) facts.insert("host translator");
  return facts;
}

}  // namespace berth::testing::random
