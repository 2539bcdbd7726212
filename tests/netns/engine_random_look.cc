// What of the facts is true: the kernel's, the store's.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine_random_facts.h"
#include "firewall/table.h"
#include "kernel/netlink/address.h"
#include "kernel/nft/connection.h"
#include "kernel/sysctl/sysctl.h"
#include "translator/translator.h"

namespace berth::testing::random {
namespace {

namespace fs = std::filesystem;

bool is_link_local(const Ip& ip) {
  static const Cidr kLinkLocal = cidr("fe80::/10");
  return kLinkLocal.contains(ip);
}

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
  for (const auto family : kBothFamilies)
    for (const auto& each : must(kernel::list_routes(route, family)))
      if (each.protocol == RTPROT_STATIC && !is_translators(name_of(each.link_index)))
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
    const auto routers = fmt::format("net/ipv6/conf/{}/accept_ra", name);
    if (name != kGivenBridge)
      facts.insert(fmt::format("host {} is {}", routers, must(kernel::read_sysctl(routers))));
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
    if (set.name == firewall::kInstance) continue;  // looked at when all is removed
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
