#include "base/json_writer.h"

#include <gtest/gtest.h>

namespace berth {

struct Inner {
  std::vector<std::uint16_t> numbers;
  std::optional<Ip> ip;
};
struct Outer {
  std::string name;
  bool on = false;
  std::int64_t count = 1;
  std::map<std::string, Inner> inner;
};
BERTH_JSON_FIELDS(Inner, numbers, ip)
BERTH_JSON_FIELDS_OR_DEFAULT(Outer, name, on, count, inner)

namespace {

template <typename T>
std::string written(const T& value) {
  json::Writer writer;
  writer.write(value);
  return writer.take();
}

TEST(JsonWriter, WritesMembersInOrder) {
  EXPECT_EQ(written(Outer{"a", true, -7, {{"x", {{1, 65535}, Ip::v4(10, 0, 0, 1)}}, {"y", {}}}}),
            R"({"name":"a","on":true,"count":-7,)"
            R"("inner":{"x":{"numbers":[1,65535],"ip":"10.0.0.1"},"y":{"numbers":[],"ip":null}}})");
}

TEST(JsonWriter, LeavesOutWhatIsEmptyWhereReadingHasADefault) {
  EXPECT_EQ(written(Outer{"", true, 7, {}}), R"({"on":true,"count":7})");
  EXPECT_EQ(written(Outer{"", false, 0, {}}), R"({"count":0})") << "another default than 0";
  EXPECT_EQ(nlohmann::json::parse(R"({"on":true,"count":1})").get<Outer>().name, "");
}

TEST(JsonWriter, EscapesWhatJsonDoesNotTake) {
  EXPECT_EQ(written(std::string("a\"b\\c\n\x01")), R"("a\"b\\c\n\u0001")");
  EXPECT_EQ(written(std::string("{")), R"("{")");
  EXPECT_EQ(written(std::vector<std::string>{"[", "{"}), R"(["[","{"])");
  EXPECT_EQ(written(std::map<std::string, int>{{"a\"b", 1}}.begin()->first), R"("a\"b")");
  EXPECT_EQ(written(std::string("\xc3\xa9")), "\"\xc3\xa9\"");
  EXPECT_EQ(written(std::string("\xff")), "\"\xef\xbf\xbd\"") << "no UTF-8: replaced";
}

TEST(JsonWriter, ReadsBackWhatItWrote) {
  const Outer outer{"a\n", true, 1, {{"x", {{1}, Ip::v4(10, 0, 0, 1)}}}};
  const auto read = nlohmann::json::parse(written(outer)).get<Outer>();
  EXPECT_EQ(written(read), written(outer));
}

TEST(JsonWriter, MissingMembersAreAnErrorOrTheDefault) {
  EXPECT_EQ(written(nlohmann::json::parse(R"({"name":"a"})").get<Outer>()),
            written(Outer{.name = "a"}));
  EXPECT_THROW((void)nlohmann::json::parse(R"({"ip":null})").get<Inner>(), std::exception);
}

}  // namespace
}  // namespace berth
