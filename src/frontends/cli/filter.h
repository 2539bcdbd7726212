// --filter KEY=VALUE, as in docker: values of one key are alternatives, keys must all hold, and of
// labels every one must hold.
#pragma once

#include <functional>
#include <map>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/network.h"
#include "berth/result.h"

namespace berth::cli {

class Filters {
 public:
  /// Refuses a key that is not among `known`, and names those.
  [[nodiscard]] static Result<Filters> parse(std::span<const std::string> texts,
                                             std::span<const std::string_view> known);

  [[nodiscard]] bool has(std::string_view key) const { return values_.contains(std::string(key)); }
  [[nodiscard]] const std::vector<std::string>& values(std::string_view key) const;
  /// Does `matches` hold for one of the key's values, or is the key not filtered by?
  [[nodiscard]] bool pass(std::string_view key,
                          const std::function<bool(const std::string&)>& matches) const;
  /// Reads the key's values as regular expressions for pass_pattern(); refuses what is none.
  [[nodiscard]] Status read_patterns(std::string_view key);
  /// Does one of them match a part of `text`, or is the key not filtered by?
  [[nodiscard]] bool pass_pattern(std::string_view key, const std::string& text) const;
  /// pass() for values out of a fixed set: refuses others, and names the set.
  [[nodiscard]] Status allow(std::string_view key, std::span<const std::string_view> allowed) const;
  /// label=KEY and label=KEY=VALUE; label!=KEY and label!=KEY=VALUE for those without.
  [[nodiscard]] bool pass_labels(const Labels& labels) const;

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::map<std::string, std::vector<std::regex>> patterns_;  // of keys that have been read so
};

}  // namespace berth::cli
