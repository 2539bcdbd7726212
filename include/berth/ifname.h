// The name of a network interface, checked once: what the kernel's dev_valid_name (net/core/dev.c)
// takes, and no '%', which the kernel would read as a pattern to number.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "berth/result.h"

namespace berth {

class IfName {
 public:
  static constexpr std::size_t kMaxBytes = 15;  // IFNAMSIZ - 1 of linux/if.h

  IfName() = default;  ///< empty: no name chosen
  /// 1 to 15 bytes, none of them '/', ':', '%', white space or a control byte; not "." or "..".
  [[nodiscard]] static Result<IfName> parse(std::string_view text);

  [[nodiscard]] const std::string& str() const { return text_; }
  [[nodiscard]] const char* c_str() const { return text_.c_str(); }
  [[nodiscard]] bool empty() const { return text_.empty(); }

  friend auto operator<=>(const IfName&, const IfName&) = default;

 private:
  explicit IfName(std::string_view text) : text_(text) {}
  std::string text_;
};

}  // namespace berth
