#include "frontends/cli/filter.h"

#include <algorithm>

#include "base/result.h"

namespace berth::cli {

Result<Filters> Filters::parse(std::span<const std::string> texts,
                               std::span<const std::string_view> known) {
  Filters filters;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      return fail(ErrorKind::kInvalid, "--filter {}: give KEY=VALUE; keys are {}", text,
                  fmt::join(known, ", "));
    const auto key = text.substr(0, equals);
    if (std::ranges::find(known, key) == known.end())
      return fail(ErrorKind::kInvalid, "--filter {}: there is no key '{}'; keys are {}", text, key,
                  fmt::join(known, ", "));
    filters.values_[key].push_back(text.substr(equals + 1));
  }
  return filters;
}

const std::vector<std::string>& Filters::values(std::string_view key) const {
  static const std::vector<std::string> kNone;
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? kNone : found->second;
}

bool Filters::pass(std::string_view key,
                   const std::function<bool(const std::string&)>& matches) const {
  return !has(key) || std::ranges::any_of(values(key), matches);
}

Status Filters::read_patterns(std::string_view key) {
  constexpr std::size_t kMaxBytes = 200;
  // As in Go no back references, and so no time without bounds.
  constexpr auto kSyntax = std::regex::ECMAScript | std::regex_constants::__polynomial;
  for (const auto& value : values(key)) {
    try {
      if (value.size() > kMaxBytes) throw std::regex_error(std::regex_constants::error_space);
      patterns_[std::string(key)].emplace_back(value, kSyntax);
    } catch (const std::regex_error&) {
      return fail(ErrorKind::kInvalid,
                  "--filter {}={}: the value is no regular expression: give one like web, ^web$ or "
                  "web|db, of at most {} bytes",
                  key, value, kMaxBytes);
    }
  }
  return {};
}

bool Filters::pass_pattern(std::string_view key, const std::string& text) const {
  const auto found = patterns_.find(std::string(key));
  return found == patterns_.end() ||
         std::ranges::any_of(found->second, [&](const std::regex& pattern) {
           return std::regex_search(text, pattern);
         });
}

Status Filters::allow(std::string_view key, std::span<const std::string_view> allowed) const {
  for (const auto& value : values(key)) {
    if (std::ranges::find(allowed, value) == allowed.end())
      return fail(ErrorKind::kInvalid, "--filter {}={}: the value is none of {}", key, value,
                  fmt::join(allowed, ", "));
  }
  return {};
}

bool Filters::pass_labels(const Labels& labels) const {
  const auto has_label = [&](const std::string& wanted) {
    const auto equals = wanted.find('=');
    const auto found = labels.find(wanted.substr(0, equals));
    return found != labels.end() &&
           (equals == std::string::npos || found->second == wanted.substr(equals + 1));
  };
  return std::ranges::all_of(values("label"), has_label) &&
         std::ranges::none_of(values("label!"), has_label);
}

}  // namespace berth::cli
