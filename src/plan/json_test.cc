#include "plan/json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "plan/examples_for_test.h"

namespace berth::plan {
namespace {

TEST(PlanJson, TheExamplesHoldEveryOperation) {
  std::set<std::size_t> kinds;
  for (const auto& op : every_op()) kinds.insert(op.index());
  EXPECT_EQ(kinds.size(), std::variant_size_v<AnyOp>) << "add the new operation to every_op()";
}

TEST(PlanJson, EveryOperationComesBackAsItWas) {
  for (const auto& op : every_op()) {
    const auto text = to_json({op});
    const auto back = from_json(text);
    ASSERT_TRUE(back) << text << ": " << back.error().message;
    ASSERT_EQ(back->size(), 1U);
    EXPECT_EQ(back->front().index(), op.index()) << text;
    EXPECT_EQ(to_json(*back), text);
  }
}

// That a field which nobody writes is noticed: no two of these may have the same document.
TEST(PlanJson, EveryFieldIsWritten) {
  const IfName a = link("a"), b = link("b");
  const NsRef other{"/run/netns/blue", 4026532002};
  const Plan variants = {
      AddNetns{"/1"},
      AddNetns{"/2"},
      DeleteNetns{"/1"},
      DeleteNetns{"/2"},
      AddBridge{a, mac("02:00:00:00:00:01"), 1},
      AddBridge{b, mac("02:00:00:00:00:01"), 1},
      AddBridge{a, mac("02:00:00:00:00:02"), 1},
      AddBridge{a, mac("02:00:00:00:00:01"), 2},
      AddVeth{a, a, 1, kBlue, a, mac("02:00:00:00:00:01")},
      AddVeth{b, a, 1, kBlue, a, mac("02:00:00:00:00:01")},
      AddVeth{a, b, 1, kBlue, a, mac("02:00:00:00:00:01")},
      AddVeth{a, a, 2, kBlue, a, mac("02:00:00:00:00:01")},
      AddVeth{a, a, 1, other, a, mac("02:00:00:00:00:01")},
      AddVeth{a, a, 1, kBlue, b, mac("02:00:00:00:00:01")},
      AddVeth{a, a, 1, kBlue, a, mac("02:00:00:00:00:02")},
      AddMacvlan{kBlue, a, a, mac("02:00:00:00:00:01"), 1},
      AddMacvlan{other, a, a, mac("02:00:00:00:00:01"), 1},
      AddMacvlan{kBlue, b, a, mac("02:00:00:00:00:01"), 1},
      AddMacvlan{kBlue, a, b, mac("02:00:00:00:00:01"), 1},
      AddMacvlan{kBlue, a, a, mac("02:00:00:00:00:02"), 1},
      AddMacvlan{kBlue, a, a, mac("02:00:00:00:00:01"), 2},
      AddMacvlan{kBlue, a, a, mac("02:00:00:00:00:01"), 1, MacvlanMode::kVepa},
      AddMacvlan{kBlue,
                 a,
                 a,
                 mac("02:00:00:00:00:01"),
                 1,
                 MacvlanMode::kBridge,
                 {mac("02:00:00:00:00:01")}},
      AddMacvlan{kBlue, a, a, mac("02:00:00:00:00:01"), 1, MacvlanMode::kBridge, {}, -1},
      AddIpvlan{kBlue, a, a, 1},
      AddIpvlan{other, a, a, 1},
      AddIpvlan{kBlue, b, a, 1},
      AddIpvlan{kBlue, a, b, 1},
      AddIpvlan{kBlue, a, a, 2},
      AddIpvlan{kBlue, a, a, 1, IpvlanMode::kL3},
      AddIpvlan{kBlue, a, a, 1, IpvlanMode::kL2, IpvlanFlag::kVepa},
      AddVlan{a, a, 1},
      AddVlan{b, a, 1},
      AddVlan{a, b, 1},
      AddVlan{a, a, 2},
      AddDummy{a, 1},
      AddDummy{b, 1},
      AddDummy{a, 2},
      DeleteLink{a},
      DeleteLink{b},
      DeleteLink{a, kBlue},
      DeleteLink{.name = a, .kind = "bridge"},
      DeleteLink{.name = a, .mac = mac("02:00:00:00:00:01")},
      DeleteLink{.name = a, .peer_ns = kBlue},
      ProbeAddress{kBlue, a, Ip::v4(1, 2, 3, 4)},
      ProbeAddress{other, a, Ip::v4(1, 2, 3, 4)},
      ProbeAddress{kBlue, b, Ip::v4(1, 2, 3, 4)},
      ProbeAddress{kBlue, a, Ip::v4(1, 2, 3, 5)},
      SetLinkUp{kBlue, a, true},
      SetLinkUp{other, a, true},
      SetLinkUp{kBlue, b, true},
      SetLinkUp{kBlue, a, false},
      JoinBridge{a, a},
      JoinBridge{b, a},
      JoinBridge{a, b},
      IsolatePort{a},
      IsolatePort{b},
      HairpinPort{a, true},
      HairpinPort{b, true},
      HairpinPort{a, false},
      StartDhcp{kBlue, a, "/1", "h", "/p", {"A=1"}},
      StartDhcp{other, a, "/1", "h", "/p", {"A=1"}},
      StartDhcp{kBlue, b, "/1", "h", "/p", {"A=1"}},
      StartDhcp{kBlue, a, "/2", "h", "/p", {"A=1"}},
      StartDhcp{kBlue, a, "/1", "i", "/p", {"A=1"}},
      StartDhcp{kBlue, a, "/1", "h", "/q", {"A=1"}},
      StartDhcp{kBlue, a, "/1", "h", "/p", {"A=2"}},
      StopDhcp{"/1"},
      StopDhcp{"/2"},
      AddAddress{kBlue, a, prefix("10.0.0.1/8")},
      AddAddress{other, a, prefix("10.0.0.1/8")},
      AddAddress{kBlue, b, prefix("10.0.0.1/8")},
      AddAddress{kBlue, a, prefix("10.0.0.1/9")},
      DeleteAddress{kBlue, a, prefix("10.0.0.1/8")},
      DeleteAddress{other, a, prefix("10.0.0.1/8")},
      DeleteAddress{kBlue, b, prefix("10.0.0.1/8")},
      DeleteAddress{kBlue, a, prefix("10.0.0.1/9")},
      AddRoute{kBlue, {}, {}, a},
      AddRoute{other, {}, {}, a},
      AddRoute{kBlue, prefix("10.0.0.0/8"), {}, a},
      AddRoute{kBlue, {}, Ip::v4(1, 2, 3, 4), a},
      AddRoute{kBlue, {}, {}, b},
      DeleteRoute{kBlue, {}, {}, a},
      DeleteRoute{other, {}, {}, a},
      DeleteRoute{kBlue, prefix("10.0.0.0/8"), {}, a},
      DeleteRoute{kBlue, {}, Ip::v4(1, 2, 3, 4), a},
      DeleteRoute{kBlue, {}, {}, b},
      AddRoute{kBlue, {}, {}, a, {}, 0, Ip::v4(1, 2, 3, 4)},
      DeleteRoute{kBlue, {}, {}, a, {}, 0, Ip::v4(1, 2, 3, 4)},
      SetSysctl{"a", "1", "1"},
      SetSysctl{"b", "1", "1"},
      SetSysctl{"a", "2", "1"},
      SetSysctl{"a", "1", "2"},
      EnsureTable{},
      DeleteTableIfUnused{},
      EnsureTranslator{},
      DeleteTranslatorIfUnused{},
      AddElement{publish(1)},
      AddElement{publish(2)},
      AddElement{pair("a")},
      AddElement{masquerade("10.0.0.0/8")},
      DeleteElement{publish(1)},
      DeleteElement{publish(2)},
      FlushFlows{Protocol::kUdp, Ip(), 1},
      FlushFlows{Protocol::kTcp, Ip(), 1},
      FlushFlows{Protocol::kUdp, Ip::v4(127, 0, 0, 1), 1},
      FlushFlows{Protocol::kUdp, Ip(), 2},
      StartProcess{kBlue, "h", "/", {"a"}},
      StartProcess{other, "h", "/", {"a"}},
      StartProcess{kBlue, "i", "/", {"a"}},
      StartProcess{kBlue, "h", "", {"a"}},
      StartProcess{kBlue, "h", "/", {"b"}}};
  std::set<std::string> documents;
  for (const auto& op : variants) {
    const auto text = to_json({op});
    EXPECT_TRUE(documents.insert(text).second) << text;
    const auto back = from_json(text);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(to_json(*back), text);
  }
}

TEST(PlanJson, AnEmptyPlanAndAWholeOneKeepTheirOrder) {
  EXPECT_EQ(to_json({}), "[]");
  EXPECT_TRUE(from_json("[]").value().empty());
  const auto plan = every_op();
  const auto back = from_json(to_json(plan)).value();
  ASSERT_EQ(back.size(), plan.size());
  for (std::size_t i = 0; i < plan.size(); ++i) EXPECT_EQ(back[i].index(), plan[i].index());
}

TEST(PlanJson, OddTextSurvives) {
  const auto text =
      to_json({StartProcess{{}, "h", "", {"\xff\xfe", "{", "[", "a\"b\\c\n\x01", "ü"}}});
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  ASSERT_FALSE(json.is_discarded()) << text;
  const auto back = from_json(text).value();
  const auto& op = std::get<StartProcess>(back[0]);
  ASSERT_EQ(op.argv.size(), 5U);
  EXPECT_EQ(op.argv[1], "{");
  EXPECT_EQ(op.argv[3], "a\"b\\c\n\x01");
  EXPECT_EQ(op.argv[4], "ü");
}

TEST(PlanJson, WhatIsNoPlanIsCorrupt) {
  for (
      const char* text : {
          "",
          "x",
          "null",
          "{}",
          "5",
          "[5]",
          "[{}]",
          "[[]]",
          R"([{"op":5}])",
          R"([{"op":"fly"}])",
          R"([{"op":"add-netns"}])",
          R"([{"op":"add-netns","path":5}])",
          R"([{"op":"add-netns","path":"/x"})",
          R"([{"op":"delete-link","name":"sixteen-letters0"}])",
          R"([{"op":"delete-link","name":"a/b"}])",
          R"([{"op":"add-address","ns":{"path":"","inode":0},"link":"a","address":"10.0.0.1"}])",
          R"([{"op":"add-element","element":{"set":"s","key":[{}],"data":[],"verdict":null,"comment":""}}])",
          R"([{"op":"add-element","element":{"set":"s","key":[5],"data":[],"verdict":null,"comment":""}}])",
          R"([{"op":"add-element","element":{"set":"s","key":[{"ip":"1.2.3.4","port":1}],"data":[],"verdict":null,"comment":""}}])",
          R"([{"op":"add-element","element":{"set":"s","key":[{"colour":"red"}],"data":[],"verdict":null,"comment":""}}])",
      }) {
    const auto plan = from_json(text);
    ASSERT_FALSE(plan) << text;
    EXPECT_EQ(plan.error().kind, ErrorKind::kCorrupt) << text;
  }
}

}  // namespace
}  // namespace berth::plan
