// Random identifiers and the clock, in one place.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "berth/address.h"
#include "berth/result.h"

namespace berth::engine {

[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);  ///< lower case
/// The address whose bytes those are, from a key or value of the store; else kCorrupt.
[[nodiscard]] Result<Ip> ip_from_hex(std::string_view text);
/// 64 lower-case hex digits from the kernel's random source (getrandom(2)), as Docker's ids.
[[nodiscard]] std::string random_id();
[[nodiscard]] std::string short_id(const std::string& id);  ///< its first 12 digits
[[nodiscard]] std::int64_t now();                           ///< nanoseconds since the Unix epoch

/// Network and sandbox names: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128 bytes. `what` begins the
/// error.
[[nodiscard]] Status check_name(std::string_view what, std::string_view name);

/// Refuses what is not UTF-8: the store could not give it back as it was.
[[nodiscard]] Status check_text(std::string_view text);

}  // namespace berth::engine
