#include "plan/op.h"

#include <gtest/gtest.h>

#include "plan/examples_for_test.h"
#include "plan/json.h"

namespace berth::plan {
namespace {

void expect_inverse(const Plan& plan, const Plan& expected) {
  EXPECT_EQ(to_json(inverse(plan)), to_json(expected));
}

const Mac kMac = mac("02:00:00:00:00:01");

TEST(Inverse, OfOperationsOnWhatWasThereBefore) {
  const auto eth0 = link("eth0");
  const auto address = prefix("10.1.0.2/24");
  const auto gateway = Ip::v4(10, 1, 0, 1);
  expect_inverse({AddNetns{"/x"}}, {DeleteNetns{"/x"}});
  expect_inverse({AddBridge{eth0, kMac, 0}},
                 {DeleteLink{.name = eth0, .kind = "bridge", .mac = kMac}});
  expect_inverse({AddMacvlan{kBlue, eth0, link("ens3"), kMac, 0}},
                 {DeleteLink{eth0, kBlue, "macvlan", kMac}});
  expect_inverse({AddIpvlan{kBlue, eth0, link("ens3"), 0}}, {DeleteLink{eth0, kBlue, "ipvlan"}});
  expect_inverse({AddVlan{link("ens3.5"), link("ens3"), 5}},
                 {DeleteLink{link("ens3.5"), {}, "vlan"}});
  expect_inverse({AddDummy{link("dm-1"), 0}}, {DeleteLink{link("dm-1"), {}, "dummy"}});
  expect_inverse({StartDhcp{kBlue, eth0, "/1", "", "", {}}}, {StopDhcp{"/1"}});
  expect_inverse({SetLinkUp{kBlue, eth0, true}}, {SetLinkUp{kBlue, eth0, false}});
  expect_inverse({SetLinkUp{kBlue, eth0, false}}, {SetLinkUp{kBlue, eth0, true}});
  expect_inverse({HairpinPort{eth0, true}}, {HairpinPort{eth0, false}});
  expect_inverse({AddAddress{kBlue, eth0, address}}, {DeleteAddress{kBlue, eth0, address}});
  expect_inverse({DeleteAddress{kBlue, eth0, address}}, {AddAddress{kBlue, eth0, address}});
  expect_inverse({AddRoute{kBlue, {}, gateway, eth0}}, {DeleteRoute{kBlue, {}, gateway, eth0}});
  expect_inverse({DeleteRoute{kBlue, {}, gateway, eth0}}, {AddRoute{kBlue, {}, gateway, eth0}});
  expect_inverse({SetSysctl{"a", "1", "0"}}, {SetSysctl{"a", "0", "1"}});
  expect_inverse({FilterVlans{eth0, true}}, {FilterVlans{eth0, false}});
  expect_inverse({AddPortVlan{eth0, 10, true}, DeletePortVlan{eth0, 1, true}},
                 {AddPortVlan{eth0, 1, true}, DeletePortVlan{eth0, 10, true}});
  expect_inverse({SetVrf{eth0, link("red"), true}}, {SetVrf{eth0, link("red"), false}});
  expect_inverse({EnsureTable{}}, {DeleteTableIfUnused{}});
  expect_inverse({DeleteTableIfUnused{}}, {EnsureTable{}});
  expect_inverse({EnsureTranslator{}}, {DeleteTranslatorIfUnused{}});
  expect_inverse({DeleteTranslatorIfUnused{}}, {EnsureTranslator{}});
  expect_inverse({AddElement{publish(1)}}, {DeleteElement{publish(1)}});
  expect_inverse({DeleteElement{publish(1)}}, {AddElement{publish(1)}});
}

TEST(Inverse, GoesBackwards) {
  expect_inverse({EnsureTable{}, AddElement{publish(1)}, SetSysctl{"a", "1", "0"}},
                 {SetSysctl{"a", "0", "1"}, DeleteElement{publish(1)}, DeleteTableIfUnused{}});
}

TEST(Inverse, LeavesOutWhatGoesWithTheLinkItIsOn) {
  const auto veth = link("veth1"), bridge = link("br0"), eth0 = link("eth0");
  expect_inverse({AddBridge{bridge, kMac, 0}, SetVrf{bridge, link("red")}, FilterVlans{bridge},
                  AddPortVlan{bridge, 10, true}, DeletePortVlan{bridge, 1, true}},
                 {DeleteLink{bridge, {}, "bridge", kMac}});
  expect_inverse({AddVeth{veth, bridge, 0, kBlue, eth0, {}}, AddPortVlan{veth, 10},
                  DeletePortVlan{veth, 1}, LockPort{veth}, AddFdbEntry{veth, {}}},
                 {DeleteLink{.name = veth, .kind = "veth", .peer_ns = kBlue}});
  expect_inverse({AddBridge{bridge, kMac, 0}, AddAddress{{}, bridge, prefix("10.1.0.1/24")},
                  SetSysctl{"net/ipv4/conf/br0/route_localnet", "1", ""}},
                 {DeleteLink{bridge, {}, "bridge", kMac}});
  expect_inverse(
      {AddVeth{veth, bridge, 0, kBlue, eth0, {}}, HairpinPort{veth, true}, IsolatePort{veth},
       AddAddress{kBlue, eth0, prefix("10.1.0.2/24")}, SetLinkUp{kBlue, eth0, true},
       AddRoute{kBlue, {}, Ip::v4(10, 1, 0, 1), eth0}, AddElement{publish(1)}},
      {DeleteElement{publish(1)}, DeleteLink{.name = veth, .kind = "veth", .peer_ns = kBlue}});
  expect_inverse({AddMacvlan{kBlue, eth0, bridge, kMac, 0}, SetLinkUp{kBlue, eth0, true},
                  ProbeAddress{kBlue, eth0, Ip::v4(10, 1, 0, 2)},
                  AddAddress{kBlue, eth0, prefix("10.1.0.2/24")}},
                 {DeleteLink{eth0, kBlue, "macvlan", kMac}});
}

TEST(Inverse, LeavesOutWhatGoesWithTheNamespaceItIsIn) {
  const NsRef made{"/made", 0};
  expect_inverse({AddNetns{"/made"}, SetLinkUp{made, link("lo"), true},
                  AddRoute{made, {}, Ip::v4(10, 1, 0, 1), link("eth0")}},
                 {DeleteNetns{"/made"}});
}

// The same name in another namespace is another link.
TEST(Inverse, TellsLinksOfOneNameApart) {
  const auto eth0 = link("eth0");
  const NsRef green{"/green", 1};
  expect_inverse(
      {AddVeth{link("veth1"), link("br0"), 0, green, eth0, {}}, SetLinkUp{kBlue, eth0, true}},
      {SetLinkUp{kBlue, eth0, false},
       DeleteLink{.name = link("veth1"), .kind = "veth", .peer_ns = green}});
}

TEST(Inverse, HasNothingForWhatCannotBeTakenBack) {
  expect_inverse(
      {DeleteLink{link("a")}, DeleteNetns{"/x"}, FlushFlows{}, JoinBridge{link("a"), link("b")}},
      {});
}

TEST(Plan, HasTheFlushesOfFlowsLastAndInTheirOrder) {
  const FlushFlows one{Protocol::kUdp, Ip(), 1};
  const FlushFlows two{Protocol::kUdp, Ip(), 2};
  Plan plan{one, DeleteNetns{"/a"}, two, DeleteNetns{"/b"}};
  put_flushes_last(plan);
  EXPECT_EQ(to_json(plan), to_json({DeleteNetns{"/a"}, DeleteNetns{"/b"}, one, two}));
}

}  // namespace
}  // namespace berth::plan
