#include "frontends/cli/filter.h"

#include <gtest/gtest.h>

#include <array>

namespace berth::cli {
namespace {

constexpr std::array<std::string_view, 2> kKnown = {"name", "label"};

Filters parsed(std::vector<std::string> texts) {
  return *Filters::parse(texts, kKnown);
}

TEST(Filters, ValuesOfAKeyAreAlternatives) {
  const auto filters = parsed({"name=a", "name=b"});
  const auto is = [](std::string name) {
    return [name](const std::string& value) { return value == name; };
  };
  EXPECT_TRUE(filters.pass("name", is("b")));
  EXPECT_FALSE(filters.pass("name", is("c")));
  EXPECT_TRUE(parsed({}).pass("name", is("c")));
}

TEST(Filters, EveryLabelMustHold) {
  const Labels labels = {{"tier", "web"}, {"eu", ""}};
  EXPECT_TRUE(parsed({"label=tier=web", "label=eu"}).pass_labels(labels));
  EXPECT_FALSE(parsed({"label=tier=web", "label=us"}).pass_labels(labels));
  EXPECT_FALSE(parsed({"label=tier=db"}).pass_labels(labels));
}

TEST(Filters, RefusesUnknownKeysAndNamesTheKnown) {
  const std::vector<std::string> texts = {"size=1"};
  EXPECT_EQ(Filters::parse(texts, kKnown).error().message,
            "--filter size=1: there is no key 'size'; keys are name, label");
  const std::vector<std::string> bare = {"name"};
  EXPECT_FALSE(Filters::parse(bare, kKnown));
}

TEST(Filters, RefusesValuesOutsideASet) {
  constexpr std::array<std::string_view, 2> kAllowed = {"a", "b"};
  EXPECT_TRUE(parsed({"name=a"}).allow("name", kAllowed));
  EXPECT_EQ(parsed({"name=c"}).allow("name", kAllowed).error().message,
            "--filter name=c: the value is none of a, b");
}

TEST(Filters, PatternsMatchAPart) {
  auto filters = parsed({"name=^web$", "name=d[ab]+"});
  ASSERT_TRUE(filters.read_patterns("name"));
  EXPECT_TRUE(filters.pass_pattern("name", "web"));
  EXPECT_TRUE(filters.pass_pattern("name", "my-dab"));
  EXPECT_FALSE(filters.pass_pattern("name", "web2"));
  auto none = parsed({});
  ASSERT_TRUE(none.read_patterns("name"));
  EXPECT_TRUE(none.pass_pattern("name", "anything"));
}

TEST(Filters, RefusesWhatIsNoPattern) {
  for (const auto& text : {std::string("["), std::string("(a)\\1"), std::string(201, 'a')})
    EXPECT_NE(parsed({"name=" + text})
                  .read_patterns("name")
                  .error()
                  .message.find("no regular expression"),
              std::string::npos)
        << text;
}

TEST(Filters, APatternTakesNoTimeWithoutBounds) {
  auto filters = parsed({"name=(a+)+$"});
  ASSERT_TRUE(filters.read_patterns("name"));
  EXPECT_FALSE(filters.pass_pattern("name", std::string(60, 'a') + "b"));
}

TEST(Filters, LabelsMayHaveToBeMissing) {
  const std::vector<std::string> texts = {"label=tier", "label!=keep", "label!=tier=db"};
  constexpr std::array<std::string_view, 2> known = {"label", "label!"};
  const auto filters = Filters::parse(texts, known).value();
  EXPECT_TRUE(filters.pass_labels({{"tier", "web"}}));
  EXPECT_FALSE(filters.pass_labels({{"tier", "db"}}));
  EXPECT_FALSE(filters.pass_labels({{"tier", "web"}, {"keep", ""}}));
  EXPECT_FALSE(filters.pass_labels({}));
}

}  // namespace
}  // namespace berth::cli
