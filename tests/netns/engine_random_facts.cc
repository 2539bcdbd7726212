#include "engine_random_facts.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "firewall/table.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/route.h"
#include "kernel/nft/connection.h"
#include "kernel/sysctl/sysctl.h"
#include "translator/translator.h"

namespace berth::testing::random {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFamilies = {Family::kV4, Family::kV6};

bool is_link_local(const Ip& ip) {
  static const Cidr kLinkLocal = cidr("fe80::/10");
  return kLinkLocal.contains(ip);
}

// ---- the form of facts, one for all who say them ------------------------------------------------

std::string address_fact(const std::string& where, const std::string& link, const Cidr& address) {
  return fmt::format("{} address {} on {}", where, address.str(), link);
}

std::string route_fact(const std::string& where, const kernel::Route& route,
                       const std::string& link) {
  const auto kind = route.type == 1   ? RouteKind::kUnicast
                    : route.type == 6 ? RouteKind::kBlackhole  // RTN_* of linux/rtnetlink.h
                    : route.type == 7 ? RouteKind::kUnreachable
                                      : RouteKind::kProhibit;
  const auto to = route.destination ? route.destination->str()
                                    : fmt::format("default{}", route.family == Family::kV4 ? 4 : 6);
  // The kernel's own where none is given: 0, and 1024 for IPv6 (IP6_RT_PRIO_USER).
  const bool given = route.metric != 0 && !(route.family == Family::kV6 && route.metric == 1024);
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
  if (network.subnet(Family::kV4))
    facts.insert(fmt::format("host net/ipv4/conf/{}/route_localnet is 1", device));
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
  for (const auto family : kFamilies) {
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
    constexpr std::array<std::uint8_t, 4> kTypes = {1, 6, 7, 8};  // RTN_*, as RouteKind counts
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

// ---- what is ------------------------------------------------------------------------------------

namespace {

bool is_translators(const std::string& link) {
  return link == translator::kDevice4 || link == translator::kDevice6;
}

// Of a host_access network, whose real name has the network's id: mv.
std::string short_name(const kernel::LinkInfo& link) {
  return link.name.str().starts_with("mv-") ? "mv" : std::string(link.name.str());
}

// Addresses and berth's routes in a namespace. Returns the links by index.
std::map<int, kernel::LinkInfo> add_namespace(const std::string& where, kernel::Socket& route,
                                              Facts& facts) {
  std::map<int, kernel::LinkInfo> links;
  for (const auto& link : must(kernel::list_links(route))) links[link.index] = link;
  const auto name_of = [&](int index) {
    return links.contains(index) ? short_name(links.at(index)) : std::string();
  };
  for (const auto& each : must(kernel::list_addresses(route))) {
    const auto link = name_of(each.link_index);
    if (link == "lo" || is_translators(link) || is_link_local(each.address.ip())) continue;
    facts.insert(address_fact(where, link, each.address));
  }
  constexpr std::uint8_t kStatic = 4;  // RTPROT_STATIC
  for (const auto family : kFamilies)
    for (const auto& each : must(kernel::list_routes(route, family)))
      if (each.protocol == kStatic && !is_translators(name_of(each.link_index)))
        facts.insert(route_fact(where, each, name_of(each.link_index)));
  return links;
}

void add_host(Facts& facts) {
  auto route = must(kernel::Socket::open(NETLINK_ROUTE));
  const auto links = add_namespace("host", route, facts);
  std::map<int, int> ports;
  for (const auto& [index, link] : links) {
    const auto name = short_name(link);
    const auto state = link.up ? "up" : "down";
    if (link.kind == "veth" && link.master != 0 && link.up) ++ports[link.master];
    if (link.kind == "macvlan") facts.insert(fmt::format("host macvlan {} {}", name, state));
    if (link.kind != "bridge") continue;
    if (name != kGivenBridge) facts.insert(fmt::format("host bridge {} {}", name, state));
    const auto key = fmt::format("net/ipv4/conf/{}/route_localnet", name);
    if (must(kernel::read_sysctl(key)) == "1") facts.insert(fmt::format("host {} is 1", key));
  }
  for (const auto& [bridge, count] : ports)
    facts.insert(fmt::format("host bridge {} has {} ports up", links.at(bridge).name.str(), count));
  facts.insert(fmt::format("host forwards IPv4: {}", ip_forward() == "1"));
  facts.insert(fmt::format("host forwards IPv6: {}",
                           must(kernel::read_sysctl("net/ipv6/conf/all/forwarding")) == "1"));
  if (must(translator::is_there(route))) facts.insert("host translator");
}

void add_table(Facts& facts) {
  auto nft = must(nft::Connection::open());
  for (const auto& set : firewall::table().sets) {
    if (set.name == firewall::kShared) continue;  // looked at when all is removed
    const auto elements = nft.list_elements(std::string(firewall::kTable), set);
    if (!elements) continue;  // no table: no elements
    for (const auto& each : *elements)
      facts.insert(fmt::format("table {} {}", set.name, nft::text(each)));
  }
}

void add_box(const std::string& where, const kernel::Netns& netns, kernel::Socket& route,
             Facts& facts) {
  for (const auto& [index, link] : add_namespace(where, route, facts)) {
    const auto name = link.name.str();
    const bool loopback = name == "lo";
    facts.insert(fmt::format("{} link {}{} {}", where, name, loopback ? "" : " " + link.kind,
                             link.up ? "up" : "down"));
    if (loopback) continue;
    const auto key = fmt::format("net/ipv6/conf/{}/disable_ipv6", name);
    facts.insert(fmt::format("{} {} is {}", where, key, must(kernel::read_sysctl_in(netns, key))));
  }
}

}  // namespace

Place::Place() {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge && ip link set br7 up && "
      "ip addr add 10.7.0.254/24 dev br7 && "
      "ip link add lan0 type veth peer name lan1 netns " +
      machine.path + " && ip link set lan0 up && ip addr add fd70::10/64 dev lan0 nodad");
  run("ip link set lan1 up", &machine.netns);
  for (const auto* name : {"one", "two", "three"}) foreign.try_emplace(name);
}

Target Place::target(const std::string& box) const {
  const auto found = foreign.find(box);
  return found == foreign.end() ? box : found->second.target();
}

Facts facts_in_kernel(Place& place) {
  Facts facts;
  add_host(facts);
  add_table(facts);
  for (auto& [name, box] : place.foreign) add_box(name, box.netns, box.route, facts);
  for (const auto& box : must(place.instance->sandboxes())) {
    if (box.kind != SandboxKind::kNamespace) continue;
    const auto netns = must(kernel::Netns::open(box.netns_path));
    auto route = must(kernel::open_socket_in(netns, NETLINK_ROUTE));
    add_box(box.name, netns, route, facts);
  }
  return facts;
}

Facts facts_in_store(Place& place) {
  Facts facts;
  auto& engine = *place.instance;
  for (const auto& network : must(engine.networks())) {
    if (network.predefined) continue;
    auto text = fmt::format("store: network {} of {}", network.name, name(network.driver));
    for (const auto& [key, value] : network.labels) text += fmt::format(", {}={}", key, value);
    facts.insert(text);
  }
  const auto name_of = [&](const Sandbox& sandbox) {
    for (const auto& [name, box] : place.foreign)
      if (box.target() == sandbox.name) return name;
    return sandbox.name;
  };
  for (const auto& sandbox : must(engine.sandboxes())) {
    const auto box = name_of(sandbox);
    if (sandbox.kind == SandboxKind::kNamespace) {
      facts.insert(fmt::format("store: sandbox {}", box));
      std::ifstream hosts(engine.sandbox_file(sandbox, "hosts"));
      for (std::string line; std::getline(hosts, line);)
        if (line.find("\tlinked ") != line.npos)
          facts.insert(link_fact(box, line.substr(0, line.find('\t'))));
    }
    EXPECT_FALSE(sandbox.kind == SandboxKind::kForeign && sandbox.endpoints.empty()) << box;
    auto route =
        must(kernel::open_socket_in(must(kernel::Netns::open(sandbox.netns_path)), NETLINK_ROUTE));
    for (const auto& each : must(engine.endpoints_of_sandbox(sandbox))) {
      if (const auto link = must(kernel::find_link(route, each.ifname))) {
        EXPECT_EQ(link->mac, each.mac) << box << " on " << each.network_name;
        EXPECT_EQ(link->mtu, each.mtu) << box << " on " << each.network_name;
      }
      const auto ip = [](const std::optional<Cidr>& address) {
        return address ? std::optional(address->ip()) : std::nullopt;
      };
      facts.insert(endpoint_fact(each.network_name, box, std::string(each.ifname.str()),
                                 ip(each.address4), ip(each.address6), each.default4, each.default6,
                                 {each.ports.begin(), each.ports.end()},
                                 {each.translated.begin(), each.translated.end()}));
    }
  }
  return facts;
}

void expect_true(const Model& model, Place& place) {
  auto is = facts_in_kernel(place);
  is.merge(facts_in_store(place));
  const auto should = facts_of(model);
  for (const auto& fact : should)
    EXPECT_TRUE(is.contains(fact)) << "should be, and is not: " << fact;
  for (const auto& fact : is)
    EXPECT_TRUE(should.contains(fact)) << "is, and should not be: " << fact;
  expect_agreement(place.instance);

  const auto handles = [&](const char* directory) {
    std::error_code error;
    return std::distance(fs::directory_iterator(place.instance.config().run + directory, error),
                         {});
  };
  const auto own =
      std::ranges::count_if(model.boxes, [](const auto& box) { return !box.second.foreign; });
  EXPECT_EQ(handles("/netns"), own);
  EXPECT_EQ(handles("/sandboxes"), own);
  EXPECT_EQ(handles("/dhcp"), 0);
}

}  // namespace berth::testing::random
