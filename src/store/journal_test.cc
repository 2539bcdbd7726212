#include "store/journal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace berth::store {
namespace {

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/berth-journal-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string path() const { return directory_ + "/journal"; }
  [[nodiscard]] Journal open() const { return Journal::open(path()).value(); }

  std::string directory_;
};

TEST_F(JournalTest, HoldsNothingAtFirstAndIsPrivate) {
  auto journal = open();
  EXPECT_TRUE(journal.empty().value());
  EXPECT_FALSE(journal.read().value());
  struct stat info;
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
}

TEST_F(JournalTest, KeepsTheLastEntryForOthersUntilItIsDropped) {
  auto writer = open();
  const auto other = open();
  for (const std::string text : {std::string(10000, 'x'), std::string("short"), std::string()}) {
    ASSERT_TRUE(writer.write("0123456789ab", text));
    EXPECT_FALSE(other.empty().value());
    const auto entry = other.read().value();
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->id, "0123456789ab");
    EXPECT_EQ(entry->text, text);
  }
  ASSERT_TRUE(writer.drop());
  ASSERT_TRUE(writer.drop());
  EXPECT_TRUE(other.empty().value());
  EXPECT_FALSE(other.read().value());
}

// A process that dies while it writes has not begun what the entry tells of.
TEST_F(JournalTest, AnEntryWithoutItsHeaderIsNone) {
  auto journal = open();
  ASSERT_TRUE(journal.write("a", "entry"));
  ASSERT_TRUE(journal.drop());
  std::fstream file(path(), std::ios::in | std::ios::out);
  file.seekp(32) << "another";
  file.close();
  EXPECT_FALSE(journal.read().value());
}

TEST_F(JournalTest, AnEntryThatIsNotAllThereIsDamaged) {
  auto journal = open();
  ASSERT_TRUE(journal.write("a", "entry"));
  ASSERT_EQ(truncate(path().c_str(), 35), 0);
  EXPECT_EQ(journal.read().error().kind, ErrorKind::kCorrupt);
  std::ofstream(path()) << "a               999999999999999\n";
  EXPECT_EQ(journal.read().error().kind, ErrorKind::kCorrupt);
  std::ofstream(path()) << "a               -5             \n";
  EXPECT_EQ(journal.read().error().kind, ErrorKind::kCorrupt);
}

TEST_F(JournalTest, FollowsNoLink) {
  std::filesystem::create_symlink(directory_ + "/elsewhere", path());
  EXPECT_FALSE(Journal::open(path()));
}

TEST(Journal, ThatWasNeverOpenedHoldsNothingAndTakesNothing) {
  Journal journal;
  EXPECT_TRUE(journal.empty().value());
  EXPECT_FALSE(journal.read().value());
  EXPECT_TRUE(journal.drop());
  EXPECT_FALSE(journal.write("a", "entry"));
}

}  // namespace
}  // namespace berth::store
