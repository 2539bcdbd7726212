#include "frontends/cli/moment.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kTime{1'604'397'605'000};  // 2020-11-03T10:00:05Z
const Moment kNow(kTime);

std::chrono::milliseconds parsed(std::string_view text) {
  const auto moment = parse_moment("--since", text, kNow);
  if (!moment) return -1ms;
  return std::chrono::duration_cast<std::chrono::milliseconds>(moment->time_since_epoch());
}

TEST(ParseMoment, ReadsDatesWithAndWithoutZone) {
  EXPECT_EQ(parsed("2020-11-03T10:00:05Z"), kTime);
  EXPECT_EQ(parsed("2020-11-03T10:00:05"), kTime);
  EXPECT_EQ(parsed("2020-11-03T12:00:05.250+02:00"), kTime + 250ms);
  EXPECT_EQ(parsed("2020-11-03T09:30:05-00:30"), kTime);
}

TEST(ParseMoment, ReadsSecondsAndAges) {
  EXPECT_EQ(parsed("1604397605"), kTime);
  EXPECT_EQ(parsed("1604397605.5"), kTime + 500ms);
  EXPECT_EQ(parsed("1h30m"), kTime - 90min);
  EXPECT_EQ(parsed("45s"), kTime - 45s);
}

TEST(ParseMoment, RefusesTheRestAndSaysWhatIsAllowed) {
  for (const auto* text :
       {"", "yesterday", "2020-02-30T10:00:05Z", "2020-11-03", "5d", "1h30", "-5s",
        "2020-11-03T24:00:00Z", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "99999999999", "5.",
        "1e3", "1000000h1000000h1000000h"})
    EXPECT_EQ(parsed(text), -1ms) << text;
  EXPECT_EQ(parse_moment("--since", "noon", kNow).error().message,
            "--since noon: give a time as 2020-11-03T10:00:05Z, seconds since 1970, or an age as "
            "1h30m");
}

}  // namespace
}  // namespace berth::cli
