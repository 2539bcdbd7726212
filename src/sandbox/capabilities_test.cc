#include "sandbox/capabilities.h"

#include <gtest/gtest.h>
#include <linux/capability.h>

namespace berth::sandbox {
namespace {

constexpr Capabilities kDockers = 0xa80425fb;  // CapBnd of a container of Docker's

Capabilities given(const std::vector<std::string>& add, const std::vector<std::string>& drop) {
  return capabilities_of(add, drop).value();
}

TEST(Capabilities, AreDockersByDefault) {
  EXPECT_EQ(given({}, {}), kDockers);
}

TEST(Capabilities, AreAddedAndDroppedByName) {
  constexpr auto kNetAdmin = Capabilities{1} << CAP_NET_ADMIN;
  constexpr auto kNetRaw = Capabilities{1} << CAP_NET_RAW;
  EXPECT_EQ(given({"NET_ADMIN"}, {}), kDockers | kNetAdmin);
  EXPECT_EQ(given({"cap_net_admin"}, {"Net_Raw"}), (kDockers | kNetAdmin) & ~kNetRaw);
  EXPECT_EQ(given({"NET_RAW"}, {"ALL"}), kNetRaw);
  EXPECT_EQ(given({}, {"all"}), 0U);
  EXPECT_EQ(given({"ALL"}, {"NET_RAW"}), ~kNetRaw);
}

TEST(Capabilities, ThatDoNotExistAreRefused) {
  EXPECT_EQ(capabilities_of({"NET"}, {}).error().message.substr(0, 15), "--cap-add 'NET'");
  EXPECT_EQ(capabilities_of({}, {""}).error().message.substr(0, 13), "--cap-drop ''");
}

}  // namespace
}  // namespace berth::sandbox
