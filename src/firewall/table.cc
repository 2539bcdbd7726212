#include "firewall/table.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <iterator>

#include "kernel/nft/rule.h"
#include "translator/names.h"

namespace berth::firewall {
namespace {

using nft::FieldType;
using nft::Key;
using nft::Rule;

// What differs between the IP versions.
struct Version {
  Ip::Family number;
  Cidr loopback;
  FieldType address;
  Key saddr;
  Key daddr;
  const FamilySets& sets;
};

const Version& v4() {
  static const Version kVersion{
      Ip::Family::kV4,  {Ip::v4(127, 0, 0, 0), 8},  // RFC 1122 section 3.2.1.3
      FieldType::kIpv4, Key::kIpSaddr,
      Key::kIpDaddr,    kSets4};
  return kVersion;
}

const Version& v6() {
  static const Version kVersion{
      Ip::Family::kV6,  {Ip::from_number(Ip::Family::kV6, 1), 128},  // RFC 4291, 2.5.3
      FieldType::kIpv6, Key::kIp6Saddr,
      Key::kIp6Daddr,   kSets6};
  return kVersion;
}

nft::Part from_any(std::string_view set) {
  return nft::in_set({Key::kIifname}, std::string(set));
}
nft::Part to_any(std::string_view set) {
  return nft::in_set({Key::kOifname}, std::string(set));
}

const IfName& loopback_device() {
  static const IfName kLo = IfName::parse("lo").value();
  return kLo;
}

void append(std::vector<Rule>& rules, std::vector<Rule> more) {
  std::ranges::move(more, std::back_inserter(rules));
}

std::vector<nft::SetSpec> sets() {
  std::vector<nft::SetSpec> all{
      {.name = std::string(kBridges), .key = {FieldType::kIfName}},
      {.name = std::string(kInternal), .key = {FieldType::kIfName}},
      {.name = std::string(kPair),
       .key = {FieldType::kIfName, FieldType::kIfName},
       .verdicts = true},
      {.name = std::string(kInstance), .key = {FieldType::kIfName}},
  };
  for (const Version& version : {v4(), v6()}) {
    const auto add = [&](std::string_view name, std::vector<FieldType> key,
                         std::vector<FieldType> data = {}, bool interval = false) {
      all.push_back({.name = std::string(name),
                     .key = std::move(key),
                     .data = std::move(data),
                     .interval = interval});
    };
    const auto& [publish, publish_addr, hairpin, linked, masq, snat, routed, open, unprotected,
                 trusted] = version.sets;
    const FieldType address = version.address;
    const std::vector<FieldType> target{address, FieldType::kPort};
    add(publish, {FieldType::kProtocol, FieldType::kPort}, target);
    add(publish_addr, {address, FieldType::kProtocol, FieldType::kPort}, target);
    add(hairpin, {address, FieldType::kIfName}, {}, true);
    add(linked, {address, address}, {}, true);
    add(masq, {address}, {}, true);
    add(snat, {address}, {address}, true);
    add(routed, {FieldType::kIfName});
    add(open, {address, FieldType::kProtocol, FieldType::kPort});
    add(unprotected, {FieldType::kIfName});
    add(trusted, {FieldType::kIfName, address, FieldType::kProtocol, FieldType::kPort});
  }
  return all;
}

// [::1] is not among every address: what the kernel needs for it, it does not always have (see
// table.h), so a port is on it only where an element says so.
nft::ChainSpec publish_chain() {
  nft::ChainSpec chain{.name = "publish"};
  for (const Version& version : {v4(), v6()}) {
    const bool is_v6 = version.number == Ip::Family::kV6;
    append(chain.rules,
           {Rule("published on this address",
                 {nft::dnat_from(version.number, {version.daddr, Key::kL4proto, Key::kThDport},
                                 std::string(version.sets.publish_addr))}),
            Rule("published on every address",
                 {is_v6 ? nft::not_in_prefix(version.daddr, version.loopback)
                        : nft::is_version(version.number),
                  nft::dnat_from(version.number, {Key::kL4proto, Key::kThDport},
                                 std::string(version.sets.publish))})});
  }
  return chain;
}

nft::ChainSpec raw_chain() {
  return {.name = "raw",
          .hook = nft::Hook{"filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW},
          .rules = {
              Rule("containers must not reach the host's loopback",
                   {from_any(kBridges), nft::in_prefix(Key::kIpDaddr, v4().loopback), nft::drop()}),
              Rule("packets come by a bridge and not by its port",
                   {nft::to_bridge_group(), nft::drop()}),
          }};
}

nft::ChainSpec pre_chain() {
  return {.name = "pre",
          .hook = nft::Hook{"nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST},
          .rules = {
              Rule("published ports, for everyone but this host; 127/8 is for this host alone",
                   {nft::not_in_prefix(Key::kIpDaddr, v4().loopback), nft::destination_is_local(),
                    nft::jump("publish")}),
              Rule("the same of IPv6, where the kernel itself lets nobody else use ::1",
                   {nft::is_version(Ip::Family::kV6), nft::destination_is_local(),
                    nft::jump("publish")}),
          }};
}

nft::ChainSpec out_chain() {
  return {.name = "out",
          .hook = nft::Hook{"nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST},
          .rules = {
              Rule("published ports, for this host",
                   {nft::destination_is_local(), nft::jump("publish")}),
          }};
}

nft::ChainSpec stray_chain() {
  return {
      .name = "stray",
      .rules = {
          Rule("of a connection of this host's own", {nft::has_socket(false), nft::leave_chain()}),
          Rule("the same of a transparent proxy", {nft::has_socket(true), nft::leave_chain()}),
          Rule("else this host would reset it", {nft::drop()})}};
}

nft::ChainSpec input_chain() {
  return {.name = "input",
          .hook = nft::Hook{"filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER},
          .rules = {
              Rule("not translated back: it may be of a container's connection",
                   {nft::connection_invalid(), nft::is_tcp(),
                    nft::interface_is_not(Key::kIifname, loopback_device()), nft::jump("stray")})}};
}

// To a bridge from elsewhere, and the first of its connection.
nft::ChainSpec into_chain() {
  nft::ChainSpec chain{
      .name = "into",
      .rules = {Rule("sent to a published port", {nft::connection_dnat(), nft::accept()})}};
  for (const Version& version : {v4(), v6()}) {
    const FamilySets& sets = version.sets;
    const nft::Keys to_port{version.daddr, Key::kL4proto, Key::kThDport};
    nft::Keys from_to_port = to_port;
    from_to_port.insert(from_to_port.begin(), Key::kIifname);
    append(chain.rules,
           {Rule("an open port of a routed network",
                 {nft::in_set(to_port, std::string(sets.open)), nft::accept()}),
            Rule("ping and the like to a routed network",
                 {nft::is_icmp(version.number), to_any(sets.routed), nft::accept()}),
            Rule("a network without protection",
                 {nft::is_version(version.number), to_any(sets.unprotected), nft::accept()}),
            Rule("a published port, from an interface that is trusted",
                 {nft::in_set(from_to_port, std::string(sets.trusted)), nft::accept()})});
  }
  chain.rules.emplace_back("containers' own addresses are not for others",
                           std::vector{nft::drop()});
  return chain;
}

// The translator's ends: IPv6 goes into the one and comes, as IPv4, out of the other.
nft::Part in_device(Key key, std::string_view device) {
  return nft::interface_is(key, IfName::parse(device).value());
}

nft::ChainSpec forward_chain() {
  return {
      .name = "forward",
      .hook = nft::Hook{"filter", NF_INET_FORWARD, NF_IP_PRI_FILTER},
      .rules = {
          Rule("the administrator first", {nft::jump(std::string(kUserChain))}),
          Rule("judged when it began", {nft::connection_established(), nft::accept()}),
          Rule("part of no connection: NAT would let it out under its own address",
               {from_any(kBridges), nft::connection_invalid(), nft::drop()}),
          Rule("containers of one network",
               {nft::verdict_from({Key::kIifname, Key::kOifname}, std::string(kPair))}),
          Rule("no way out of an internal network", {from_any(kInternal), nft::drop()}),
          Rule("no way into an internal network", {to_any(kInternal), nft::drop()}),
          Rule("to the translator what was sent to a published port",
               {in_device(Key::kOifname, translator::kDevice6), nft::connection_dnat(),
                nft::accept()}),
          Rule("and nothing else: whoever routes its prefix to this host",
               {in_device(Key::kOifname, translator::kDevice6), nft::drop()}),
          Rule("nothing begins on its other side",
               {in_device(Key::kOifname, translator::kDevice4), nft::drop()}),
          Rule("translated, and judged as IPv6 before",
               {in_device(Key::kIifname, translator::kDevice4), to_any(kBridges), nft::accept()}),
          Rule("it leads to containers and nowhere else",
               {in_device(Key::kIifname, translator::kDevice4), nft::drop()}),
          Rule("from elsewhere to a container", {to_any(kBridges), nft::jump("into")}),
      }};
}

// Out of this host, from a subnet that leaves it under one of the host's addresses.
nft::ChainSpec leave_chain() {
  nft::ChainSpec chain{.name = "leave"};
  for (const Version& version : {v4(), v6()}) {
    chain.rules.push_back(
        Rule("under the address that was asked for",
             {nft::snat_from(version.number, {version.saddr}, std::string(version.sets.snat))}));
  }
  chain.rules.push_back(Rule("under that of the interface", {nft::masquerade()}));
  return chain;
}

nft::ChainSpec post_chain() {
  nft::ChainSpec chain{.name = "post",
                       .hook = nft::Hook{"nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC}};
  append(chain.rules, {Rule("into the translator: from its one address, with a port of its own",
                            {in_device(Key::kOifname, translator::kDevice6), nft::masquerade()}),
                       Rule("out of it: the container answers the bridge",
                            {in_device(Key::kIifname, translator::kDevice4), nft::masquerade()})});
  for (const Version& version : {v4(), v6()}) {
    append(chain.rules,
           {Rule("this host's loopback to a published port",
                 {nft::in_prefix(version.saddr, version.loopback), to_any(kBridges),
                  nft::masquerade()}),
            Rule("through a published port back into its own network",
                 {nft::is_version(version.number), nft::connection_dnat(),
                  nft::in_set({version.saddr, Key::kOifname}, std::string(version.sets.hairpin)),
                  nft::masquerade()}),
            Rule("to a container that is linked to the sender's subnet as well",
                 {nft::in_set({version.saddr, version.daddr}, std::string(version.sets.linked)),
                  nft::masquerade()}),
            Rule("out of this host",
                 {nft::in_set({version.saddr}, std::string(version.sets.masq)),
                  nft::not_in_set({Key::kOifname}, std::string(kBridges)),
                  nft::interface_is_not(Key::kOifname, loopback_device()), nft::jump("leave")})});
  }
  return chain;
}

nft::TableSpec make_table() {
  return {.name = std::string(kTable),
          .sets = sets(),
          .chains = {nft::ChainSpec{.name = std::string(kUserChain)}, publish_chain(), into_chain(),
                     leave_chain(), stray_chain(), raw_chain(), pre_chain(), out_chain(),
                     input_chain(), forward_chain(), post_chain()}};
}

}  // namespace

const nft::TableSpec& table() {
  static const nft::TableSpec kSpec = make_table();
  return kSpec;
}

}  // namespace berth::firewall
