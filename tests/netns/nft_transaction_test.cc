// The nft layer against the real kernel: transactions, their errors, and reading back.
#include <linux/netlink.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "kernel/netns/netns.h"
#include "nft_fixture.h"

namespace berth {
namespace {

using firewall::ensure_table;
using nft::Batch;
using nft::Connection;
using nft::Element;
using namespace testing;  // of this folder's headers

class TransactionTest : public NftTest {};

TEST_F(TransactionTest, EveryPartOfARuleMeansItsWords) {
  using nft::Key;
  const nft::TableSpec parts{
      .name = "parts",
      .sets = {{.name = "names", .key = {nft::FieldType::kIfName}},
               {.name = "addresses6", .key = {nft::FieldType::kIpv6}, .interval = true}},
      .chains = {
          {.name = "mine",
           .rules = {
               nft::Rule("masked",
                         {nft::in_prefix(Key::kIpSaddr, cidr("10.1.2.0/23")),
                          nft::not_in_prefix(Key::kIpDaddr, cidr("10.0.0.0/9")), nft::drop()}),
               nft::Rule("whole",
                         {nft::in_prefix(Key::kIpSaddr, cidr("10.1.2.0/24")),
                          nft::not_in_prefix(Key::kIpDaddr, cidr("10.1.2.3/32")), nft::accept()}),
               nft::Rule("all", {nft::is_version(Ip::Family::kV4), nft::connection_established(),
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

TEST_F(TransactionTest, ElementsComeBackAsTheyWentIn) {
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

TEST_F(TransactionTest, ElementsThatNftAddedAreUnderstood) {
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

// They are somebody's own: berth puts in neither.
TEST_F(TransactionTest, RangesThatAreNoPrefixesAndOtherVerdictsArePassedOver) {
  ASSERT_EQ(load_nft("add element inet berth masq4 { 10.0.0.1-10.0.0.9, 10.1.0.0/24 }\n"
                     "add element inet berth pair { \"a\" . \"b\" : jump into }\n")
                .status,
            0);
  ASSERT_EQ(list("masq4").size(), 1U);
  EXPECT_EQ(nft::text(list("masq4")[0]), "10.1.0.0/24");
  EXPECT_TRUE(list("pair").empty());
}

TEST_F(TransactionTest, NftShowsTheComment) {
  ASSERT_TRUE(add({published(12211, "shop-1")}));
  EXPECT_NE(listing("").find("tcp . 12211 comment \"shop-1\" : 10.1.0.2 . 8080"),
            std::string::npos);
}

TEST_F(TransactionTest, AnAddThatIsThereNamesTheElementAndLeavesNothing) {
  ASSERT_TRUE(add({published(2)}));
  const auto added = add({published(1), published(2), published(3)});
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().kind, ErrorKind::kExists);
  EXPECT_EQ(added.error().message,
            "add element publish4 { tcp . 2 : 10.1.0.2 . 8080 }: File exists");
  EXPECT_EQ(list("publish4").size(), 1U);
}

TEST_F(TransactionTest, AStrictDeleteNamesWhatIsMissing) {
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

TEST_F(TransactionTest, ARemovalPassesOverWhatIsGone) {
  const auto everything = some_of_everything();
  ASSERT_TRUE(add(everything));
  ASSERT_TRUE(remove({everything[0]}));
  ASSERT_TRUE(remove(everything));
  ASSERT_TRUE(remove(everything));
  for (const auto& set : firewall::table().sets) EXPECT_TRUE(list(set.name).empty()) << set.name;

  ASSERT_EQ(shell("nft delete table inet berth").status, 0);
  EXPECT_TRUE(remove(everything));
}

TEST_F(TransactionTest, ARemovalGoesOnPastNothingElse) {
  ASSERT_TRUE(add({published(1), published(2)}));
  Batch batch("berth");
  batch.remove_elements(std::vector{published(9), published(1)});
  batch.add_elements(std::vector{published(2)});
  const auto done = connection_.commit(std::move(batch));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kExists);
  EXPECT_EQ(list("publish4").size(), 2U);
}

TEST_F(TransactionTest, ThousandsOfElementsAreOneTransaction) {
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
  half.delete_elements({many.begin(), many.begin() + 2500});
  ASSERT_TRUE(connection_.commit(std::move(half)));
  const auto removed = remove(many);
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(list("publish4").empty());
}

TEST_F(TransactionTest, ASmallReceiveBufferLosesAnswersAndNothingElse) {
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

TEST_F(TransactionTest, AnEmptyBatchIsDone) {
  EXPECT_TRUE(connection_.commit(Batch("berth")));
}

TEST_F(TransactionTest, AChangeBasedOnAnOldGenerationIsStale) {
  Batch batch("berth");
  batch.require_generation(connection_.generation().value());
  batch.add_elements(std::vector{published(1)});
  ASSERT_EQ(shell("nft add table inet other").status, 0);
  const auto done = connection_.commit(std::move(batch));
  ASSERT_FALSE(done);
  EXPECT_TRUE(nft::is_stale(done.error())) << done.error().message;
  EXPECT_TRUE(list("publish4").empty());
}

TEST_F(TransactionTest, OneElementIsLookedUpByItsKey) {
  EXPECT_FALSE(connection_.contains("berth", published(1)).value());
  nft::Batch batch{"berth"};
  batch.add_elements(std::vector{published(1)});
  ASSERT_TRUE(connection_.commit(std::move(batch)));
  EXPECT_TRUE(connection_.contains("berth", published(1)).value());
  EXPECT_FALSE(connection_.contains("berth", published(2)).value());
  EXPECT_FALSE(connection_.contains("nothing", published(1)).value());
}

TEST_F(TransactionTest, ASetThatIsMissingIsNotFound) {
  ASSERT_EQ(shell("nft delete table inet berth").status, 0);
  const auto found = connection_.list_elements("berth", spec("publish4"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::kNotFound);
}

TEST_F(TransactionTest, AConcurrentWriterDisturbsNothing) {
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

TEST_F(TransactionTest, AConnectionSpeaksForItsSocketsNamespace) {
  const auto elsewhere = kernel::Netns::create(testing::scratch_dir() + "/elsewhere").value();
  Connection connection(kernel::open_socket_in(elsewhere, NETLINK_NETFILTER).value());
  EXPECT_EQ(ensure_table(connection), true);
  ASSERT_EQ(shell("nft flush ruleset").status, 0);
  EXPECT_EQ(ensure_table(connection), false);
  ASSERT_TRUE(kernel::Netns::remove(testing::scratch_dir() + "/elsewhere"));
}

}  // namespace
}  // namespace berth
