// The nft layer and berth's table against the real kernel: transactions, dumps, repair, and that
// the table's text and its netlink form mean the same.
#include <gtest/gtest.h>

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <sstream>
#include <thread>

#include "firewall/intents.h"
#include "firewall/table.h"
#include "kernel/netns/netns.h"
#include "kernel/nft/connection.h"
#include "nft_shell.h"

namespace berth {
namespace {

using firewall::ensure_table;
using firewall::remove_table_if_unused;
using nft::Batch;
using nft::Connection;
using nft::Element;
using testing::load_nft;
using testing::shell;

IfName ifname(std::string_view text) {
  return IfName::parse(text).value();
}
Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

const nft::SetSpec& spec(std::string_view set) {
  const auto& sets = firewall::table().sets;
  return *std::ranges::find(sets, set, &nft::SetSpec::name);
}

Element published(Port port, std::string owner = "web") {
  return firewall::publish_element({.protocol = Protocol::kTcp,
                                    .host_port = port,
                                    .to = Ip::v4(10, 1, 0, 2),
                                    .to_port = 8080,
                                    .owner = std::move(owner)})
      .value();
}

// One element or more for every set of the table.
std::vector<Element> some_of_everything() {
  std::vector<Element> elements{published(12211)};
  elements.push_back(firewall::publish_element({.protocol = Protocol::kUdp,
                                                .host_ip = Ip::v4(127, 0, 0, 1),
                                                .host_port = 53,
                                                .to = Ip::v4(10, 2, 0, 3),
                                                .to_port = 5353,
                                                .owner = "dns"})
                         .value());
  const auto add = [&](const firewall::NetworkIntent& network) {
    for (auto& element : firewall::network_elements(network)) elements.push_back(element);
  };
  // Neighbouring subnets: an interval's end is the next one's start.
  add({.bridge = ifname("br0"), .subnets = {cidr("10.1.0.0/24")}, .owner = "front"});
  add({.bridge = ifname("br-fifteenbytes"), .subnets = {cidr("10.1.1.0/25"), cidr("10.9.0.0/16")}});
  add({.bridge = ifname("br2"), .subnets = {cidr("10.3.0.0/29")}, .internal = true});
  return elements;
}

class NftTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(shell("nft flush ruleset").status, 0);
    ASSERT_TRUE(ensure_table(connection_));
  }

  Status add(const std::vector<Element>& elements) {
    Batch batch("berth");
    batch.add_elements(elements);
    return connection_.commit(std::move(batch));
  }
  Status remove(const std::vector<Element>& elements) {
    Batch batch("berth");
    batch.remove_elements(elements);
    return connection_.commit(std::move(batch));
  }
  std::vector<Element> list(std::string_view set) {
    auto found = connection_.list_elements("berth", spec(set));
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<Element>{});
  }

  Connection connection_ = Connection::open().value();
};

// Its lines in order of the alphabet: chains and sets are listed in order of their making, which a
// repair changes.
std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::ranges::sort(lines);
  return lines;
}

std::string listing(const std::string& options) {
  auto finished = shell("nft " + options + " list ruleset");
  EXPECT_EQ(finished.status, 0) << finished.output;
  return finished.output;
}

// Without the handles, which count what was ever made.
std::string listing_json() {
  auto finished = shell("nft -j list ruleset | sed -E 's/, \"handle\": [0-9]+//g'");
  return finished.output;
}

TEST_F(NftTest, TheTablesTextAndItsNetlinkFormMeanTheSame) {
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
  // In its JSON form nft 1.0.6 names the chains and sets in order of their making, so the two must
  // be made in the same order, too.
  const auto by_text_json = listing_json();
  EXPECT_EQ(by_netlink_json, by_text_json);
  EXPECT_NE(by_text_json.find("\"comment\": \"published on this address\""), std::string::npos);
}

TEST_F(NftTest, EveryPartOfARuleMeansItsWords) {
  using nft::Key;
  const nft::TableSpec parts{
      .name = "parts",
      .sets = {{.name = "names", .key = {nft::FieldType::kIfName}},
               {.name = "addresses6", .key = {nft::FieldType::kIpv6}, .interval = true}},
      .chains = {{.name = "mine",
                  .rules = {
                      nft::Rule("masked", {nft::in_prefix(Key::kIpSaddr, cidr("10.1.2.0/23")),
                                           nft::not_in_prefix(Key::kIpDaddr, cidr("10.0.0.0/9")),
                                           nft::drop()}),
                      nft::Rule("whole", {nft::in_prefix(Key::kIpSaddr, cidr("10.1.2.0/24")),
                                          nft::not_in_prefix(Key::kIpDaddr, cidr("10.1.2.3/32")),
                                          nft::accept()}),
                      nft::Rule("all", {nft::is_ipv4(), nft::connection_established(),
                                        nft::connection_invalid(), nft::connection_dnat(),
                                        nft::in_set({Key::kIifname}, "names"),
                                        nft::not_in_set({Key::kOifname}, "names"),
                                        nft::interface_is_not(Key::kIifname, ifname("eth0"))}),
                  }}}};
  Batch batch("parts");
  batch.ensure_table();
  for (const auto& set : parts.sets) batch.add_set(set);
  batch.add_chain(parts.chains[0]);
  for (const auto& rule : parts.chains[0].rules) batch.add_rule("mine", rule);
  const auto made = connection_.commit(std::move(batch));
  ASSERT_TRUE(made) << made.error().message;
  const auto by_netlink = shell("nft list table inet parts").output;
  ASSERT_EQ(shell("nft delete table inet parts").status, 0);
  ASSERT_EQ(load_nft(nft::text(parts)).status, 0);
  EXPECT_EQ(by_netlink, shell("nft list table inet parts").output);
}

TEST_F(NftTest, ElementsComeBackAsTheyWentIn) {
  auto elements = some_of_everything();
  ASSERT_TRUE(add(elements));
  std::vector<Element> found;
  for (const auto& set : firewall::table().sets) {
    for (auto& element : list(set.name)) found.push_back(std::move(element));
  }
  std::ranges::sort(elements);
  std::ranges::sort(found);
  EXPECT_EQ(elements, found);
}

TEST_F(NftTest, ElementsThatNftAddedAreUnderstood) {
  ASSERT_EQ(load_nft("add element inet berth masq4 { 10.0.0.0/8, 192.168.7.0/24, 255.0.0.0/8 }\n"
                     "add element inet berth pair { \"a\" . \"b\" : drop }\n")
                .status,
            0);
  const auto masqueraded = list("masq4");
  ASSERT_EQ(masqueraded.size(), 3U);
  EXPECT_EQ(nft::text(masqueraded[0]), "10.0.0.0/8");
  EXPECT_EQ(nft::text(masqueraded[1]), "192.168.7.0/24");
  EXPECT_EQ(nft::text(masqueraded[2]), "255.0.0.0/8");
  ASSERT_EQ(list("pair").size(), 1U);
  EXPECT_EQ(nft::text(list("pair")[0]), "\"a\" . \"b\" : drop");
}

TEST_F(NftTest, ARangeThatIsNoPrefixIsRefused) {
  ASSERT_EQ(load_nft("add element inet berth masq4 { 10.0.0.1-10.0.0.9 }\n").status, 0);
  const auto found = connection_.list_elements("berth", spec("masq4"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message,
            "list set masq4: the nft range 10.0.0.1-10.0.0.9 is not a prefix");
}

TEST_F(NftTest, NftShowsTheComment) {
  ASSERT_TRUE(add({published(12211, "shop-1")}));
  EXPECT_NE(listing("").find("tcp . 12211 comment \"shop-1\" : 10.1.0.2 . 8080"),
            std::string::npos);
}

TEST_F(NftTest, AnAddThatIsThereNamesTheElementAndLeavesNothing) {
  ASSERT_TRUE(add({published(2)}));
  const auto added = add({published(1), published(2), published(3)});
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().kind, ErrorKind::kExists);
  EXPECT_EQ(added.error().message,
            "add element publish4 { tcp . 2 : 10.1.0.2 . 8080 }: File exists");
  EXPECT_EQ(list("publish4").size(), 1U);
}

TEST_F(NftTest, AStrictDeleteNamesWhatIsMissing) {
  ASSERT_TRUE(add({published(1)}));
  Batch batch("berth");
  batch.delete_elements(std::vector{published(1), published(7)});
  const auto deleted = connection_.commit(std::move(batch));
  ASSERT_FALSE(deleted);
  EXPECT_EQ(deleted.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(deleted.error().message.find("delete element publish4 { tcp . 7 : "), std::string::npos)
      << deleted.error().message;
  EXPECT_EQ(list("publish4").size(), 1U);
}

TEST_F(NftTest, ARemovalPassesOverWhatIsGone) {
  const auto everything = some_of_everything();
  ASSERT_TRUE(add(everything));
  ASSERT_TRUE(remove({everything[0]}));
  ASSERT_TRUE(remove(everything));
  ASSERT_TRUE(remove(everything));
  for (const auto& set : firewall::table().sets) EXPECT_TRUE(list(set.name).empty()) << set.name;

  ASSERT_EQ(shell("nft delete table inet berth").status, 0);
  EXPECT_TRUE(remove(everything));
}

TEST_F(NftTest, ARemovalGoesOnPastNothingElse) {
  ASSERT_TRUE(add({published(1), published(2)}));
  Batch batch("berth");
  batch.remove_elements(std::vector{published(9), published(1)});
  batch.add_elements(std::vector{published(2)});
  const auto done = connection_.commit(std::move(batch));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kExists);
  EXPECT_EQ(list("publish4").size(), 2U);
}

TEST_F(NftTest, ThousandsOfElementsAreOneTransaction) {
  std::vector<Element> many;
  for (int port = 1; port <= 5000; ++port) {
    many.push_back(published(static_cast<Port>(port)));
  }
  const auto before = connection_.generation().value();
  const auto added = add(many);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(connection_.generation().value(), before + 1);
  EXPECT_EQ(list("publish4").size(), 5000U);

  // Half of them gone: as many answers as the kernel has failures, and still one removal.
  Batch half("berth");
  half.delete_elements(std::span(many).first(2500));
  ASSERT_TRUE(connection_.commit(std::move(half)));
  const auto removed = remove(many);
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(list("publish4").empty());
}

TEST_F(NftTest, ASmallReceiveBufferLosesAnswersAndNothingElse) {
  auto socket = kernel::Socket::open(NETLINK_NETFILTER).value();
  const int fd = socket.fd();
  Connection connection(std::move(socket));
  const int little = 4096;
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
  std::vector<Element> gone;
  for (int port = 1; port <= 100; ++port) gone.push_back(published(static_cast<Port>(port)));
  Batch batch("berth");
  batch.remove_elements(gone);
  const auto removed = connection.commit(std::move(batch));
  EXPECT_TRUE(removed) << removed.error().message;
}

TEST_F(NftTest, AnEmptyBatchIsDone) {
  EXPECT_TRUE(connection_.commit(Batch("berth")));
}

TEST_F(NftTest, AChangeBasedOnAnOldGenerationIsStale) {
  Batch batch("berth");
  batch.require_generation(connection_.generation().value());
  batch.add_elements(std::vector{published(1)});
  ASSERT_EQ(shell("nft add table inet other").status, 0);
  const auto done = connection_.commit(std::move(batch));
  ASSERT_FALSE(done);
  EXPECT_TRUE(nft::is_stale(done.error())) << done.error().message;
  EXPECT_TRUE(list("publish4").empty());
}

TEST_F(NftTest, ASetThatIsMissingIsNotFound) {
  ASSERT_EQ(shell("nft delete table inet berth").status, 0);
  const auto found = connection_.list_elements("berth", spec("publish4"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::kNotFound);
}

TEST_F(NftTest, AConcurrentWriterDisturbsNothing) {
  std::atomic<bool> stop = false;
  std::atomic<int> rounds = 0;
  std::thread writer([&] {
    while (!stop) {
      shell("nft add table inet other; nft delete table inet other");
      ++rounds;
    }
  });
  for (int port = 1; port <= 2000 || rounds < 5; ++port) {
    const std::vector one{published(static_cast<Port>(port))};
    ASSERT_TRUE(add(one));
    ASSERT_TRUE(list("publish4") == one);
    ASSERT_TRUE(remove(one));
    if (port % 50 != 0) continue;
    ASSERT_EQ(shell("nft flush chain inet berth forward").status, 0);
    const auto repaired = ensure_table(connection_);
    ASSERT_TRUE(repaired) << repaired.error().message;
    ASSERT_TRUE(*repaired);
  }
  stop = true;
  writer.join();
}

TEST_F(NftTest, WhatIsAllThereIsLeftAlone) {
  const auto before = connection_.generation().value();
  EXPECT_EQ(ensure_table(connection_), false);
  EXPECT_EQ(connection_.generation().value(), before);
}

// Each damage is a command; afterwards the table must be as before and keep its elements.
class NftRepairTest : public NftTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(NftRepairTest, IsRepaired) {
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
    Damage, NftRepairTest,
    ::testing::Values(
        "nft flush chain inet berth forward", "nft flush chain inet berth publish",
        "nft insert rule inet berth forward accept", "nft add rule inet berth post counter",
        "nft 'flush chain inet berth post; delete chain inet berth post'",
        "nft 'flush chain inet berth raw; delete chain inet berth raw; add chain inet berth raw "
        "{ type filter hook prerouting priority 5; }'",
        "nft 'chain inet berth forward { policy drop; }'",
        "nft replace rule inet berth raw handle $(nft -a list chain inet berth raw | "
        "sed -n 's/.*drop.*handle //p') accept"));

TEST_F(NftTest, AFlushedRulesetIsMadeAnew) {
  const auto whole = listing("-n");
  for (const char* damage : {"nft flush ruleset", "nft delete table inet berth"}) {
    ASSERT_EQ(shell(damage).status, 0);
    EXPECT_EQ(ensure_table(connection_), true) << damage;
    EXPECT_EQ(listing("-n"), whole) << damage;
  }
}

TEST_F(NftTest, ASetOfAnotherTypeIsReplaced) {
  const auto whole = listing("-n");
  ASSERT_EQ(shell("nft 'flush chain inet berth forward; delete map inet berth pair; "
                  "add set inet berth pair { type ifname; }'")
                .status,
            0);
  EXPECT_EQ(ensure_table(connection_), true);
  EXPECT_EQ(sorted_lines(listing("-n")), sorted_lines(whole));
}

TEST_F(NftTest, TheUsersChainIsNeverTouched) {
  ASSERT_EQ(shell("nft add rule inet berth user ip saddr 192.0.2.1 drop").status, 0);
  ASSERT_EQ(shell("nft flush chain inet berth forward").status, 0);
  EXPECT_EQ(ensure_table(connection_), true);
  EXPECT_NE(listing("").find("ip saddr 192.0.2.1 drop"), std::string::npos);
}

TEST_F(NftTest, TheTableStaysWhileANetworkUsesIt) {
  ASSERT_TRUE(add(firewall::network_elements({.bridge = ifname("br0")})));
  const auto before = listing("-n");
  EXPECT_EQ(remove_table_if_unused(connection_), false);
  EXPECT_EQ(listing("-n"), before);
}

TEST_F(NftTest, AnUnusedTableIsDeleted) {
  EXPECT_EQ(remove_table_if_unused(connection_), true);
  EXPECT_EQ(listing(""), "");
  EXPECT_EQ(remove_table_if_unused(connection_), true);
}

TEST_F(NftTest, AnUnusedTableKeepsWhatIsTheAdministrators) {
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

TEST_F(NftTest, AnUnusedTableThatTheAdministratorsRulesReferToStays) {
  ASSERT_EQ(shell("nft add rule inet berth user iifname @bridges counter").status, 0);
  const auto before = shell("nft -s list ruleset").output;
  EXPECT_EQ(remove_table_if_unused(connection_), true);
  EXPECT_EQ(shell("nft -s list ruleset").output, before);
}

TEST_F(NftTest, AConnectionSpeaksForItsSocketsNamespace) {
  const auto elsewhere = kernel::Netns::create(testing::scratch_dir() + "/elsewhere").value();
  Connection connection(kernel::open_socket_in(elsewhere, NETLINK_NETFILTER).value());
  EXPECT_EQ(ensure_table(connection), true);
  ASSERT_EQ(shell("nft flush ruleset").status, 0);
  EXPECT_EQ(ensure_table(connection), false);
  ASSERT_TRUE(kernel::Netns::remove(testing::scratch_dir() + "/elsewhere"));
}

// Prints what a commit costs; measured and not judged, as the machine may be busy.
TEST_F(NftTest, CostOfAChange) {
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
