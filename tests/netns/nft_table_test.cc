// berth's table in the kernel: that its text and its netlink form mean the same, repair, removal.
#include <chrono>
#include <sstream>

#include "nft_fixture.h"

namespace berth {
namespace {

using firewall::ensure_table;
using firewall::remove_table_if_unused;
using nft::Batch;
using nft::Element;
using namespace testing;  // of this folder's headers

class TableTest : public NftTest {};

// Its lines in order of the alphabet: chains and sets are listed in order of their making, which a
// repair changes.
std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::ranges::sort(lines);
  return lines;
}

// Without the handles, which count what was ever made.
std::string listing_json() {
  auto finished = shell("nft -j list ruleset | sed -E 's/, \"handle\": [0-9]+//g'");
  return finished.output;
}

TEST_F(TableTest, TheTablesTextAndItsNetlinkFormMeanTheSame) {
  ASSERT_TRUE(add(some_of_everything()));
  const auto by_netlink = listing("-n");
  const auto by_netlink_json = listing_json();

  ASSERT_EQ(shell("nft flush ruleset").status, 0);
  std::string commands = nft::text(firewall::table());
  for (const auto& element : some_of_everything()) {
    commands += nft::add_command("berth", element) + '\n';
  }
  const auto loaded = load_nft(commands);
  ASSERT_EQ(loaded.status, 0) << loaded.output;
  EXPECT_EQ(by_netlink, listing("-n"));
  EXPECT_EQ(by_netlink_json, listing_json());
}

TEST_F(TableTest, WhatIsAllThereIsLeftAlone) {
  const auto before = connection_.generation().value();
  EXPECT_EQ(ensure_table(connection_), false);
  EXPECT_EQ(connection_.generation().value(), before);
}

// Each damage is a command; afterwards the table must be as before and keep its elements.
class TableRepairTest : public NftTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(TableRepairTest, IsRepaired) {
  ASSERT_TRUE(add(some_of_everything()));
  const auto whole = listing("-n");
  const auto damaged = shell(GetParam());
  ASSERT_EQ(damaged.status, 0) << damaged.output;
  ASSERT_NE(listing("-n"), whole);
  const auto repaired = ensure_table(connection_);
  ASSERT_TRUE(repaired) << repaired.error().message;
  EXPECT_TRUE(*repaired);
  EXPECT_EQ(sorted_lines(listing("-n")), sorted_lines(whole));
}

INSTANTIATE_TEST_SUITE_P(
    Damage, TableRepairTest,
    ::testing::Values(
        "nft flush chain inet berth forward", "nft flush chain inet berth publish",
        "nft insert rule inet berth forward accept", "nft add rule inet berth post counter",
        "nft 'flush chain inet berth post; delete chain inet berth post'",
        "nft 'flush chain inet berth raw; delete chain inet berth raw; add chain inet berth raw "
        "{ type filter hook prerouting priority 5; }'",
        "nft 'chain inet berth forward { policy drop; }'",
        "nft replace rule inet berth raw handle $(nft -a list chain inet berth raw | "
        "sed -n 's/.*loopback.*drop.*handle //p; s/.*drop.*loopback.*handle //p') accept",
        "nft delete rule inet berth raw handle $(nft -a list chain inet berth raw | "
        "sed -n 's/.*by its port.*handle //p')"));

TEST_F(TableTest, AFlushedRulesetIsMadeAnew) {
  const auto whole = listing("-n");
  for (const char* damage : {"nft flush ruleset", "nft delete table inet berth"}) {
    ASSERT_EQ(shell(damage).status, 0);
    EXPECT_EQ(ensure_table(connection_), true) << damage;
    EXPECT_EQ(listing("-n"), whole) << damage;
  }
}

TEST_F(TableTest, ASetOfAnotherTypeIsReplaced) {
  const auto whole = listing("-n");
  ASSERT_EQ(shell("nft 'flush chain inet berth forward; delete map inet berth pair; "
                  "add set inet berth pair { type ifname; }'")
                .status,
            0);
  EXPECT_EQ(ensure_table(connection_), true);
  EXPECT_EQ(sorted_lines(listing("-n")), sorted_lines(whole));
}

TEST_F(TableTest, TheUsersChainIsNeverTouched) {
  ASSERT_EQ(shell("nft add rule inet berth user ip saddr 192.0.2.1 drop").status, 0);
  ASSERT_EQ(shell("nft flush chain inet berth forward").status, 0);
  EXPECT_EQ(ensure_table(connection_), true);
  EXPECT_NE(listing("").find("ip saddr 192.0.2.1 drop"), std::string::npos);
}

TEST_F(TableTest, TheTableStaysWhileANetworkUsesIt) {
  ASSERT_TRUE(add(firewall::network_elements({.bridge = ifname("br0")})));
  const auto before = listing("-n");
  EXPECT_EQ(remove_table_if_unused(connection_), false);
  EXPECT_EQ(listing("-n"), before);
}

TEST_F(TableTest, AnUnusedTableIsDeleted) {
  EXPECT_EQ(remove_table_if_unused(connection_), true);
  EXPECT_EQ(listing(""), "");
  EXPECT_EQ(remove_table_if_unused(connection_), true);
}

TEST_F(TableTest, AnUnusedTableKeepsWhatIsTheAdministrators) {
  ASSERT_EQ(load_nft("table inet berth {\n"
                     "  chain mine { counter; }\n"
                     "  chain user { ip saddr 192.0.2.1 jump mine; }\n"
                     "}\n")
                .status,
            0);
  EXPECT_EQ(remove_table_if_unused(connection_), true);
  EXPECT_EQ(shell("nft -s list ruleset").output,
            "table inet berth {\n"
            "\tchain user {\n"
            "\t\tip saddr 192.0.2.1 jump mine\n"
            "\t}\n"
            "\n"
            "\tchain mine {\n"
            "\t\tcounter\n"
            "\t}\n"
            "}\n");
  EXPECT_EQ(ensure_table(connection_), true);
  EXPECT_NE(listing("").find("ip saddr 192.0.2.1 jump mine"), std::string::npos);
}

TEST_F(TableTest, AnUnusedTableThatTheAdministratorsRulesReferToStays) {
  ASSERT_EQ(shell("nft add rule inet berth user iifname @bridges counter").status, 0);
  const auto before = shell("nft -s list ruleset").output;
  EXPECT_EQ(remove_table_if_unused(connection_), true);
  EXPECT_EQ(shell("nft -s list ruleset").output, before);
}

// Prints what a commit costs; measured and not judged, as the machine may be busy.
TEST_F(TableTest, CostOfAChange) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 200;
  const auto microseconds = [](Clock::time_point from) {
    return std::chrono::duration<double, std::micro>(Clock::now() - from).count() / kRounds;
  };
  int present = 0;
  for (const int wanted : {10, 5000}) {
    std::vector<Element> more;
    while (present < wanted) more.push_back(published(static_cast<Port>(++present)));
    ASSERT_TRUE(add(more));
    auto start = Clock::now();
    for (int i = 0; i < kRounds; ++i) ASSERT_TRUE(add({published(static_cast<Port>(20000 + i))}));
    fmt::print("one add with {} elements present: {:.0f} us\n", wanted, microseconds(start));
    start = Clock::now();
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_TRUE(remove({published(static_cast<Port>(20000 + i))}));
    }
    fmt::print("one removal with {} elements present: {:.0f} us\n", wanted, microseconds(start));
    start = Clock::now();
    for (int i = 0; i < kRounds; ++i) ASSERT_EQ(ensure_table(connection_), false);
    fmt::print("ensure_table with {} elements present: {:.0f} us\n", wanted, microseconds(start));
  }
}

}  // namespace
}  // namespace berth
