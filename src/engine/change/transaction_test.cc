#include "engine/change/transaction.h"

#include <gtest/gtest.h>

namespace berth::engine {
namespace {

class TransactionTest : public ::testing::Test {
 protected:
  TransactionTest() {
    const auto done =
        store_->commit({{"a/1", "one"}, {"a/3", "three"}, {"a/5", "five"}, {"b/1", "other"}},
                       store::Durability::kNormal);
    EXPECT_TRUE(done);
  }
  // "key=value" of what a scan visits, at most `limit` of them.
  std::vector<std::string> scanned(std::string_view prefix, std::string_view from = {},
                                   std::size_t limit = 99) {
    std::vector<std::string> seen;
    const auto done =
        transaction_.scan(prefix, from, [&](std::string_view key, std::string_view value) {
          seen.push_back(std::string(key) + "=" + std::string(value));
          return seen.size() < limit;
        });
    EXPECT_TRUE(done);
    return seen;
  }

  std::unique_ptr<store::Store> store_ = store::open_memory();
  Transaction transaction_{*store_};
};

using Seen = std::vector<std::string>;

TEST_F(TransactionTest, ReadsItsOwnWritesOverTheStores) {
  transaction_.put("a/1", "mine");
  transaction_.put("a/2", "new");
  transaction_.erase("a/3");
  EXPECT_EQ(transaction_.get("a/1").value(), "mine");
  EXPECT_EQ(transaction_.get("a/2").value(), "new");
  EXPECT_EQ(transaction_.get("a/3").value(), std::nullopt);
  EXPECT_EQ(transaction_.get("a/5").value(), "five");
  EXPECT_EQ(transaction_.get("a/9").value(), std::nullopt);
  EXPECT_EQ(store_->get("a/1").value(), "one") << "nothing reaches the store";
}

TEST_F(TransactionTest, ScansBothInOneOrder) {
  EXPECT_EQ(scanned("a/"), (Seen{"a/1=one", "a/3=three", "a/5=five"}));
  transaction_.put("a/0", "first");
  transaction_.put("a/3", "mine");
  transaction_.put("a/4", "between");
  transaction_.put("a/6", "last");
  transaction_.put("c/1", "elsewhere");
  transaction_.erase("a/1");
  transaction_.erase("a/7");
  EXPECT_EQ(scanned("a/"), (Seen{"a/0=first", "a/3=mine", "a/4=between", "a/5=five", "a/6=last"}));
  EXPECT_EQ(scanned("c/"), (Seen{"c/1=elsewhere"}));
  EXPECT_EQ(scanned(""), (Seen{"a/0=first", "a/3=mine", "a/4=between", "a/5=five", "a/6=last",
                               "b/1=other", "c/1=elsewhere"}));
}

TEST_F(TransactionTest, AScanBeginsWhereItIsTold) {
  transaction_.put("a/2", "two");
  transaction_.put("a/4", "four");
  EXPECT_EQ(scanned("a/", "a/3"), (Seen{"a/3=three", "a/4=four", "a/5=five"}));
  EXPECT_EQ(scanned("a/", "a/4"), (Seen{"a/4=four", "a/5=five"}));
  EXPECT_EQ(scanned("a/", "a/6"), Seen{});
  EXPECT_EQ(scanned("a/", "0"), (Seen{"a/1=one", "a/2=two", "a/3=three", "a/4=four", "a/5=five"}));
}

TEST_F(TransactionTest, AScanEndsWhenTheVisitorHasEnough) {
  transaction_.put("a/0", "zero");
  transaction_.put("a/4", "four");
  transaction_.put("a/9", "nine");
  for (std::size_t limit = 1; limit <= 6; ++limit)
    EXPECT_EQ(scanned("a/", {}, limit).size(), limit);
}

TEST_F(TransactionTest, ItsWritesAreInOrderAndTheLastOfAKeyCounts) {
  transaction_.put("b", "1");
  transaction_.put("a", "1");
  transaction_.put("b", "2");
  transaction_.erase("a");
  const auto writes = transaction_.writes();
  ASSERT_EQ(writes.size(), 2U);
  EXPECT_EQ(writes[0].key, "a");
  EXPECT_EQ(writes[0].value, std::nullopt);
  EXPECT_EQ(writes[1].key, "b");
  EXPECT_EQ(writes[1].value, "2");
}

}  // namespace
}  // namespace berth::engine
