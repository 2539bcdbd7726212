#include "plan/render.h"

#include <gtest/gtest.h>

#include <set>

#include "firewall/table.h"
#include "plan/examples_for_test.h"

namespace berth::plan {
namespace {

using Lines = std::vector<std::string>;

TEST(Render, EveryOperationHasACommand) {
  for (const auto& op : every_op()) EXPECT_FALSE(render({op}).empty()) << op.index();
}

TEST(Render, Links) {
  const auto veth = link("veth1234567");
  EXPECT_EQ(render({AddBridge{link("br0"), mac("02:42:0a:01:00:01"), 1400}}),
            (Lines{"ip link add name br0 address 02:42:0a:01:00:01 type bridge",
                   "ip link set br0 mtu 1400 up"}));
  EXPECT_EQ(render({AddVeth{veth, link("br0"), 0, kBlue, link("eth0"), mac("02:42:0a:01:00:02")}}),
            (Lines{"ip link add name veth1234567 master br0 type veth peer name eth0 address "
                   "02:42:0a:01:00:02 netns /run/netns/blue",
                   "ip link set veth1234567 up"}));
  EXPECT_EQ(
      render({SetLinkUp{kBlue, link("eth0"), true}, SetLinkUp{{}, veth, false}}),
      (Lines{"nsenter --net=/run/netns/blue ip link set eth0 up", "ip link set veth1234567 down"}));
  EXPECT_EQ(render({SetLinkMtu{kBlue, link("eth0"), 1400, 1500}}),
            (Lines{"nsenter --net=/run/netns/blue ip link set eth0 mtu 1400"}));
  EXPECT_EQ(
      render({JoinBridge{veth, link("br0")}, IsolatePort{veth}, HairpinPort{veth, true},
              HairpinPort{veth, false}, DeleteLink{veth}}),
      (Lines{"ip link set veth1234567 master br0", "bridge link set dev veth1234567 isolated on",
             "bridge link set dev veth1234567 hairpin on",
             "bridge link set dev veth1234567 hairpin off", "ip link del veth1234567"}));
}

TEST(Render, WhatABridgeDoes) {
  const auto veth = link("veth1234567"), bridge = link("br0");
  EXPECT_EQ(render({FilterVlans{bridge, true}, FilterVlans{bridge, false}}),
            (Lines{"ip link set br0 type bridge vlan_filtering 1",
                   "ip link set br0 type bridge vlan_filtering 0"}));
  EXPECT_EQ(render({AddPortVlan{veth, 10}, AddPortVlan{bridge, 10, true}, DeletePortVlan{veth, 1},
                    DeletePortVlan{bridge, 1, true}}),
            (Lines{"bridge vlan add vid 10 dev veth1234567 pvid untagged",
                   "bridge vlan add vid 10 dev br0 self pvid untagged",
                   "bridge vlan del vid 1 dev veth1234567", "bridge vlan del vid 1 dev br0 self"}));
  EXPECT_EQ(render({LockPort{veth}, AddFdbEntry{veth, mac("02:42:0a:01:00:02")}}),
            (Lines{"bridge link set dev veth1234567 locked on learning off",
                   "bridge fdb add 02:42:0a:01:00:02 dev veth1234567 master static sticky"}));
  EXPECT_EQ(render({SetVrf{bridge, link("red")}, SetVrf{bridge, link("red"), false}}),
            (Lines{"ip link set br0 master red", "ip link set br0 nomaster"}));
}

TEST(Render, AddressesAndRoutes) {
  EXPECT_EQ(render({AddAddress{{}, link("br0"), prefix("10.1.0.1/24")},
                    AddAddress{kBlue, link("eth0"), prefix("10.1.0.1/31")},
                    DeleteAddress{{}, link("br0"), prefix("10.1.0.1/24")}}),
            (Lines{"ip addr add 10.1.0.1/24 broadcast 10.1.0.255 dev br0",
                   "nsenter --net=/run/netns/blue ip addr add 10.1.0.1/31 dev eth0",
                   "ip addr del 10.1.0.1/24 dev br0"}));
  EXPECT_EQ(
      render({AddRoute{kBlue, {}, Ip::v4(10, 1, 0, 1), link("eth0")},
              DeleteRoute{{}, prefix("10.2.0.0/16"), {}, link("br0")}}),
      (Lines{
          "nsenter --net=/run/netns/blue ip route add default via 10.1.0.1 dev eth0 proto static",
          "ip route del 10.2.0.0/16 dev br0 proto static"}));
}

TEST(Render, NamespacesSysctlsAndFlows) {
  EXPECT_EQ(render({AddNetns{"/run/x"}, DeleteNetns{"/run/x"}}),
            (Lines{"mkdir -p -m 700 /run && touch /run/x && unshare --net=/run/x ip link set lo up",
                   "umount /run/x && rm /run/x"}));
  EXPECT_EQ(render({SetSysctl{"net/ipv4/conf/br.1/route_localnet", "1", ""}}),
            (Lines{"sysctl -qw net/ipv4/conf/br.1/route_localnet=1"}));
  EXPECT_EQ(render({FlushFlows{Protocol::kUdp, Ip::v4(127, 0, 0, 1), 53},
                    FlushFlows{Protocol::kUdp, Ip(), 54}}),
            (Lines{"conntrack -D -p udp --orig-port-dst 53 --orig-dst 127.0.0.1",
                   "ip -4 -o addr | awk '{ sub(\"/.*\", \"\", $4); print $4 }' | "
                   "xargs -n 1 conntrack -D -p udp --orig-port-dst 54 --orig-dst"}));
}

TEST(Render, ConsecutiveNftStatementsAreOneTransaction) {
  EXPECT_EQ(
      render({AddElement{publish(8080)}, AddElement{pair("br0")}, DeleteLink{link("a")},
              DeleteElement{publish(8080)}}),
      (Lines{"nft -f - <<'EOF'\n"
             "add element inet berth publish4 { tcp . 8080 comment \"web 12ab\" : 10.1.0.2 . 80 }\n"
             "add element inet berth pair { \"br0\" . \"br0\" comment \"net 34cd\" : accept }\n"
             "EOF",
             "ip link del a",
             "nft -f - <<'EOF'\ndelete element inet berth publish4 { tcp . 8080 }\nEOF"}));
  const auto translator = render({EnsureTranslator{}});
  EXPECT_TRUE(translator.front().starts_with("ip link add name berth64 ")) << translator.front();
  const auto table = render({EnsureTable{}, AddElement{masquerade("10.1.0.0/24")}});
  ASSERT_EQ(table.size(), 1U);
  EXPECT_TRUE(table[0].starts_with("nft -f - <<'EOF'\n" + nft::text(firewall::table())));
  EXPECT_TRUE(table[0].ends_with("add element inet berth masq4 { 10.1.0.0/24 }\nEOF"));
}

TEST(Render, WordsFromOutsideAreQuotedForAShell) {
  EXPECT_EQ(render({DeleteLink{link("a$b;c")}, DeleteLink{link("it's")}, DeleteLink{link("*")}}),
            (Lines{"ip link del 'a$b;c'", "ip link del 'it'\\''s'", "ip link del '*'"}));
  EXPECT_EQ(render({AddNetns{"/a b/$(x)"}}),
            (Lines{"mkdir -p -m 700 '/a b' && touch '/a b/$(x)' && "
                   "unshare --net='/a b/$(x)' ip link set lo up"}));
  EXPECT_EQ(
      render({StartProcess{{"/run/it's", 0}, "h", "/root fs", {"echo", "", "a b", "plain-1.0/x"}}}),
      (Lines{"nsenter --net='/run/it'\\''s' unshare --mount --uts --ipc --pid --fork --mount-proc "
             "--root='/root fs' -- sh -c 'hostname \"$0\" && exec \"$@\"' h echo '' 'a b' "
             "plain-1.0/x"}));
  EXPECT_EQ(render({SetLinkUp{{"/run/a b", 0}, link("lo"), true}}),
            (Lines{"nsenter --net='/run/a b' ip link set lo up"}));
}

}  // namespace
}  // namespace berth::plan
