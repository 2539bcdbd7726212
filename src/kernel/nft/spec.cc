#include "kernel/nft/spec.h"

#include <fmt/format.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace berth::nft {
namespace {

constexpr std::uint32_t kTypeBits = 6;                    // TYPE_BITS of nft's include/datatype.h
constexpr std::uint32_t kVerdictType = NFT_DATA_VERDICT;  // as the type of a map's data
constexpr std::uint32_t kSetConcat = NFT_SET_CONCAT;

struct TypeTraits {
  std::string_view name;
  std::uint32_t number;      // enum datatypes of nft's include/datatype.h
  std::uint32_t byte_order;  // enum byteorder of the same: 0 none, 1 host, 2 network
};

TypeTraits traits(FieldType type) {
  switch (type) {
    case FieldType::kIpv4:
      return {"ipv4_addr", 7, 2};
    case FieldType::kIpv6:
      return {"ipv6_addr", 8, 2};
    case FieldType::kProtocol:
      return {"inet_proto", 12, 2};
    case FieldType::kPort:
      return {"inet_service", 13, 2};
    case FieldType::kIfName:
      return {"ifname", 41, 1};
  }
  return {};
}

std::uint32_t type_number(const std::vector<FieldType>& types) {
  std::uint32_t number = 0;
  for (const FieldType type : types) number = number << kTypeBits | traits(type).number;
  return number;
}

// A concatenation has no byte order of its own.
std::uint32_t byte_order(const std::vector<FieldType>& types) {
  return types.size() == 1 ? traits(types[0]).byte_order : 0;
}

std::string type_text(const std::vector<FieldType>& types) {
  std::string out;
  for (const FieldType type : types) {
    if (!out.empty()) out += " . ";
    out += traits(type).name;
  }
  return out;
}

std::string text(const SetSpec& set) {
  std::string out = fmt::format("\t{} {} {{\n\t\ttype {}", set.is_map() ? "map" : "set", set.name,
                                type_text(set.key));
  if (set.verdicts) out += " : verdict";
  if (!set.data.empty()) out += " : " + type_text(set.data);
  out += '\n';
  if (set.interval) out += "\t\tflags interval\n";
  return out + "\t}\n";
}

std::string_view hook_name(std::uint32_t number) {
  switch (number) {
    case NF_INET_PRE_ROUTING:
      return "prerouting";
    case NF_INET_LOCAL_IN:
      return "input";
    case NF_INET_FORWARD:
      return "forward";
    case NF_INET_LOCAL_OUT:
      return "output";
    default:
      return "postrouting";
  }
}

std::string text(const ChainSpec& chain) {
  std::string out = fmt::format("\tchain {} {{\n", chain.name);
  if (chain.hook) {
    out += fmt::format("\t\ttype {} hook {} priority {}; policy accept;\n", chain.hook->type,
                       hook_name(chain.hook->number), chain.hook->priority);
  }
  for (const Rule& rule : chain.rules) out += fmt::format("\t\t{}\n", rule.text());
  return out + "\t}\n";
}

}  // namespace

SetShape shape_of(const SetSpec& set) {
  SetShape shape;
  shape.key_type = type_number(set.key);
  shape.key_bytes = static_cast<std::uint32_t>(encoded_bytes(set.key));
  if (set.interval) shape.flags |= NFT_SET_INTERVAL;
  // nft marks concatenations only where they hold intervals: the mark selects the pipapo backend.
  if (set.interval && set.key.size() > 1) shape.flags |= kSetConcat;
  if (set.is_map()) shape.flags |= NFT_SET_MAP;
  if (set.verdicts) {
    shape.data_type = kVerdictType;
  } else if (!set.data.empty()) {
    shape.data_type = type_number(set.data);
    shape.data_bytes = static_cast<std::uint32_t>(encoded_bytes(set.data));
  }
  return shape;
}

UserData user_data_of(const SetSpec& set) {
  UserData data;
  data.put_u32(NFTNL_UDATA_SET_KEYBYTEORDER, byte_order(set.key));
  if (set.is_map()) {
    data.put_u32(NFTNL_UDATA_SET_DATABYTEORDER, set.verdicts ? 0 : byte_order(set.data));
  }
  return data;
}

std::string text(const TableSpec& table) {
  std::string out = fmt::format("table inet {} {{\n", table.name);
  for (const SetSpec& set : table.sets) out += text(set);
  for (const ChainSpec& chain : table.chains) out += text(chain);
  return out + "}\n";
}

std::string add_command(const std::string& table, const Element& element) {
  return fmt::format("add element inet {} {} {{ {} }}", table, element.set,
                     text_with_comment(element));
}

std::string delete_command(const std::string& table, const Element& element) {
  return fmt::format("delete element inet {} {} {{ {} }}", table, element.set, text(element));
}

}  // namespace berth::nft
