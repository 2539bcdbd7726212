// One netlink message: building it, and reading one without trusting it.
//
// Building: a Message is the header, the family's own header (ifinfomsg, rtmsg, nfgenmsg, ...) and
// attributes, padded as the kernel wants them (include/net/netlink.h, NLA_ALIGN). Nested attributes
// are C++ blocks that mirror the attribute tree; a nest is closed by leaving its block:
//
//   Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
//   message.put_string(IFLA_IFNAME, "br0");
//   {
//     const auto info = message.nest(IFLA_LINKINFO);
//     message.put_string(IFLA_INFO_KIND, "bridge");
//   }
//
// Reading: MessageView and Attributes point into the received bytes and never past them. An
// attribute that is missing, too short or cut off reads as absent, and what follows a malformed one
// is not seen; nothing is assumed to be NUL-ended.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "berth/address.h"

namespace berth::kernel {

using Bytes = std::span<const std::uint8_t>;

/// The memory of a plain struct, for headers and attributes that the kernel defines as structs.
template <typename T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] Bytes bytes_of(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

class Message {
 public:
  template <typename Header>
  Message(std::uint16_t type, std::uint16_t flags, const Header& header) : Message(type, flags) {
    append(bytes_of(header));
  }

  void put_u8(std::uint16_t type, std::uint8_t value) { put(type, bytes_of(value)); }
  void put_u16(std::uint16_t type, std::uint16_t value) { put(type, bytes_of(value)); }
  void put_u32(std::uint16_t type, std::uint32_t value) { put(type, bytes_of(value)); }
  void put_be16(std::uint16_t type, std::uint16_t value);  ///< in network order
  void put_string(std::uint16_t type,
                  std::string_view text);  ///< with the NUL that the kernel wants
  void put_ip(std::uint16_t type, const Ip& ip) { put(type, ip.bytes()); }
  void put_mac(std::uint16_t type, const Mac& mac) { put(type, mac.bytes()); }
  void put(std::uint16_t type, Bytes payload);

  /// Bytes without an attribute header: the struct that some nests begin with (VETH_INFO_PEER).
  void append(Bytes bytes);

  /// Everything put while the returned object lives is inside the attribute `type`.
  class Nest {
   public:
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;
    ~Nest() { message_.close_nest(start_); }

   private:
    friend class Message;
    Nest(Message& message, std::size_t start) : message_(message), start_(start) {}
    Message& message_;
    std::size_t start_;
  };
  [[nodiscard]] Nest nest(std::uint16_t type);

  /// True once something did not fit the 16-bit length of an attribute: such a message is not sent.
  [[nodiscard]] bool oversized() const { return oversized_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

  /// Completes the header for sending: length, sequence number, and flags beside the message's own.
  Bytes seal(std::uint32_t sequence, std::uint16_t more_flags);

 private:
  Message(std::uint16_t type, std::uint16_t flags);
  void put_attribute_header(std::uint16_t type, std::size_t payload_size);
  void close_nest(std::size_t start);

  std::vector<std::uint8_t>
      bytes_;  // always padded to NLMSG_ALIGNTO, so messages can be sent in a row
  std::uint16_t flags_;
  bool oversized_ = false;
};

class Attributes;

/// One attribute of a received message.
struct Attribute {
  std::uint16_t type = 0;  ///< without the NLA_F_ flags
  Bytes payload;

  [[nodiscard]] std::optional<std::uint8_t> u8() const { return as<std::uint8_t>(); }
  [[nodiscard]] std::optional<std::uint16_t> u16() const { return as<std::uint16_t>(); }
  [[nodiscard]] std::optional<std::uint16_t> be16() const;  ///< from network order
  [[nodiscard]] std::optional<std::uint32_t> u32() const { return as<std::uint32_t>(); }
  [[nodiscard]] std::optional<std::int32_t> s32() const { return as<std::int32_t>(); }
  [[nodiscard]] std::string_view str() const;    ///< up to the NUL or the end
  [[nodiscard]] std::optional<Ip> ip() const;    ///< 4 or 16 bytes
  [[nodiscard]] std::optional<Mac> mac() const;  ///< 6 bytes
  [[nodiscard]] Attributes nested() const;

 private:
  template <typename T>
  [[nodiscard]] std::optional<T> as() const {
    if (payload.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, payload.data(), sizeof value);
    return value;
  }
};

/// A range of Attribute over received bytes. It ends at the first malformed attribute.
class Attributes {
 public:
  Attributes() = default;
  explicit Attributes(Bytes bytes) : bytes_(bytes) {}

  class Iterator {
   public:
    explicit Iterator(Bytes rest) : rest_(rest) { read(); }
    const Attribute& operator*() const { return current_; }
    Iterator& operator++() {
      read();
      return *this;
    }
    bool operator==(std::nullptr_t) const { return at_end_; }

   private:
    void read();
    Bytes rest_;
    Attribute current_;
    bool at_end_ = false;
  };
  [[nodiscard]] Iterator begin() const { return Iterator(bytes_); }
  [[nodiscard]] std::nullptr_t end() const { return nullptr; }

  /// The first attribute of that type.
  [[nodiscard]] std::optional<Attribute> find(std::uint16_t type) const;

 private:
  Bytes bytes_;
};

/// A received message. It points into the buffer it was read from.
class MessageView {
 public:
  /// Takes the first message off `rest`; nullopt, leaving `rest` empty, at the end or where the
  /// bytes are no whole message.
  [[nodiscard]] static std::optional<MessageView> take(Bytes& rest);

  [[nodiscard]] std::uint16_t type() const { return header_.nlmsg_type; }
  [[nodiscard]] std::uint16_t flags() const { return header_.nlmsg_flags; }
  [[nodiscard]] std::uint32_t sequence() const { return header_.nlmsg_seq; }
  [[nodiscard]] Bytes payload() const { return payload_; }

  /// The family's header, which the payload begins with.
  template <typename Header>
  [[nodiscard]] std::optional<Header> header() const {
    if (payload_.size() < sizeof(Header)) return std::nullopt;
    Header value;
    std::memcpy(&value, payload_.data(), sizeof value);
    return value;
  }
  /// The attributes after a family header of `header_size` bytes.
  [[nodiscard]] Attributes attributes(std::size_t header_size) const;

 private:
  nlmsghdr header_{};
  Bytes payload_;
};

}  // namespace berth::kernel
