#include "firewall/table.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "kernel/nft/rule.h"

namespace berth::firewall {
namespace {

using nft::FieldType;
using nft::Key;
using nft::Rule;

const Cidr kLoopback4{Ip::v4(127, 0, 0, 0), 8};  // RFC 1122 section 3.2.1.3

nft::Part from_any(std::string_view set) {
  return nft::in_set({Key::kIifname}, std::string(set));
}
nft::Part to_any(std::string_view set) {
  return nft::in_set({Key::kOifname}, std::string(set));
}

std::vector<nft::SetSpec> sets() {
  const std::vector<FieldType> target{FieldType::kIpv4, FieldType::kPort};
  return {
      {.name = std::string(kPublish4),
       .key = {FieldType::kProtocol, FieldType::kPort},
       .data = target},
      {.name = std::string(kPublish4Addr),
       .key = {FieldType::kIpv4, FieldType::kProtocol, FieldType::kPort},
       .data = target},
      {.name = std::string(kBridges), .key = {FieldType::kIfName}},
      {.name = std::string(kInternal), .key = {FieldType::kIfName}},
      {.name = std::string(kPair),
       .key = {FieldType::kIfName, FieldType::kIfName},
       .verdicts = true},
      {.name = std::string(kHairpin4),
       .key = {FieldType::kIpv4, FieldType::kIfName},
       .interval = true},
      {.name = std::string(kMasq4), .key = {FieldType::kIpv4}, .interval = true},
      {.name = std::string(kShared), .key = {FieldType::kIfName}},
  };
}

nft::ChainSpec publish_chain() {
  const nft::Keys anywhere{Key::kL4proto, Key::kThDport};
  const nft::Keys on_address{Key::kIpDaddr, Key::kL4proto, Key::kThDport};
  return {
      .name = "publish",
      .rules = {
          Rule("published on this address",
               {nft::dnat4_from(on_address, std::string(kPublish4Addr))}),
          Rule("published on every address", {nft::dnat4_from(anywhere, std::string(kPublish4))}),
      }};
}

nft::ChainSpec raw_chain() {
  return {.name = "raw",
          .hook = nft::Hook{"filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW},
          .rules = {
              Rule("containers must not reach the host's loopback",
                   {from_any(kBridges), nft::in_prefix(Key::kIpDaddr, kLoopback4), nft::drop()}),
          }};
}

nft::ChainSpec pre_chain() {
  return {.name = "pre",
          .hook = nft::Hook{"nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST},
          .rules = {
              Rule("published ports, for everyone but this host; 127/8 is for this host alone",
                   {nft::not_in_prefix(Key::kIpDaddr, kLoopback4), nft::destination_is_local(),
                    nft::jump("publish")}),
          }};
}

nft::ChainSpec out_chain() {
  return {.name = "out",
          .hook = nft::Hook{"nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST},
          .rules = {
              Rule("published ports, for this host",
                   {nft::is_ipv4(), nft::destination_is_local(), nft::jump("publish")}),
          }};
}

nft::ChainSpec forward_chain() {
  return {.name = "forward",
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
              Rule("sent to a published port",
                   {to_any(kBridges), nft::connection_dnat(), nft::accept()}),
              Rule("containers' own addresses are not for others", {to_any(kBridges), nft::drop()}),
          }};
}

nft::ChainSpec post_chain() {
  const IfName loopback = IfName::parse("lo").value();
  return {
      .name = "post",
      .hook = nft::Hook{"nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC},
      .rules = {
          Rule("this host's 127/8 to a published port",
               {nft::in_prefix(Key::kIpSaddr, kLoopback4), to_any(kBridges), nft::masquerade()}),
          Rule("through a published port back into its own network",
               {nft::connection_dnat(),
                nft::in_set({Key::kIpSaddr, Key::kOifname}, std::string(kHairpin4)),
                nft::masquerade()}),
          Rule("out of this host",
               {nft::in_set({Key::kIpSaddr}, std::string(kMasq4)),
                nft::not_in_set({Key::kOifname}, std::string(kBridges)),
                nft::interface_is_not(Key::kOifname, loopback), nft::masquerade()}),
      }};
}

nft::TableSpec make_table() {
  return {.name = std::string(kTable),
          .sets = sets(),
          .chains = {nft::ChainSpec{.name = std::string(kUserChain)}, publish_chain(), raw_chain(),
                     pre_chain(), out_chain(), forward_chain(), post_chain()}};
}

}  // namespace

const nft::TableSpec& table() {
  static const nft::TableSpec kSpec = make_table();
  return kSpec;
}

}  // namespace berth::firewall
