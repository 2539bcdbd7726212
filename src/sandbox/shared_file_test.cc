#include "sandbox/shared_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "sandbox/files.h"

namespace berth::sandbox {
namespace {

using Texts = std::vector<std::string>;

TEST(MergeLines, OfAnUntouchedFileAreWhatIsWanted) {
  EXPECT_EQ(merge_lines("a\nb\n", Texts{"a\nb\n"}, "b\nb\nc\n"), "b\nb\nc\n");
  EXPECT_EQ(merge_lines("", Texts{""}, "a\n"), "a\n");
}

TEST(MergeLines, LeaveLinesOfOthersWhereTheyAre) {
  const Texts written = {"local\nold\nself\n"};
  EXPECT_EQ(merge_lines("mine first\nlocal\nold\nself\nmine last\n", written, "local\nself\nnew\n"),
            "mine first\nlocal\nself\nnew\nmine last\n");
  EXPECT_EQ(merge_lines("local\nold # mine now\nself\n", written, "local\nself\n"),
            "local\nold # mine now\nself\n");
}

TEST(MergeLines, ThatAreMissingComeAgain) {
  EXPECT_EQ(merge_lines("", Texts{"a\nb\n"}, "a\nb\n"), "a\nb\n");
  EXPECT_EQ(merge_lines("mine\nb\n", Texts{"a\nb\n"}, "a\nb\n"), "a\nmine\nb\n");
}

TEST(MergeLines, OfOthersNeedNoEnd) {
  EXPECT_EQ(merge_lines("a\nmine", Texts{"a\n"}, "a\n"), "a\nmine");
  EXPECT_EQ(merge_lines("a\nmine", Texts{"a\n"}, "a\nb\n"), "a\nb\nmine\n");
}

TEST(MergeLines, AfterAKillKnowBothTexts) {
  for (const auto* now : {"a\nold\nmine\n", "a\nnew\nmine\n"})
    EXPECT_EQ(merge_lines(now, Texts{"a\nold\n", "a\nnew\n"}, "a\n"), "a\nmine\n");
}

TEST(KeepChanged, ReplacesOnlyWhatBerthWrote) {
  EXPECT_EQ(keep_changed("one\n", Texts{"one\n"}, "two\n"), "two\n");
  EXPECT_EQ(keep_changed("one\n", Texts{"zero\n", "one\n"}, "two\n"), "two\n");
  EXPECT_EQ(keep_changed("mine\n", Texts{"one\n"}, "two\n"), "mine\n");
}

class SharedFile : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "berth-shared-XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::string path() const { return directory_ + "/hosts"; }
  [[nodiscard]] std::string text(const std::string& suffix = "") const {
    return read_text(path() + suffix).value();
  }

 private:
  std::string directory_;
};

TEST_F(SharedFile, RemembersWhatWasWrittenAndNothingElse) {
  ASSERT_TRUE(write_in_place(path(), ""));
  EXPECT_TRUE(update_shared(path(), "a\nb\n", merge_lines).value());
  EXPECT_FALSE(update_shared(path(), "a\nb\n", merge_lines).value());
  ASSERT_TRUE(write_in_place(path(), text() + "mine\n"));
  EXPECT_FALSE(update_shared(path(), "a\nb\n", merge_lines).value());
  EXPECT_TRUE(update_shared(path(), "a\n", merge_lines).value());
  EXPECT_EQ(text(), "a\nmine\n");
  EXPECT_EQ(text(".written"), "a\n");
}

TEST_F(SharedFile, IsLeftAloneWhereTheSandboxHasFilledIt) {
  const std::string full(3 << 20, 'x');
  ASSERT_TRUE(write_in_place(path(), full));
  EXPECT_FALSE(update_shared(path(), "a\n", merge_lines).value());
  EXPECT_TRUE(text() == full);
}

TEST_F(SharedFile, OfAKilledWriterIsPutRight) {
  using namespace std::string_literals;
  // As it is between the two: the file new, both texts noted.
  ASSERT_TRUE(write_in_place(path(), "a\nnew\n"));
  ASSERT_TRUE(write_in_place(path() + ".written", "a\nold\n\0a\nnew\n"s));
  EXPECT_TRUE(update_shared(path(), "a\nold\n", merge_lines).value());
  EXPECT_EQ(text(), "a\nold\n");
  EXPECT_EQ(text(".written"), "a\nold\n");
}

}  // namespace
}  // namespace berth::sandbox
