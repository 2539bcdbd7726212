// What every implementation of Store has to do. To put one under test, add it to kImplementations.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "store/store.h"

namespace berth::store {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Implementation {
  const char* name;
  Result<std::unique_ptr<Store>> (*open)(const std::string& dir);
};

void PrintTo(const Implementation& implementation, std::ostream* out) {
  *out << implementation.name;
}

const Implementation kImplementations[] = {
    {"Sqlite", [](const std::string& dir) { return open_sqlite(dir + "/berth.db"); }},
};

class StoreContract : public testing::TestWithParam<Implementation> {
 protected:
  StoreContract() {
    std::string pattern = testing::TempDir() + "berth_store_XXXXXX";
    dir_ = mkdtemp(pattern.data());
    store_ = open();
  }
  ~StoreContract() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  std::unique_ptr<Store> open() {
    auto store = GetParam().open(dir_);
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }

  static void put(Store& store, const WriteSet& writes) {
    const auto done = store.commit(writes, Durability::kNormal);
    ASSERT_TRUE(done) << done.error().message;
  }
  void put(const WriteSet& writes) { put(*store_, writes); }

  static Pairs all(Store& store, std::string_view prefix = "", std::string_view from = "") {
    Pairs pairs;
    const auto done = store.scan(prefix, from, [&](std::string_view key, std::string_view value) {
      pairs.emplace_back(key, value);
      return true;
    });
    EXPECT_TRUE(done) << done.error().message;
    return pairs;
  }
  Pairs all(std::string_view prefix = "", std::string_view from = "") {
    return all(*store_, prefix, from);
  }

  std::string dir_;
  std::unique_ptr<Store> store_;
};

// Runs `body` in a child process and returns its wait status. The child leaves by _exit or a
// signal, so nothing of the parent's (open stores among it) is torn down there.
int in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST_P(StoreContract, ANewStoreIsEmpty) {
  EXPECT_EQ(all(), Pairs{});
  EXPECT_EQ(store_->get("network/1").value(), std::nullopt);
}

TEST_P(StoreContract, PutsReplacesAndErases) {
  put({{"a", "1"}, {"b", "2"}});
  put({{"a", "3"}, {"b", std::nullopt}, {"never there", std::nullopt}});
  EXPECT_EQ(store_->get("a").value(), "3");
  EXPECT_EQ(store_->get("b").value(), std::nullopt);
  EXPECT_EQ(all(), (Pairs{{"a", "3"}}));
}

TEST_P(StoreContract, WritesOfACommitHappenInTheirOrder) {
  put({{"a", "1"}, {"a", std::nullopt}, {"b", std::nullopt}, {"b", "2"}, {"b", "3"}});
  EXPECT_EQ(all(), (Pairs{{"b", "3"}}));
}

TEST_P(StoreContract, AnEmptyCommitChangesNothing) {
  put({{"a", "1"}});
  put({});
  EXPECT_EQ(all(), (Pairs{{"a", "1"}}));
}

TEST_P(StoreContract, KeysAndValuesAreAnyBytes) {
  const std::string key("k\0/\xff\x80", 5);
  const std::string value("\0v\0\xfe\n", 5);
  put({{key, value}, {"empty", ""}});
  EXPECT_EQ(store_->get(key).value(), value);
  EXPECT_EQ(store_->get("empty").value(), "");
  EXPECT_EQ(all("k"), (Pairs{{key, value}}));
}

TEST_P(StoreContract, ALargeValueComesBackWhole) {
  const std::string value(1 << 20, 'x');
  put({{"large", value}});
  EXPECT_EQ(store_->get("large").value(), value);
}

TEST_P(StoreContract, ScansInByteOrder) {
  put({{"b", "4"}, {"a/2", "3"}, {"a/10", "2"}, {"\x80", "6"}, {"Z", "1"}, {"z", "5"}});
  EXPECT_EQ(
      all(),
      (Pairs{{"Z", "1"}, {"a/10", "2"}, {"a/2", "3"}, {"b", "4"}, {"z", "5"}, {"\x80", "6"}}));
}

// '0' is the byte after '/', '.' the one before it.
TEST_P(StoreContract, ScansNothingBesideThePrefix) {
  put({{"lease", "a"},
       {"lease.", "b"},
       {"lease/", "c"},
       {"lease/1", "d"},
       {"lease/\xff\xff", "e"},
       {"lease0", "f"},
       {"leases/1", "g"}});
  EXPECT_EQ(all("lease/"), (Pairs{{"lease/", "c"}, {"lease/1", "d"}, {"lease/\xff\xff", "e"}}));
}

TEST_P(StoreContract, ScansPrefixesThatEndInTheHighestByte) {
  put({{"a\xff", "1"}, {"a\xff\xff", "2"}, {"b", "3"}, {"\xff", "4"}, {"\xff\xff", "5"}});
  EXPECT_EQ(all("a\xff"), (Pairs{{"a\xff", "1"}, {"a\xff\xff", "2"}}));
  EXPECT_EQ(all("\xff"), (Pairs{{"\xff", "4"}, {"\xff\xff", "5"}}));
}

TEST_P(StoreContract, ScansFromAKeyWithinThePrefix) {
  put({{"a/9", "0"}, {"b/1", "1"}, {"b/2", "2"}, {"b/3", "3"}, {"c/1", "4"}});
  EXPECT_EQ(all("b/", "b/2"), (Pairs{{"b/2", "2"}, {"b/3", "3"}}));
  EXPECT_EQ(all("b/", "b/25"), (Pairs{{"b/3", "3"}}));
  EXPECT_EQ(all("b/", "a").size(), 3U) << "a `from` before the prefix begins at the prefix";
  EXPECT_EQ(all("b/", "c/1"), Pairs{}) << "a `from` after the prefix finds nothing";
}

TEST_P(StoreContract, AScanEndsWhenTheVisitorSaysSo) {
  put({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  int visits = 0;
  EXPECT_TRUE(store_->scan("", [&](auto, auto) { return ++visits < 2; }));
  EXPECT_EQ(visits, 2);
}

TEST_P(StoreContract, AVisitorCanReadTheStore) {
  put({{"a/1", "x"}, {"a/2", "y"}, {"b/x", "X"}, {"b/y", "Y"}});
  std::vector<std::string> found;
  EXPECT_TRUE(store_->scan("a/", [&](std::string_view, std::string_view value) {
    found.push_back(store_->get("b/" + std::string(value)).value().value());
    found.push_back(std::to_string(all("b/").size()));
    return true;
  }));
  EXPECT_EQ(found, (std::vector<std::string>{"X", "2", "Y", "2"}));
}

TEST_P(StoreContract, AVisitorCannotCommit) {
  put({{"a", "1"}});
  EXPECT_TRUE(store_->scan("", [&](auto, auto) {
    EXPECT_FALSE(store_->commit({{"b", "2"}}, Durability::kNormal));
    return true;
  }));
  EXPECT_EQ(all(), (Pairs{{"a", "1"}}));
  put({{"b", "2"}});  // the refusal ends with the scan
}

TEST_P(StoreContract, AStoreOpenedAgainHasEveryCommit) {
  ASSERT_TRUE(store_->commit({{"a", "1"}}, Durability::kFull));
  ASSERT_TRUE(store_->commit({{"b", "2"}}, Durability::kNormal));
  store_ = open();
  EXPECT_EQ(all(), (Pairs{{"a", "1"}, {"b", "2"}}));
}

TEST_P(StoreContract, TwoStoresSeeEachOthersCommits) {
  const auto other = open();
  put(*store_, {{"a", "1"}});
  EXPECT_EQ(other->get("a").value(), "1");
  put(*other, {{"a", "2"}, {"b", "3"}});
  EXPECT_EQ(all(), (Pairs{{"a", "2"}, {"b", "3"}}));
}

TEST_P(StoreContract, AReadTransactionStaysOnOneState) {
  const auto other = open();
  put({{"a", "1"}});
  {
    const auto transaction = store_->read();
    ASSERT_TRUE(transaction) << transaction.error().message;
    put(*other, {{"a", "2"}, {"b", "2"}});  // before the first read as well
    EXPECT_EQ(all(), (Pairs{{"a", "1"}}));
    EXPECT_EQ(store_->get("b").value(), std::nullopt);
  }
  EXPECT_EQ(all(), (Pairs{{"a", "2"}, {"b", "2"}}));
}

TEST_P(StoreContract, AReadTransactionRefusesCommitsAndASecondOne) {
  {
    const auto transaction = store_->read();
    ASSERT_TRUE(transaction);
    EXPECT_FALSE(store_->read());
    EXPECT_FALSE(store_->commit({{"a", "1"}}, Durability::kNormal));
  }
  EXPECT_EQ(all(), Pairs{});
  put({{"a", "1"}});
  EXPECT_TRUE(store_->read());
}

// The child may write no file past 256 KiB, so a commit of 1 MiB fails half-way.
TEST_P(StoreContract, AFailedCommitChangesNothingAndLeavesTheStoreUsable) {
  put({{"a", "1"}, {"b", "2"}});
  const int status = in_child([this] {
    signal(SIGXFSZ, SIG_IGN);
    const auto store = open();
    const rlimit limit{256 << 10, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    WriteSet writes = {{"a", "changed"}, {"b", std::nullopt}};
    for (int i = 0; i < 256; ++i)
      writes.push_back({fmt::format("c/{}", i), std::string(4096, 'x')});
    if (store->commit(writes, Durability::kNormal)) return 2;
    if (all(*store) != Pairs{{"a", "1"}, {"b", "2"}}) return 3;
    return store->commit({{"d", "4"}}, Durability::kNormal) ? 0 : 4;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(all(), (Pairs{{"a", "1"}, {"b", "2"}, {"d", "4"}}));
}

// The child commits {a/n, b/n} and says n, until it is killed. Every n that it said has to be
// there, and no half of a commit.
TEST_P(StoreContract, KillingAProcessLosesNoCommitAndLeavesNoHalfOfOne) {
  store_.reset();
  for (int round = 0; round < 5; ++round) {
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    UniqueFd reader(fds[0]);
    UniqueFd writer(fds[1]);
    const pid_t child = fork();
    if (child == 0) {
      const auto store = open();
      for (int n = 0;; ++n) {
        const auto id = fmt::format("{}.{:06}", round, n);
        if (!store->commit({{"a/" + id, id}, {"b/" + id, id}}, Durability::kNormal)) _exit(1);
        if (write(writer.get(), &n, sizeof n) != sizeof n) _exit(2);
      }
    }
    writer.reset();
    int n = -1;
    while (n < 40 + 13 * round) ASSERT_EQ(read(reader.get(), &n, sizeof n), ssize_t{sizeof n});
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (int more; read(reader.get(), &more, sizeof more) == sizeof more;) n = more;

    const auto store = open();
    const auto prefix = fmt::format("{}.", round);
    const auto a = all(*store, "a/" + prefix);
    const auto b = all(*store, "b/" + prefix);
    EXPECT_GE(a.size(), static_cast<std::size_t>(n) + 1);
    EXPECT_EQ(a.size(), b.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Implementations, StoreContract, testing::ValuesIn(kImplementations),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace berth::store
