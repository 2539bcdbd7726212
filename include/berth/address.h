// Addresses as values: IPv4 and IPv6 through the same functions, hardware addresses, prefixes.
// All are small, copyable and ordered by their bytes; parsing is strict (RFC 4291 and
// inet_pton's dotted quad: no leading zeros, no shortened forms).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "berth/result.h"

namespace berth {

__extension__ typedef unsigned __int128 Uint128;  // wide enough to count any prefix's addresses

class Ip {
 public:
  enum class Family : std::uint8_t { kV4, kV6 };

  Ip() = default;  ///< 0.0.0.0
  [[nodiscard]] static Result<Ip> parse(std::string_view text);
  /// From network-order bytes: 4 make an IPv4 address, 16 an IPv6 one. Other sizes are kInvalid.
  [[nodiscard]] static Result<Ip> from_bytes(std::span<const std::uint8_t> bytes);
  /// From the address as a number (most significant byte first in the address).
  [[nodiscard]] static Ip from_number(Family family, Uint128 number);
  [[nodiscard]] static Ip v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool is_v4() const { return family_ == Family::kV4; }
  [[nodiscard]] int bits() const { return is_v4() ? 32 : 128; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    return {bytes_.data(), is_v4() ? 4U : 16U};
  }
  [[nodiscard]] Uint128 number() const;
  [[nodiscard]] bool is_unspecified() const { return number() == 0; }
  [[nodiscard]] bool is_loopback() const;  ///< 127.0.0.0/8 or ::1
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] std::string str() const;

  friend auto operator<=>(const Ip&, const Ip&) = default;

 private:
  Family family_ = Family::kV4;
  std::array<std::uint8_t, 16> bytes_{};  // network order; an IPv4 address uses the first four
};

/// An address with a prefix length: a subnet when the host bits are zero, else an interface address.
class Cidr {
 public:
  Cidr() = default;
  Cidr(Ip ip, int prefix) : ip_(ip), prefix_(prefix) {}
  /// "192.168.100.0/24". The prefix is required; host bits may be set (see is_network()).
  [[nodiscard]] static Result<Cidr> parse(std::string_view text);

  [[nodiscard]] const Ip& ip() const { return ip_; }
  [[nodiscard]] int prefix() const { return prefix_; }
  [[nodiscard]] bool is_network() const { return ip_ == first(); }
  [[nodiscard]] Cidr network() const { return {first(), prefix_}; }
  [[nodiscard]] Ip first() const;  ///< the network address
  [[nodiscard]] Ip last() const;   ///< IPv4: the broadcast address
  [[nodiscard]] bool contains(const Ip& ip) const;
  [[nodiscard]] bool contains(const Cidr& other) const;
  [[nodiscard]] bool overlaps(const Cidr& other) const;
  [[nodiscard]] std::string str() const;

  friend auto operator<=>(const Cidr&, const Cidr&) = default;

 private:
  Ip ip_;
  int prefix_ = 0;
};

/// Addresses of one family, from the first to the last, which are both in it.
class IpRange {
 public:
  IpRange() = default;
  IpRange(const Cidr& block) : first_(block.first()), last_(block.last()) {}
  /// "192.168.100.0/26" without host bits, or "192.168.100.10-192.168.100.20".
  [[nodiscard]] static Result<IpRange> parse(std::string_view text);

  [[nodiscard]] const Ip& first() const { return first_; }
  [[nodiscard]] const Ip& last() const { return last_; }
  [[nodiscard]] bool contains(const Ip& ip) const { return first_ <= ip && ip <= last_; }
  [[nodiscard]] std::string str() const;  ///< with a prefix, if one has just these addresses

  friend auto operator<=>(const IpRange&, const IpRange&) = default;

 private:
  Ip first_, last_;
};

class Mac {
 public:
  Mac() = default;
  explicit Mac(std::array<std::uint8_t, 6> bytes) : bytes_(bytes) {}
  /// Six bytes in hex, all separated by ':' or all by '-'. Multicast and all-zero addresses are
  /// refused: no interface can carry them.
  [[nodiscard]] static Result<Mac> parse(std::string_view text);
  /// Docker's rule: 02:42 and the four bytes of the IPv4 address. IPv6: its last four bytes.
  [[nodiscard]] static Mac from_ip(const Ip& ip);

  [[nodiscard]] const std::array<std::uint8_t, 6>& bytes() const { return bytes_; }
  [[nodiscard]] std::string str() const;  ///< lower case, ':'

  friend auto operator<=>(const Mac&, const Mac&) = default;

 private:
  std::array<std::uint8_t, 6> bytes_{};
};

/// Transport protocols that a port can be published for.
enum class Protocol : std::uint8_t { kTcp = 6, kUdp = 17, kSctp = 132 };  // IANA numbers
[[nodiscard]] Result<Protocol> parse_protocol(std::string_view text);
[[nodiscard]] std::string_view name(Protocol protocol);

using Port = std::uint16_t;

}  // namespace berth
