#include "sandbox/users.h"

#include <gtest/gtest.h>

namespace berth::sandbox {
namespace {

constexpr char kPasswd[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "not an entry\n"
    "www:x:33:34:www:/var/www:/usr/sbin/nologin\n"
    "homeless:x:70:71:::\n"
    "1000:x:7:7::/seven:\n";
constexpr char kGroup[] =
    "root:x:0:\n"
    "www:x:34:\n"
    "adm:x:4:syslog,www\n"
    "video:x:44:www\n";

// "uid:gid:groups home"
std::string found(std::string_view text) {
  const auto user = find_user(text, kPasswd, kGroup);
  if (!user) return user.error().message;
  std::string out = std::to_string(user->uid) + ":" + std::to_string(user->gid) + ":";
  for (const auto group : user->groups) out += std::to_string(group) + ",";
  return out + " " + user->home;
}

TEST(FindUser, ByNameAndNumber) {
  EXPECT_EQ(found("root"), "0:0: /root");
  EXPECT_EQ(found("www"), "33:34:4,44, /var/www");
  EXPECT_EQ(found("33"), "33:34:4,44, /var/www");
  EXPECT_EQ(found("homeless"), "70:71: /");
  EXPECT_EQ(found("4711"), "4711:0: /");
  EXPECT_EQ(found("1000"), "7:7: /seven");  // a name that looks like a number
}

TEST(FindUser, WithAGroup) {
  EXPECT_EQ(found("www:video"), "33:44: /var/www");
  EXPECT_EQ(found("www:9"), "33:9: /var/www");
  EXPECT_EQ(found("5:adm"), "5:4: /");
  EXPECT_EQ(found(":adm"), "0:4: /root");
}

TEST(FindUser, RefusesWhatIsUnknown) {
  EXPECT_EQ(
      found("bob"),
      "user 'bob': /etc/passwd names no user 'bob'; give a name from there or a number from 0 "
      "to 2147483647");
  EXPECT_EQ(found("www:staff"),
            "user 'www:staff': /etc/group names no group 'staff'; give a name from there or a "
            "number from 0 to 2147483647");
  for (const auto* text : {"", "www:", "-1", "2147483648", "0x1", "root:-1", "a:b:c"})
    EXPECT_FALSE(find_user(text, kPasswd, kGroup)) << text;
}

}  // namespace
}  // namespace berth::sandbox
