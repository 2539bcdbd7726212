// Command lines and environments in the form that exec wants.
#pragma once

#include <string>
#include <vector>

#include "sandbox/shim/launch.h"

namespace berth::sandbox {

/// A null-ended array of pointers into `words`, which must outlive it.
[[nodiscard]] inline std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (auto& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

/// `env` with a PATH in it.
[[nodiscard]] inline std::vector<std::string> with_path(std::vector<std::string> env) {
  for (const auto& entry : env) {
    if (entry.starts_with("PATH=")) return env;
  }
  env.emplace_back(shim::kDefaultPath);
  return env;
}

}  // namespace berth::sandbox
