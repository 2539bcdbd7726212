#include "sandbox/names.h"

#include <gtest/gtest.h>

#include <set>

namespace berth::sandbox {
namespace {

TEST(Names, TakesWhatDockerTakes) {
  for (const auto* name : {"web", "a1", "0x", "web-1.example_2"}) {
    EXPECT_TRUE(check_name(name)) << name;
  }
  for (const auto* name : {"", "a", "-web", ".web", "_web", "we b", "web/1", "wéb"}) {
    const auto status = check_name(name);
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(status.error().message.find("[a-zA-Z0-9_.-]"), std::string::npos);
  }
}

TEST(Names, RandomNamesAreAllowedAndDifferent) {
  std::set<std::string> names;
  for (std::uint64_t random = 0; random < 64 * 64; ++random) {
    const auto name = random_name(random);
    EXPECT_TRUE(check_name(name)) << name;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 64U * 64U);
}

TEST(Names, ASecondAttemptHasADigit) {
  EXPECT_EQ(random_name(5 * 64 * 64, 1), random_name(0) + "5");
}

}  // namespace
}  // namespace berth::sandbox
