#include "kernel/netlink/message.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

namespace berth::kernel {
namespace {

constexpr std::size_t kTypicalSize = 256;  // bytes; a veth pair with its peer takes about 200
constexpr std::size_t kMaxAttribute = std::numeric_limits<std::uint16_t>::max();  // nla_len

static_assert(NLA_ALIGNTO == NLMSG_ALIGNTO, "one padding serves messages and attributes");
constexpr std::size_t aligned(std::size_t size) {
  return NLMSG_ALIGN(size);
}

}  // namespace

Message::Message(std::uint16_t type, std::uint16_t flags) : flags_(flags) {
  bytes_.reserve(kTypicalSize);
  append(bytes_of(nlmsghdr{.nlmsg_type = type}));
}

void Message::append(Bytes bytes) {
  const auto at = bytes_.size();
  bytes_.resize(at + aligned(bytes.size()));
  std::ranges::copy(bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(at));
}

void Message::put_attribute_header(std::uint16_t type, std::size_t payload_size) {
  const auto size = NLA_HDRLEN + payload_size;
  if (size > kMaxAttribute) oversized_ = true;
  append(bytes_of(nlattr{static_cast<std::uint16_t>(size), type}));
}

void Message::put(std::uint16_t type, Bytes payload) {
  put_attribute_header(type, payload.size());
  append(payload);
}

void Message::put_be16(std::uint16_t type, std::uint16_t value) {
  put_u16(type, htons(value));
}

void Message::put_string(std::uint16_t type, std::string_view text) {
  put_attribute_header(type, text.size() + 1);
  bytes_.insert(bytes_.end(), text.begin(), text.end());
  bytes_.resize(aligned(bytes_.size() + 1));  // the NUL and the padding
}

Message::Nest Message::nest(std::uint16_t type) {
  const auto start = bytes_.size();
  put_attribute_header(type | NLA_F_NESTED, 0);
  return {*this, start};
}

void Message::close_nest(std::size_t start) {
  const auto size = bytes_.size() - start;
  if (size > kMaxAttribute) oversized_ = true;
  const auto length = static_cast<std::uint16_t>(size);
  std::memcpy(bytes_.data() + start + offsetof(nlattr, nla_len), &length, sizeof length);
}

Bytes Message::seal(std::uint32_t sequence, std::uint16_t more_flags) {
  nlmsghdr header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  header.nlmsg_flags = flags_ | more_flags;
  header.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &header, sizeof header);
  return bytes_;
}

std::optional<std::uint16_t> Attribute::be16() const {
  const auto value = as<std::uint16_t>();
  return value ? std::optional(ntohs(*value)) : std::nullopt;
}

std::string_view Attribute::str() const {
  return {reinterpret_cast<const char*>(payload.data()),
          static_cast<std::size_t>(std::ranges::find(payload, 0) - payload.begin())};
}

std::optional<Ip> Attribute::ip() const {
  const auto ip = Ip::from_bytes(payload);
  return ip ? std::optional(*ip) : std::nullopt;
}

std::optional<Mac> Attribute::mac() const {
  if (payload.size() != 6) return std::nullopt;  // tunnels and InfiniBand have others
  return Mac(*as<std::array<std::uint8_t, 6>>());
}

Attributes Attribute::nested() const {
  return Attributes(payload);
}

void Attributes::Iterator::read() {
  nlattr header;
  if (rest_.size() < sizeof header) {
    at_end_ = true;
    return;
  }
  std::memcpy(&header, rest_.data(), sizeof header);
  if (header.nla_len < sizeof header || header.nla_len > rest_.size()) {
    at_end_ = true;
    return;
  }
  current_ = {static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
              rest_.subspan(sizeof header, header.nla_len - sizeof header)};
  rest_ = rest_.subspan(std::min(aligned(header.nla_len), rest_.size()));
}

std::optional<Attribute> Attributes::find(std::uint16_t type) const {
  for (const auto& attribute : *this)
    if (attribute.type == type) return attribute;
  return std::nullopt;
}

std::optional<MessageView> MessageView::take(Bytes& rest) {
  const auto all = std::exchange(rest, Bytes{});
  MessageView view;
  if (all.size() < sizeof view.header_) return std::nullopt;
  std::memcpy(&view.header_, all.data(), sizeof view.header_);
  const std::size_t length = view.header_.nlmsg_len;
  if (length < sizeof view.header_ || length > all.size()) return std::nullopt;
  view.payload_ = all.subspan(sizeof view.header_, length - sizeof view.header_);
  rest = all.subspan(std::min(aligned(length), all.size()));
  return view;
}

Attributes MessageView::attributes(std::size_t header_size) const {
  return Attributes(payload_.subspan(std::min(aligned(header_size), payload_.size())));
}

}  // namespace berth::kernel
