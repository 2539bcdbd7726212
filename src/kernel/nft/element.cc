#include "kernel/nft/element.h"

#include <net/if.h>

#include <algorithm>
#include <cstring>

#include "base/result.h"

namespace berth::nft {
namespace {

constexpr std::size_t kRegisterBytes = 4;  // NFT_REG32_SIZE of linux/netfilter/nf_tables.h

constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + kRegisterBytes - 1) / kRegisterBytes * kRegisterBytes;
}

struct FieldText {
  std::string operator()(const Ip& ip) const { return ip.str(); }
  std::string operator()(Protocol protocol) const { return std::string(name(protocol)); }
  std::string operator()(Port port) const { return std::to_string(port); }
  std::string operator()(const IfName& ifname) const { return '"' + ifname.str() + '"'; }
  std::string operator()(const Cidr& prefix) const { return prefix.str(); }
};

// Appends a field's bytes.
struct FieldBytes {
  Edge edge;
  std::vector<std::uint8_t>& out;

  void operator()(const Ip& ip) const {
    out.insert(out.end(), ip.bytes().begin(), ip.bytes().end());
  }
  void operator()(Protocol protocol) const { out.push_back(static_cast<std::uint8_t>(protocol)); }
  void operator()(Port port) const {
    out.push_back(static_cast<std::uint8_t>(port >> 8));
    out.push_back(static_cast<std::uint8_t>(port & 0xff));
  }
  void operator()(const IfName& ifname) const {
    const auto& name = ifname.str();
    out.insert(out.end(), name.begin(), name.end());
    out.resize(out.size() + IFNAMSIZ - name.size());
  }
  void operator()(const Cidr& prefix) const {
    (*this)(edge == Edge::kFirst ? prefix.first() : prefix.last());
  }
};

Result<Field> decode_field(FieldType type, std::span<const std::uint8_t> bytes) {
  switch (type) {
    case FieldType::kIpv4:
    case FieldType::kIpv6:
      return TRY(Ip::from_bytes(bytes));
    case FieldType::kProtocol:
      // A number berth never writes is kept as it is: encoding gives the same byte again.
      return static_cast<Protocol>(bytes[0]);
    case FieldType::kPort:
      return static_cast<Port>(bytes[0] << 8 | bytes[1]);
    case FieldType::kIfName: {
      const auto* start = reinterpret_cast<const char*>(bytes.data());
      return TRY(IfName::parse({start, strnlen(start, bytes.size())}));
    }
  }
  return fail(ErrorKind::kCorrupt, "an nft key has a field of unknown type {}",
              static_cast<int>(type));
}

// The prefix that reaches from `first` to `last`, if there is one.
Result<Cidr> prefix_between(const Ip& first, const Ip& last) {
  for (int length = 0; length <= first.bits(); ++length) {
    const Cidr candidate{first, length};
    if (candidate.is_network() && candidate.last() == last) return candidate;
  }
  return fail(ErrorKind::kCorrupt, "the nft range {}-{} is not a prefix", first.str(), last.str());
}

}  // namespace

std::string text(std::span<const Field> fields) {
  std::string out;
  for (const Field& field : fields) {
    if (!out.empty()) out += " . ";
    out += std::visit(FieldText{}, field);
  }
  return out;
}

namespace {

std::string value_text(const Element& element) {
  if (element.verdict) return *element.verdict == Verdict::kAccept ? " : accept" : " : drop";
  return element.data.empty() ? "" : " : " + text(element.data);
}

}  // namespace

std::string text(const Element& element) {
  return text(element.key) + value_text(element);
}

std::string text_with_comment(const Element& element) {
  std::string out = text(element.key);
  if (!element.comment.empty()) {
    out += " comment \"" + element.comment.substr(0, kMaxCommentBytes) + '"';
  }
  return out + value_text(element);
}

std::vector<std::uint8_t> encode(std::span<const Field> fields, Edge edge) {
  std::vector<std::uint8_t> out;
  out.reserve(fields.size() * IFNAMSIZ);  // no field has more
  for (const Field& field : fields) {
    std::visit(FieldBytes{edge, out}, field);
    if (fields.size() > 1) out.resize(padded(out.size()));
  }
  return out;
}

bool has_interval(std::span<const Field> fields) {
  return std::ranges::any_of(fields,
                             [](const Field& f) { return std::holds_alternative<Cidr>(f); });
}

std::optional<Ip> interval_end(const Cidr& prefix) {
  const Ip last = prefix.last();
  const Uint128 highest = last.is_v4() ? Uint128{0xffffffff} : ~Uint128{0};
  if (last.number() == highest) return std::nullopt;
  return Ip::from_number(last.family(), last.number() + 1);
}

std::size_t field_bytes(FieldType type) {
  switch (type) {
    case FieldType::kIpv4:
      return 4;
    case FieldType::kIpv6:
      return 16;
    case FieldType::kProtocol:
      return 1;
    case FieldType::kPort:
      return 2;
    case FieldType::kIfName:
      return IFNAMSIZ;
  }
  return 0;
}

std::size_t encoded_bytes(std::span<const FieldType> types) {
  if (types.size() == 1) return field_bytes(types[0]);
  std::size_t sum = 0;
  for (const FieldType type : types) sum += padded(field_bytes(type));
  return sum;
}

Result<std::vector<Field>> decode(std::span<const FieldType> types,
                                  std::span<const std::uint8_t> bytes) {
  if (bytes.size() != encoded_bytes(types)) {
    return fail(ErrorKind::kCorrupt, "an nft key has {} bytes where its type has {}", bytes.size(),
                encoded_bytes(types));
  }
  std::vector<Field> fields;
  std::size_t at = 0;
  for (const FieldType type : types) {
    fields.push_back(TRY(decode_field(type, bytes.subspan(at, field_bytes(type)))));
    at += padded(field_bytes(type));
  }
  return fields;
}

Result<std::vector<Field>> decode_range(std::span<const FieldType> types,
                                        std::span<const std::uint8_t> first,
                                        std::span<const std::uint8_t> last) {
  auto fields = TRY(decode(types, first));
  const auto ends = TRY(decode(types, last));
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (const Ip* start = std::get_if<Ip>(&fields[i])) {
      const Cidr prefix = TRY(prefix_between(*start, std::get<Ip>(ends[i])));
      fields[i] = prefix;
    } else if (fields[i] != ends[i]) {
      return fail(ErrorKind::kCorrupt, "the nft range {} - {} is not a prefix", text(fields),
                  text(ends));
    }
  }
  return fields;
}

}  // namespace berth::nft
