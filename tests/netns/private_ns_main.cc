// main() of the test programs that run in private namespaces.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "private_ns.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  if (const auto entered = berth::testing::enter_private_namespaces(); !entered) {
    fmt::print(stderr, "SKIPPED: no private namespaces to test in: {}\n", entered.error().message);
    return berth::testing::kSkipped;
  }
  return RUN_ALL_TESTS();
}
