#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace berth {
namespace {

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  return *std::ranges::min_element(known, {}, [&](auto each) { return distance(word, each); });
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  constexpr std::size_t kLettersPerMistake = 3;
  constexpr std::size_t kShortest = 3;  // any word of two letters is near any other
  if (known.empty() || word.size() < kShortest) return "";
  const auto found = nearest(word, known);
  if (distance(word, found) > word.size() / kLettersPerMistake) return "";
  return " (did you mean '" + std::string(found) + "'?)";
}

}  // namespace berth
