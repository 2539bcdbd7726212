#include "kernel/nft/user_data.h"

#include <cstring>

namespace berth::nft {

void UserData::begin(std::uint8_t type, std::size_t size) {
  bytes_.reserve(bytes_.size() + 2 + size);
  bytes_.push_back(type);
  bytes_.push_back(static_cast<std::uint8_t>(size));
}

void UserData::put(std::uint8_t type, std::span<const std::uint8_t> value) {
  begin(type, value.size());
  bytes_.insert(bytes_.end(), value.begin(), value.end());
}

void UserData::put_u32(std::uint8_t type, std::uint32_t value) {
  std::uint8_t bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  put(type, bytes);
}

void UserData::put_string(std::uint8_t type, std::string_view text) {
  begin(type, text.size() + 1);
  bytes_.insert(bytes_.end(), text.begin(), text.end());
  bytes_.push_back(0);
}

std::optional<std::span<const std::uint8_t>> find_user_data(std::span<const std::uint8_t> user_data,
                                                            std::uint8_t type) {
  constexpr std::size_t kHeaderBytes = 2;
  while (user_data.size() >= kHeaderBytes) {
    const std::size_t length = user_data[1];
    if (user_data.size() < kHeaderBytes + length) return std::nullopt;
    if (user_data[0] == type) return user_data.subspan(kHeaderBytes, length);
    user_data = user_data.subspan(kHeaderBytes + length);
  }
  return std::nullopt;
}

std::string_view find_user_text(std::span<const std::uint8_t> user_data, std::uint8_t type) {
  const auto value = find_user_data(user_data, type);
  if (!value) return {};
  const auto* start = reinterpret_cast<const char*>(value->data());
  return {start, strnlen(start, value->size())};
}

}  // namespace berth::nft
