#include "berth/address.h"

#include <arpa/inet.h>
#include <fmt/compile.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/result.h"

namespace berth {
namespace {

Uint128 host_mask(int bits, int prefix) {
  const int host_bits = bits - prefix;
  if (host_bits >= 128) return ~Uint128{0};
  return (Uint128{1} << host_bits) - 1;
}

// RFC 5952, section 4: the longest run of two and more zero groups becomes "::", of several as long
// the first. inet_ntop does the same by way of printf, and an attach with ten ports prints some
// fifty addresses; it is asked where part of an address may be written as an IPv4 one.
std::string v6_text(std::span<const std::uint8_t, 16> bytes) {
  char text[INET6_ADDRSTRLEN];
  const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
  if (std::ranges::all_of(bytes.first<10>(), is_zero)) {
    if (std::ranges::all_of(bytes.subspan<10, 5>(), is_zero) && bytes.back() <= 1)
      return bytes.back() == 0 ? "::" : "::1";
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    return text;
  }
  constexpr int kGroups = 8;
  const auto group = [&](int i) { return bytes[2 * i] << 8 | bytes[2 * i + 1]; };
  int gap = kGroups, gap_length = 1;
  for (int i = 0; i < kGroups; ++i) {
    int end = i;
    while (end < kGroups && group(end) == 0) ++end;
    if (end - i > gap_length) {
      gap = i;
      gap_length = end - i;
    }
    i = std::max(i, end - 1);
  }
  char* out = text;
  for (int i = 0; i < kGroups; ++i) {
    if (i != 0) *out++ = ':';
    if (i == gap) {
      if (i == 0) *out++ = ':';
      i += gap_length - 1;
      if (i == kGroups - 1) *out++ = ':';
      continue;
    }
    out = std::to_chars(out, std::end(text), group(i), 16).ptr;
  }
  return {text, out};
}

}  // namespace

Result<Ip> Ip::parse(std::string_view text) {
  const std::string copy(text);
  Ip ip;
  if (copy.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, copy.c_str(), ip.bytes_.data()) == 1) return ip;
    ip.family_ = Family::kV6;
    if (inet_pton(AF_INET6, copy.c_str(), ip.bytes_.data()) == 1) return ip;
  }
  return fail(ErrorKind::kInvalid,
              "'{}' is not an IP address: give one like 192.168.100.2 or fd00::2", text);
}

Result<Ip> Ip::from_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != 4 && bytes.size() != 16)
    return fail(ErrorKind::kInvalid, "an IP address has 4 or 16 bytes, not {}", bytes.size());
  Ip ip;
  ip.family_ = bytes.size() == 4 ? Family::kV4 : Family::kV6;
  std::ranges::copy(bytes, ip.bytes_.begin());
  return ip;
}

Ip Ip::from_number(Family family, Uint128 number) {
  Ip ip;
  ip.family_ = family;
  const int size = family == Family::kV4 ? 4 : 16;
  for (int i = size - 1; i >= 0; --i, number >>= 8)
    ip.bytes_[i] = static_cast<std::uint8_t>(number);
  return ip;
}

Ip Ip::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  Ip ip;
  ip.bytes_ = {a, b, c, d};
  return ip;
}

Uint128 Ip::number() const {
  Uint128 number = 0;
  for (const auto byte : bytes()) number = number << 8 | byte;
  return number;
}

bool Ip::is_loopback() const {
  return is_v4() ? bytes_[0] == 127 : number() == 1;
}

bool Ip::is_multicast() const {
  return is_v4() ? bytes_[0] >> 4 == 14 : bytes_[0] == 0xff;
}

std::string Ip::str() const {
  if (!is_v4()) return v6_text(bytes_);
  return fmt::format(FMT_COMPILE("{}.{}.{}.{}"), bytes_[0], bytes_[1], bytes_[2], bytes_[3]);
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    int prefix = -1;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), prefix);
    const bool number = error == std::errc{} && end == digits.end() && digits[0] != '-' &&
                        digits[0] != '+' && (digits.size() == 1 || digits[0] != '0');
    if (const auto ip = Ip::parse(text.substr(0, slash)); ip && number && prefix <= ip->bits())
      return Cidr(*ip, prefix);
  }
  return fail(ErrorKind::kInvalid, "'{}' is not a CIDR: give address/prefix like 192.168.100.0/24",
              text);
}

Ip Cidr::first() const {
  return Ip::from_number(ip_.family(), ip_.number() & ~host_mask(ip_.bits(), prefix_));
}

Ip Cidr::last() const {
  return Ip::from_number(ip_.family(), ip_.number() | host_mask(ip_.bits(), prefix_));
}

bool Cidr::contains(const Ip& ip) const {
  return ip.family() == ip_.family() && first() <= ip && ip <= last();
}

bool Cidr::contains(const Cidr& other) const {
  return other.prefix_ >= prefix_ && contains(other.ip_);
}

bool Cidr::overlaps(const Cidr& other) const {
  return contains(other.first()) || other.contains(first());
}

std::string Cidr::str() const {
  return fmt::format("{}/{}", ip_.str(), prefix_);
}

Result<IpRange> IpRange::parse(std::string_view text) {
  if (const auto block = Cidr::parse(text)) {
    if (block->is_network()) return IpRange(*block);
    return fail(ErrorKind::kInvalid, "invalid range {}: it should be {}", text,
                block->network().str());
  }
  const auto dash = text.find('-');
  const auto first = Ip::parse(text.substr(0, dash));
  const auto last = Ip::parse(dash == text.npos ? "" : text.substr(dash + 1));
  if (!first || !last || first->family() != last->family())
    return fail(ErrorKind::kInvalid,
                "'{}' is no range of addresses: give one like 192.168.100.0/26 or "
                "192.168.100.10-192.168.100.20",
                text);
  if (*last < *first)
    return fail(ErrorKind::kInvalid, "invalid range {}: it should be {}-{}", text, last->str(),
                first->str());
  IpRange range;
  range.first_ = *first;
  range.last_ = *last;
  return range;
}

std::string IpRange::str() const {
  for (int prefix = first_.bits(); prefix >= 0; --prefix)
    if (const Cidr block(first_, prefix); block.is_network() && block.last() == last_)
      return block.str();
  return fmt::format("{}-{}", first_.str(), last_.str());
}

Result<Mac> Mac::parse(std::string_view text) {
  std::array<std::uint8_t, 6> bytes{};
  bool good = text.size() == 17;
  for (std::size_t i = 0; good && i < 6; ++i) {
    const char* digits = text.data() + i * 3;
    const auto [end, error] = std::from_chars(digits, digits + 2, bytes[i], 16);
    good = error == std::errc{} && end == digits + 2 && (i == 5 || digits[2] == text[2]);
  }
  if (!good || (text[2] != ':' && text[2] != '-'))
    return fail(ErrorKind::kInvalid, "'{}' is not a MAC address: give one like 02:42:c0:a8:64:02",
                text);
  if (bytes[0] & 1 || std::ranges::all_of(bytes, [](auto byte) { return byte == 0; }))
    return fail(ErrorKind::kInvalid,
                "MAC address {} is multicast or zero: an interface needs a unicast one", text);
  return Mac(bytes);
}

Mac Mac::from_ip(const Ip& ip) {
  const auto tail = ip.bytes().last(4);
  return Mac({0x02, 0x42, tail[0], tail[1], tail[2], tail[3]});
}

std::string Mac::str() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes_[0], bytes_[1], bytes_[2],
                     bytes_[3], bytes_[4], bytes_[5]);
}

Result<Protocol> parse_protocol(std::string_view text) {
  if (text == "tcp") return Protocol::kTcp;
  if (text == "udp") return Protocol::kUdp;
  if (text == "sctp") return Protocol::kSctp;
  return fail(ErrorKind::kInvalid, "'{}' is not a protocol: give tcp, udp or sctp", text);
}

std::string_view name(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    case Protocol::kSctp:
      return "sctp";
  }
  return "unknown";
}

}  // namespace berth
