// The known word that a misspelt one is nearest to, for "did you mean".
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace berth {

/// The word of `known`, which is not empty, that `word` becomes with the fewest insertions,
/// deletions and replacements of a letter (Levenshtein distance); of equal ones the first.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> known);

/// " (did you mean 'network'?)" where a word of `known` is near enough to be what was meant; else
/// "".
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       std::span<const std::string_view> known);

}  // namespace berth
