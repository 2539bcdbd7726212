// docs/options.md names every option, with the other name and the drivers that take it.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "model/options.h"

namespace berth::model {
namespace {

// The cells of the tables' rows whose first one is a name in backquotes, by that name.
std::map<std::string, std::vector<std::string>> rows_below(const std::string& heading) {
  std::ifstream file(BERTH_DOCS "/options.md");
  std::map<std::string, std::vector<std::string>> rows;
  bool below = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) below = line == heading;
    if (!below || !line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 1; at < line.size();) {
      const auto end = line.find('|', at);
      auto cell = line.substr(at, end - at);
      std::erase(cell, '`');
      cell.erase(0, cell.find_first_not_of(' '));
      cell.erase(cell.find_last_not_of(' ') + 1);
      cells.push_back(cell);
      at = end == line.npos ? line.size() : end + 1;
    }
    rows[cells.at(0)] = cells;
  }
  return rows;
}

TEST(OptionsPage, HasEveryNetworkOptionAndNoOther) {
  auto rows = rows_below("## Options of networks");
  for (const auto& option : option_names()) {
    const auto row = rows.extract(std::string(option.name));
    ASSERT_FALSE(row.empty()) << option.name;
    std::string takers;
    for (const auto driver : option.takers)
      takers += (takers.empty() ? "" : ", ") + std::string(name(driver));
    ASSERT_EQ(row.mapped().size(), 5U) << option.name;
    EXPECT_EQ(row.mapped()[1], option.alias);
    EXPECT_EQ(row.mapped()[2], takers) << option.name;
  }
  for (const auto& [name, row] : rows) ADD_FAILURE() << name << " is no option";
}

TEST(OptionsPage, HasEveryEndpointOptionAndNoOther) {
  auto rows = rows_below("## Options of connections");
  for (const auto option : endpoint_option_names())
    EXPECT_EQ(rows.erase(std::string(option)), 1U) << option;
  for (const auto& [name, row] : rows) ADD_FAILURE() << name << " is no option";
}

}  // namespace
}  // namespace berth::model
