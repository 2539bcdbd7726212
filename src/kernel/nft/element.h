// Elements of nft sets and maps as values: what berth adds for every published port, subnet and
// bridge. Pure: nothing here talks to the kernel (connection.h does).
//
// A key or datum is a list of fields, nft's concatenation `tcp . 12211`. In the kernel it is one
// byte string: a lone field has its natural length, in a concatenation each is padded to 4 bytes
// (net/netfilter/nft_set_pipapo.c and nft's src/datatype.c: registers are 4 bytes wide). Numbers
// are in network order; an interface name takes IFNAMSIZ = 16 bytes, zero padded.
//
// A Cidr field stands for all addresses of a prefix and belongs in sets with `flags interval`. The
// kernel knows two forms: with several fields an element has a first and a last key (pipapo); with
// one field it is a pair of elements, the first address and the one after the last marked as an
// interval's end (rbtree). Edge says which key is wanted.
//
// The comment names the element's owner. It travels as nft's own comment attribute, so `nft list`
// shows it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"

namespace berth::nft {

using Field = std::variant<Ip, Protocol, Port, IfName, Cidr>;

enum class FieldType : std::uint8_t { kIpv4, kIpv6, kProtocol, kPort, kIfName };

enum class Verdict : std::uint8_t { kDrop = 0, kAccept = 1 };  // NF_DROP, NF_ACCEPT

/// NFTNL_UDATA_COMMENT_MAXLEN without its zero byte; what is longer is cut on its way to the
/// kernel.
inline constexpr std::size_t kMaxCommentBytes = 127;

struct Element {
  std::string set;
  std::vector<Field> key;
  std::vector<Field> data{};         ///< of a map; a set's elements have none
  std::optional<Verdict> verdict{};  ///< of a verdict map
  std::string comment{};             ///< printable, without '"'; may be empty

  friend auto operator<=>(const Element&, const Element&) = default;
};

/// `tcp . 12211`; interface names in quotes.
[[nodiscard]] std::string text(std::span<const Field> fields);
/// `tcp . 12211 : 192.168.100.2 . 8080`: key and value, without the comment.
[[nodiscard]] std::string text(const Element& element);
/// The element as nft reads it: `tcp . 12211 comment "web" : 192.168.100.2 . 8080`.
[[nodiscard]] std::string text_with_comment(const Element& element);

enum class Edge : std::uint8_t {
  kFirst,  ///< the lowest key
  kLast,   ///< the highest key: differs from the first where a field is a Cidr
};

/// The kernel's bytes for a concatenation of `fields`.
[[nodiscard]] std::vector<std::uint8_t> encode(std::span<const Field> fields, Edge edge);

/// Whether one of `fields` is a Cidr.
[[nodiscard]] bool has_interval(std::span<const Field> fields);

/// The address after the last of `prefix`: the key that ends an interval of one field. None where
/// the prefix reaches the end of the address space.
[[nodiscard]] std::optional<Ip> interval_end(const Cidr& prefix);

/// The bytes that a field of `type` has when it stands alone.
[[nodiscard]] std::size_t field_bytes(FieldType type);
/// The bytes of a concatenation of `types`.
[[nodiscard]] std::size_t encoded_bytes(std::span<const FieldType> types);

/// The fields in `bytes`. kCorrupt when the length does not fit `types` or a name is none.
[[nodiscard]] Result<std::vector<Field>> decode(std::span<const FieldType> types,
                                                std::span<const std::uint8_t> bytes);
/// The same for a key that reaches from `first` to `last`: addresses become prefixes. kCorrupt for
/// a range that is no prefix.
[[nodiscard]] Result<std::vector<Field>> decode_range(std::span<const FieldType> types,
                                                      std::span<const std::uint8_t> first,
                                                      std::span<const std::uint8_t> last);

}  // namespace berth::nft
