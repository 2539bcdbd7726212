// One plan with every operation in it, for the tests of what must know them all.
#pragma once

#include "plan/op.h"

namespace berth::plan {

inline IfName link(std::string_view text) {
  return IfName::parse(text).value();
}
inline Cidr prefix(std::string_view text) {
  return Cidr::parse(text).value();
}
inline Mac mac(std::string_view text) {
  return Mac::parse(text).value();
}

inline nft::Element publish(Port host_port) {
  return {.set = "publish4",
          .key = {Protocol::kTcp, host_port},
          .data = {Ip::v4(10, 1, 0, 2), Port{80}},
          .verdict = {},
          .comment = "web 12ab"};
}
inline nft::Element pair(std::string_view bridge) {
  return {.set = "pair",
          .key = {link(bridge), link(bridge)},
          .data = {},
          .verdict = nft::Verdict::kAccept,
          .comment = "net 34cd"};
}
inline nft::Element masquerade(std::string_view subnet) {
  return {.set = "masq4", .key = {prefix(subnet)}, .data = {}, .verdict = {}, .comment = ""};
}

inline const NsRef kBlue{"/run/netns/blue", 4026532001};

/// Each kind of operation at least once.
inline Plan every_op() {
  return {
      AddNetns{"/run/berth/netns/1"},
      DeleteNetns{"/run/berth/netns/2"},
      AddBridge{link("br0"), mac("02:42:0a:01:00:01"), 1400},
      AddVeth{link("veth1234567"), link("br0"), 1400, kBlue, link("eth0"),
              mac("02:42:0a:01:00:02")},
      AddMacvlan{kBlue,
                 link("eth1"),
                 link("ens3"),
                 mac("02:42:0a:01:00:03"),
                 1400,
                 MacvlanMode::kSource,
                 {mac("02:00:00:00:00:01"), mac("02:00:00:00:00:02")},
                 -1},
      AddIpvlan{kBlue, link("eth2"), link("ens4"), 1400, IpvlanMode::kL3, IpvlanFlag::kPrivate},
      AddVlan{link("ens3.50"), link("ens3"), 50},
      AddDummy{link("dm-1"), 1400},
      DeleteLink{link("br1")},
      DeleteLink{link("eth1"), kBlue, "macvlan", mac("02:00:00:00:00:01"), kBlue},
      ProbeAddress{kBlue, link("eth1"), Ip::v4(10, 1, 0, 3)},
      SetLinkUp{kBlue, link("eth0"), true},
      SetLinkMtu{kBlue, link("eth0"), 1400, 1500},
      JoinBridge{link("veth1234567"), link("br0")},
      IsolatePort{link("veth1234567")},
      HairpinPort{link("veth1234567"), true},
      FilterVlans{link("br0"), true},
      AddPortVlan{link("veth1234567"), 10, false},
      DeletePortVlan{link("br0"), 1, true},
      LockPort{link("veth1234567")},
      AddFdbEntry{link("veth1234567"), mac("02:42:0a:01:00:02")},
      SetVrf{link("br0"), link("red"), true},
      StartDhcp{kBlue, link("eth1"), "/run/berth/dhcp/1", "web", "/usr/bin/berth", {"A=1"}},
      StopDhcp{"/run/berth/dhcp/1"},
      AddAddress{{}, link("br0"), prefix("10.1.0.1/24")},
      DeleteAddress{kBlue, link("eth0"), prefix("10.1.0.2/24")},
      AddRoute{kBlue, std::nullopt, Ip::v4(10, 1, 0, 1), link("eth0")},
      DeleteRoute{kBlue, prefix("10.2.0.0/16"), std::nullopt, link("eth0")},
      SetSysctl{"net/ipv4/ip_forward", "1", "0"},
      EnsureTable{},
      DeleteTableIfUnused{},
      EnsureTranslator{},
      DeleteTranslatorIfUnused{},
      AddElement{publish(8080)},
      DeleteElement{pair("br0")},
      AddElement{masquerade("10.1.0.0/24")},
      FlushFlows{Protocol::kUdp, Ip::v4(127, 0, 0, 1), 53},
      StartProcess{kBlue, "web", "/srv/root fs", {"sh", "-c", "echo it's $HOME"}},
      SignalProcess{4711, 15},
  };
}

}  // namespace berth::plan
