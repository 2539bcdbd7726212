// Names, addresses and the description of a lab.
#include "lab/layout.h"

#include <gtest/gtest.h>

namespace berth::lab {
namespace {

LabSpec spec(const std::string& name, int hosts) {
  return {.name = name, .hosts = hosts, .directory = "/run/berth/labs"};
}

TEST(Layout, NamesAreOfLowerCaseDigitsAndDashes) {
  for (const auto* name : {"a", "7", "demo", "demo-2", "a--", "0-0"})
    EXPECT_TRUE(check_name(name)) << name;
  for (const auto* name : {"", "-a", "Demo", "a_b", "a.b", "..", "a/b", "a b", "\xc3\xa4"})
    EXPECT_FALSE(check_name(name)) << name;
  EXPECT_TRUE(check_name(std::string(63, 'a')));
  const auto refused = check_name(std::string(64, 'a'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(refused.error().message.find("1 to 63"), std::string::npos) << refused.error().message;
}

TEST(Layout, HostsAreNumberedFromEleven) {
  const auto lab = layout(spec("demo", 3));
  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->directory, "/run/berth/labs/demo");
  ASSERT_EQ(lab->hosts.size(), 3U);
  EXPECT_EQ(lab->hosts.front().name, "h1");
  EXPECT_EQ(lab->hosts.front().address.str(), "192.0.2.11/24");
  EXPECT_EQ(lab->hosts.back().name, "h3");
  EXPECT_EQ(lab->hosts.back().address.str(), "192.0.2.13/24");
  EXPECT_EQ(lab->netns_of("h3"), "/run/berth/labs/demo/h3");
  EXPECT_EQ(lab->root_of("h3"), "/run/berth/labs/demo/root/h3");
  EXPECT_EQ(lab->run_of("h3"), "/run/berth/labs/demo/run/h3");
  EXPECT_EQ(places(*lab), (std::vector<std::string>{"switch", "h1", "h2", "h3"}));
}

TEST(Layout, OneTo200Hosts) {
  EXPECT_TRUE(layout(spec("demo", 1)));
  const auto largest = layout(spec("demo", 200));
  ASSERT_TRUE(largest);
  EXPECT_EQ(largest->hosts.back().address.str(), "192.0.2.210/24");
  for (const int hosts : {-1, 0, 201}) {
    const auto refused = layout(spec("demo", hosts));
    ASSERT_FALSE(refused) << hosts;
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(refused.error().message.find("1 to 200"), std::string::npos);
  }
}

TEST(Layout, TheDirectoryMustBeAbsolute) {
  EXPECT_FALSE(layout({.name = "demo", .hosts = 1, .directory = "labs"}));
}

TEST(Layout, DescriptionIsReadBackAsItWasWritten) {
  const auto lab = layout(spec("demo", 3));
  ASSERT_TRUE(lab);
  const auto hosts = hosts_from_json(to_json(*lab));
  ASSERT_TRUE(hosts) << hosts.error().message;
  EXPECT_EQ(*hosts, lab->hosts);
}

TEST(Layout, ADescriptionThatIsNoneIsCorrupt) {
  for (const auto* text : {"", "{", "[]", "{}", R"({"hosts": 1})", R"({"hosts": [{"name": "h1"}]})",
                           R"({"hosts": [{"name": "../h1", "address": "192.0.2.11/24"}]})",
                           R"({"hosts": [{"name": "h1", "address": "192.0.2.11"}]})"}) {
    const auto hosts = hosts_from_json(text);
    ASSERT_FALSE(hosts) << text;
    EXPECT_EQ(hosts.error().kind, ErrorKind::kCorrupt) << text;
  }
}

}  // namespace
}  // namespace berth::lab
