// The model's enumerations by name: the other direction of the name() functions of network.h.
#pragma once

#include <optional>
#include <string_view>

#include "berth/network.h"

namespace berth::model {

/// What name() says of a value that is none of the enumeration's.
inline constexpr std::string_view kUnknown = "unknown";

/// The value called `text`. The enumeration counts up from 0 without gaps.
template <typename Enum>
[[nodiscard]] std::optional<Enum> by_name(std::string_view text) {
  for (int i = 0;; ++i) {
    const auto each = static_cast<Enum>(i);
    if (name(each) == kUnknown) return std::nullopt;
    if (name(each) == text) return each;
  }
}

/// All names, for an error that says what is allowed: "bridge, private, vepa".
template <typename Enum>
[[nodiscard]] std::string names_of() {
  std::string names;
  for (int i = 0; name(static_cast<Enum>(i)) != kUnknown; ++i) {
    if (i != 0) names += ", ";
    names += name(static_cast<Enum>(i));
  }
  return names;
}

}  // namespace berth::model
