// The user data that nft tables, sets, elements and rules carry: bytes the kernel keeps and does
// not read. By nft's convention (libnftnl's udata.h) they are attributes of one byte type, one byte
// length and the value, without padding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace berth::nft {

class UserData {
 public:
  void put(std::uint8_t type, std::span<const std::uint8_t> value);  ///< at most 255 bytes
  void put_u32(std::uint8_t type, std::uint32_t value);              ///< in host order, as nft does
  void put_string(std::uint8_t type, std::string_view text);         ///< with a zero byte

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  void begin(std::uint8_t type, std::size_t size);  // of the value

  std::vector<std::uint8_t> bytes_;
};

/// The value of the first attribute of `type` in `user_data`; attributes that are cut off are
/// absent.
[[nodiscard]] std::optional<std::span<const std::uint8_t>> find_user_data(
    std::span<const std::uint8_t> user_data, std::uint8_t type);

/// The same as text, up to its zero byte; empty if absent.
[[nodiscard]] std::string_view find_user_text(std::span<const std::uint8_t> user_data,
                                              std::uint8_t type);

}  // namespace berth::nft
