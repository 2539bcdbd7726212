#include "base/nearest.h"

#include <gtest/gtest.h>

#include <array>

namespace berth {
namespace {

constexpr std::array<std::string_view, 3> kWords = {"network", "run", "inspect"};

TEST(Nearest, HasTheFewestMistakes) {
  EXPECT_EQ(nearest("netwrok", kWords), "network");
  EXPECT_EQ(nearest("rum", kWords), "run");
  EXPECT_EQ(nearest("", kWords), "run");
}

TEST(Nearest, IsSuggestedIfItMayBeMeant) {
  EXPECT_EQ(did_you_mean("netwrok", kWords), " (did you mean 'network'?)");
  EXPECT_EQ(did_you_mean("rum", kWords), " (did you mean 'run'?)");
  EXPECT_EQ(did_you_mean("ru", kWords), "");
  EXPECT_EQ(did_you_mean("frobnicate", kWords), "");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

}  // namespace
}  // namespace berth
