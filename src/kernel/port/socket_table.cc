#include "kernel/port/socket_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <span>

namespace berth::kernel {
namespace {

constexpr std::string_view kBlank = " \t";

// Takes the next word off `line`; empty at its end.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const auto word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

template <typename T>
std::optional<T> number(std::string_view text, int base) {
  T value{};
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

// An address is printed as 32-bit words of this machine's byte order, whose memory is in network
// order ("0100007F" is 127.0.0.1 on x86: get_tcp4_sock in net/ipv4/tcp_ipv4.c).
std::optional<Ip> address(std::string_view hex) {
  std::array<std::uint8_t, 16> bytes;
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  for (std::size_t i = 0; i < hex.size() / 8; ++i) {
    const auto word = number<std::uint32_t>(hex.substr(8 * i, 8), 16);
    if (!word) return std::nullopt;
    std::memcpy(bytes.data() + 4 * i, &*word, 4);
  }
  const std::span all(bytes.data(), hex.size() / 2);
  // An IPv4 connection of an IPv6 socket is shown as ::ffff:a.b.c.d.
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool mapped = all.size() == 16 && std::ranges::equal(all.first(12), kMapped);
  const auto ip = Ip::from_bytes(mapped ? all.subspan(12) : all);
  return ip ? std::optional(*ip) : std::nullopt;
}

// "  0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000  101  0 17203 ..."
std::optional<SocketEntry> parse_line(std::string_view line) {
  std::array<std::string_view, 10> words;
  for (auto& word : words) word = take_word(line);
  const auto local = words[1];
  const auto colon = local.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto ip = address(local.substr(0, colon));
  const auto port = number<Port>(local.substr(colon + 1), 16);
  const auto state = number<std::uint8_t>(words[3], 16);
  const auto inode = number<ino_t>(words[9], 10);
  if (!ip || !port || !state || !inode) return std::nullopt;
  return SocketEntry{*ip, *port, *state, *inode};
}

}  // namespace

std::vector<SocketEntry> parse_socket_table(std::string_view text) {
  std::vector<SocketEntry> entries;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (const auto entry = parse_line(line)) entries.push_back(*entry);
  }
  return entries;
}

}  // namespace berth::kernel
