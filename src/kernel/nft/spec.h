// What an nft table consists of, as values: sets, chains, rules. A TableSpec is written down once;
// its text is what `nft -f` loads and batch.h makes the same objects over netlink.
//
// The kernel knows a set by its Shape: flags and the numbers of its key's and data's types, six
// bits per field of a concatenation (nft's TYPE_BITS). Types are nft's alone, the kernel only hands
// them back; without them `nft list` could not print elements.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernel/nft/element.h"
#include "kernel/nft/rule.h"
#include "kernel/nft/user_data.h"

namespace berth::nft {

struct SetSpec {
  std::string name;
  std::vector<FieldType> key;
  std::vector<FieldType> data{};  ///< of a map
  bool verdicts = false;          ///< a verdict map
  bool interval = false;          ///< keys may be prefixes (Cidr)

  [[nodiscard]] bool is_map() const { return verdicts || !data.empty(); }
};

struct SetShape {
  std::uint32_t flags = 0;  ///< NFT_SET_* of linux/netfilter/nf_tables.h
  std::uint32_t key_type = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t data_type = 0;
  std::uint32_t data_bytes = 0;  ///< 0 for verdicts, whose size is the kernel's own business

  friend bool operator==(const SetShape&, const SetShape&) = default;
};
[[nodiscard]] SetShape shape_of(const SetSpec& set);
/// nft's notes on the set: the byte order of its key and data.
[[nodiscard]] UserData user_data_of(const SetSpec& set);

/// Where a base chain hangs.
struct Hook {
  std::string type;          ///< "filter" or "nat"
  std::uint32_t number = 0;  ///< NF_INET_* of linux/netfilter.h
  std::int32_t priority = 0;

  friend bool operator==(const Hook&, const Hook&) = default;
};

/// A chain; as a base chain (with a hook) its policy is accept.
struct ChainSpec {
  std::string name;
  std::optional<Hook> hook{};
  std::vector<Rule> rules{};
};

/// A table of family inet.
struct TableSpec {
  std::string name;
  std::vector<SetSpec> sets;
  std::vector<ChainSpec> chains;  ///< each after those it jumps to
};

/// `table inet berth { ... }` with a newline at its end. Chains come before the rules that jump to
/// them, so that a reader does not have to look ahead either.
[[nodiscard]] std::string text(const TableSpec& table);

/// `add element inet berth bridges { "br0" comment "web" }`
[[nodiscard]] std::string add_command(const std::string& table, const Element& element);
[[nodiscard]] std::string delete_command(const std::string& table, const Element& element);

}  // namespace berth::nft
