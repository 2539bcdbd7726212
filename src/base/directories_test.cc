#include "base/directories.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace berth {
namespace {

namespace fs = std::filesystem;

class Directories : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(top_.data()), nullptr); }
  void TearDown() override { fs::remove_all(top_); }
  static unsigned mode_of(const std::string& path) {
    return static_cast<unsigned>(fs::status(path).permissions());
  }
  std::string top_ = testing::TempDir() + "berth-directories-XXXXXX";
};

TEST_F(Directories, NobodyElseMayWriteThereWhateverTheUmask) {
  const auto before = ::umask(0);
  EXPECT_TRUE(make_directories(top_ + "/a/b/c/", 0755));
  ::umask(077);
  EXPECT_TRUE(make_directories(top_ + "/a/d", 0755));
  ::umask(before);
  for (const auto* each : {"/a", "/a/b", "/a/b/c"}) EXPECT_EQ(mode_of(top_ + each), 0755U) << each;
  EXPECT_EQ(mode_of(top_ + "/a/d"), 0700U);
}

TEST_F(Directories, WhatIsThereStaysAsItIs) {
  ASSERT_EQ(::mkdir((top_ + "/open").c_str(), 0777), 0);
  const auto mode = mode_of(top_ + "/open");
  EXPECT_TRUE(make_directories(top_ + "/open", 0700));
  EXPECT_EQ(mode_of(top_ + "/open"), mode);
  const auto under_a_file = make_directories("/dev/null/x", 0700);
  ASSERT_FALSE(under_a_file);
  EXPECT_EQ(under_a_file.error().message.substr(0, 26), "make directory /dev/null/x");
}

}  // namespace
}  // namespace berth
