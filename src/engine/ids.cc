#include "engine/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <chrono>
#include <vector>

#include "base/result.h"

namespace berth::engine {

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(2 * bytes.size(), '0');
  auto* digit = text.data();
  for (const auto byte : bytes) {
    *digit++ = kDigits[byte >> 4];
    *digit++ = kDigits[byte & 0xf];
  }
  return text;
}

Result<Ip> ip_from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size() / 2);
  bool is_address = text.size() == 2 * 4 || text.size() == 2 * 16;
  for (std::size_t i = 0; i < bytes.size() && is_address; ++i) {
    const auto digits = text.substr(i * 2, 2);
    is_address = std::from_chars(digits.begin(), digits.end(), bytes[i], 16).ptr == digits.end();
  }
  if (!is_address)
    return fail(ErrorKind::kCorrupt, "the stored address '{}' is none in hexadecimal", text);
  return Ip::from_bytes(bytes);
}

std::string random_id() {
  std::array<std::uint8_t, 32> bytes;
  // Once the kernel's pool is ready, a request of up to 256 bytes is never short (getrandom(2)).
  while (getrandom(bytes.data(), bytes.size(), 0) != std::ssize(bytes)) continue;
  return hex(bytes);
}

std::string short_id(const std::string& id) {
  return id.substr(0, 12);
}

std::int64_t now() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

Status check_name(std::string_view what, std::string_view name) {
  constexpr std::size_t kMaxBytes = 128;
  const bool good = !name.empty() && name.size() <= kMaxBytes &&
                    std::isalnum(static_cast<unsigned char>(name[0])) &&
                    std::ranges::all_of(name, [](unsigned char byte) {
                      return std::isalnum(byte) || byte == '_' || byte == '.' || byte == '-';
                    });
  if (good) return {};
  return fail(ErrorKind::kInvalid,
              "{} name '{}' is not allowed: give a letter or digit, then letters, digits, '_', '.' "
              "or '-', at most {} bytes",
              what, name, kMaxBytes);
}

Status check_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int length = lead < 0x80 ? 1 : std::countl_one(lead);
    bool good = lead < 0x80 || (length >= 2 && length <= 4 && i + length <= text.size());
    for (int k = 1; good && k < length; ++k)
      good = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
    if (!good)
      return fail(ErrorKind::kInvalid, "'{}...': what follows is not UTF-8: give a name that is",
                  text.substr(0, i));
    i += length;
  }
  return {};
}

}  // namespace berth::engine
