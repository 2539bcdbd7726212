#include "berth/ifname.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(IfName, TakesWhatTheKernelTakes) {
  for (const auto* text :
       {"e", "eth0", "br-7f3a", "veth0123456789a", "lan.100", "...", "a\\b", "ü"})
    EXPECT_EQ(IfName::parse(text).value().str(), text);
}

TEST(IfName, RefusesTheWrongLength) {
  EXPECT_EQ(IfName::parse("").error().message,
            "'' is not an interface name: it has 0 bytes, 1 to 15 are allowed");
  EXPECT_EQ(IfName::parse("veth0123456789ab").error().message,
            "'veth0123456789ab' is not an interface name: it has 16 bytes, 1 to 15 are allowed");
}

TEST(IfName, RefusesBytesThatMeanSomethingElse) {
  for (const std::string_view text :
       {std::string_view("a/b"), std::string_view("a:b"), std::string_view("eth%d"),
        std::string_view("a b"), std::string_view("a\tb"), std::string_view("a\n"),
        std::string_view("a\x7f"), std::string_view("a\0b", 3), std::string_view("."),
        std::string_view("..")}) {
    const auto parsed = IfName::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalid) << text;
  }
}

TEST(IfName, IsEmptyWhereNoneIsChosen) {
  EXPECT_TRUE(IfName().empty());
  EXPECT_FALSE(IfName::parse("eth0")->empty());
}

}  // namespace
}  // namespace berth
