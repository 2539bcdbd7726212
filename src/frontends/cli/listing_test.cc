#include "frontends/cli/listing.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

using Json = Template::Json;

std::string listed(std::string_view format) {
  const Json headings = {{"ID", "NETWORK ID"}, {"Name", "NAME"}, {"Driver", "DRIVER"}};
  auto listing = Listing::make(format, R"({{.ID}}\t{{.Name}}\t{{.Driver}})", headings);
  if (!listing) return listing.error().message;
  for (const auto& name : {"bridge", "a-rather-long-name"}) {
    const auto added = listing->add({{"Name", name}, {"ID", "0123456789ab"}, {"Driver", "bridge"}},
                                    {{"org.my-key", name}});
    if (!added) return added.error().message;
  }
  return listing->text();
}

TEST(Listing, TableIsAlignedAsDockers) {
  EXPECT_EQ(listed(""),
            "NETWORK ID     NAME                 DRIVER\n"
            "0123456789ab   bridge               bridge\n"
            "0123456789ab   a-rather-long-name   bridge\n");
  EXPECT_EQ(listed("table"), listed(""));
}

TEST(Listing, TableOfChosenColumnsHasTheirHeadings) {
  EXPECT_EQ(listed(R"(table {{.Driver}}\t{{.Name}})"),
            "DRIVER    NAME\n"
            "bridge    bridge\n"
            "bridge    a-rather-long-name\n");
}

TEST(Listing, TemplateHasNoHeading) {
  EXPECT_EQ(listed("{{.Name}}!"), "bridge!\na-rather-long-name!\n");
}

TEST(Listing, JsonIsOneSortedObjectALine) {
  EXPECT_EQ(listed("json"),
            "{\"Driver\":\"bridge\",\"ID\":\"0123456789ab\",\"Name\":\"bridge\"}\n"
            "{\"Driver\":\"bridge\",\"ID\":\"0123456789ab\",\"Name\":\"a-rather-long-name\"}\n");
}

TEST(Listing, RefusesAnUnknownColumnEvenOfNoRows) {
  EXPECT_EQ(listed("{{.Size}}"),
            "template, column 3: there is no .Size; there are Driver, ID, Label, Name");
  EXPECT_FALSE(Listing::make("{{.Size}}", "", Json{{"ID", "ID"}}));
}

TEST(Listing, ALabelIsAColumn) {
  EXPECT_EQ(listed(R"(table {{.Label "org.my-key"}}\t{{.Label "none"}}.)"),
            "my key               none.\n"
            "bridge               .\n"
            "a-rather-long-name   .\n");
}

TEST(Listing, WhatFitsNoHeadingMayFitTheRows) {
  EXPECT_EQ(listed(R"({{if eq .Name "bridge"}}b{{else}}{{index (split .Name "-") 2}}{{end}})"),
            "b\nlong\n");
}

TEST(Joined, SeparatesByCommas) {
  EXPECT_EQ(joined({{"a", "1"}, {"b", ""}}), "a=1,b=");
}

}  // namespace
}  // namespace berth::cli
