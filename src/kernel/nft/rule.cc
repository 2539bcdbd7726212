#include "kernel/nft/rule.h"

#include <fmt/format.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include "kernel/nft/element.h"
#include "kernel/nft/user_data.h"

namespace berth::nft {
namespace {

// The user data attribute that holds a fingerprint. nft 1.0.6 knows 0 (comment) and 1, and passes
// over what it does not know (src/netlink_delinearize.c, rule_parse_udata_cb).
constexpr std::uint8_t kFingerprintAttribute = 0xbe;

struct KeyTraits {
  std::string_view text;
  std::uint32_t bytes;
  std::optional<Ip::Family> version{};  ///< of the IP header it reads, if it reads one
};

KeyTraits traits(Key key) {
  switch (key) {
    case Key::kIifname:
      return {"iifname", IFNAMSIZ};
    case Key::kOifname:
      return {"oifname", IFNAMSIZ};
    case Key::kL4proto:
      return {"meta l4proto", 1};
    case Key::kIpSaddr:
      return {"ip saddr", 4, Ip::Family::kV4};
    case Key::kIpDaddr:
      return {"ip daddr", 4, Ip::Family::kV4};
    case Key::kIp6Saddr:
      return {"ip6 saddr", 16, Ip::Family::kV6};
    case Key::kIp6Daddr:
      return {"ip6 daddr", 16, Ip::Family::kV6};
    case Key::kThDport:
      return {"th dport", 2};
  }
  return {};
}

std::string text_of(const Keys& keys) {
  std::string out;
  for (const Key key : keys) {
    if (!out.empty()) out += " . ";
    out += traits(key).text;
  }
  return out;
}

std::uint8_t nfproto(Ip::Family version) {
  return version == Ip::Family::kV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

std::string_view name(Ip::Family version) {
  return version == Ip::Family::kV4 ? "ip" : "ip6";
}

// The kernel's number for the register that starts at the n-th 4 bytes of the data registers: by
// its 16-byte name where it has one (NFT_REG_1..4), else by its 4-byte one (NFT_REG32_00..15).
constexpr std::uint32_t register_at(std::uint32_t n) {
  return n % 4 == 0 ? NFT_REG_1 + n / 4 : NFT_REG32_00 + n;
}

constexpr std::uint32_t kIpv4HeaderSaddr = 12;  // bytes, RFC 791 section 3.1
constexpr std::uint32_t kIpv4HeaderDaddr = 16;
constexpr std::uint32_t kIpv6HeaderSaddr = 8;  // bytes, RFC 8200 section 3
constexpr std::uint32_t kIpv6HeaderDaddr = 24;
constexpr std::uint32_t kTransportDport = 2;  // the same in TCP, UDP and SCTP

}  // namespace

// Appends kernel expressions to a rule. Everything goes through the first registers: a part leaves
// nothing behind for the next.
class RuleWriter {
 public:
  explicit RuleWriter(nftnl_rule& rule) : rule_(rule) {}

  void need(Ip::Family version) {
    if (known_version_ == version) return;
    known_version_ = version;
    meta(NFT_META_NFPROTO, register_at(0));
    compare(NFT_CMP_EQ, as_bytes(nfproto(version)));
  }

  void load(const Keys& keys) {
    for (const Key key : keys) {
      if (const auto version = traits(key).version) need(*version);
    }
    std::uint32_t at = 0;
    for (const Key key : keys) {
      load(key, register_at(at), traits(key).bytes);
      at += (traits(key).bytes + 3) / 4;
    }
  }

  void load(Key key, std::uint32_t reg, std::uint32_t bytes) {
    switch (key) {
      case Key::kIifname:
        return meta(NFT_META_IIFNAME, reg);
      case Key::kOifname:
        return meta(NFT_META_OIFNAME, reg);
      case Key::kL4proto:
        return meta(NFT_META_L4PROTO, reg);
      case Key::kIpSaddr:
        return payload(NFT_PAYLOAD_NETWORK_HEADER, kIpv4HeaderSaddr, bytes, reg);
      case Key::kIpDaddr:
        return payload(NFT_PAYLOAD_NETWORK_HEADER, kIpv4HeaderDaddr, bytes, reg);
      case Key::kIp6Saddr:
        return payload(NFT_PAYLOAD_NETWORK_HEADER, kIpv6HeaderSaddr, bytes, reg);
      case Key::kIp6Daddr:
        return payload(NFT_PAYLOAD_NETWORK_HEADER, kIpv6HeaderDaddr, bytes, reg);
      case Key::kThDport:
        return payload(NFT_PAYLOAD_TRANSPORT_HEADER, kTransportDport, bytes, reg);
    }
  }

  void compare(std::uint32_t operation, std::span<const std::uint8_t> value) {
    nftnl_expr* expr = add("cmp");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, register_at(0));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, value.data(),
                   static_cast<std::uint32_t>(value.size()));
  }

  void mask(std::span<const std::uint8_t> bits) {
    const std::array<std::uint8_t, 16> zero{};
    const auto bytes = static_cast<std::uint32_t>(bits.size());
    nftnl_expr* expr = add("bitwise");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, register_at(0));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, register_at(0));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, bytes);
    nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, bits.data(), bytes);
    nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, zero.data(), bytes);
  }

  void connection_has(std::uint32_t ct_key, std::uint32_t bits) {
    nftnl_expr* expr = add("ct");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, ct_key);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, register_at(0));
    mask(as_bytes(bits));
    compare(NFT_CMP_NEQ, as_bytes(std::uint32_t{0}));
  }

  void local_destination() {
    nftnl_expr* expr = add("fib");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_DREG, register_at(0));
    compare(NFT_CMP_EQ, as_bytes(std::uint32_t{RTN_LOCAL}));
  }

  // Of a packet that came in as a frame with Ethernet's addresses.
  void ether_destination() {
    meta(NFT_META_IIFTYPE, register_at(0));
    compare(NFT_CMP_EQ, as_bytes(std::uint16_t{ARPHRD_ETHER}));
    payload(NFT_PAYLOAD_LL_HEADER, 0, ETH_ALEN, register_at(0));
  }
  void socket_is_transparent(bool wanted) {
    nftnl_expr* expr = add("socket");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_SOCKET_DREG, register_at(0));
    compare(NFT_CMP_EQ, as_bytes(static_cast<std::uint8_t>(wanted)));
  }

  void in_set(const std::string& set, bool inverted) {
    nftnl_expr* expr = lookup(set);
    if (inverted) nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  }

  void map_to(const std::string& map, std::uint32_t destination_register) {
    nftnl_expr_set_u32(lookup(map), NFTNL_EXPR_LOOKUP_DREG, destination_register);
  }

  // To the address and port that map_to put into the first registers.
  void dnat(Ip::Family version) {
    const std::uint32_t address_registers = version == Ip::Family::kV4 ? 1 : 4;
    nftnl_expr* expr = nat(NFT_NAT_DNAT, version);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN, register_at(address_registers));
  }

  // Under the address that map_to put there.
  void snat(Ip::Family version) { nat(NFT_NAT_SNAT, version); }

  void verdict(std::uint32_t code, const char* chain = nullptr) {
    nftnl_expr* expr = add("immediate");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, code);
    if (chain != nullptr) nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain);
  }

  nftnl_expr* add(const char* kind) {
    nftnl_expr* expr = nftnl_expr_alloc(kind);
    nftnl_rule_add_expr(&rule_, expr);  // owned by the rule from here on
    return expr;
  }

  template <typename T>
  static std::vector<std::uint8_t> as_bytes(T value) {  // in host order, as meta, ct and fib are
    std::vector<std::uint8_t> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  }

 private:
  void meta(std::uint32_t meta_key, std::uint32_t reg) {
    nftnl_expr* expr = add("meta");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, meta_key);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, reg);
  }

  nftnl_expr* nat(std::uint32_t type, Ip::Family version) {
    nftnl_expr* expr = add("nat");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, type);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY, nfproto(version));
    nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN, register_at(0));
    return expr;
  }

  void payload(std::uint32_t base, std::uint32_t offset, std::uint32_t bytes, std::uint32_t reg) {
    nftnl_expr* expr = add("payload");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, bytes);
    nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg);
  }

  nftnl_expr* lookup(const std::string& set) {
    nftnl_expr* expr = add("lookup");
    nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, register_at(0));
    nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, set.c_str());
    return expr;
  }

  nftnl_rule& rule_;
  std::optional<Ip::Family> known_version_;
};

namespace {

Part set_test(Keys keys, std::string set, bool inverted) {
  std::string words = text_of(keys) + (inverted ? " != @" : " @") + set;
  return {std::move(words),
          [keys = std::move(keys), set = std::move(set), inverted](RuleWriter& rule) {
            rule.load(keys);
            rule.in_set(set, inverted);
          }};
}

// As nft does it: a prefix of whole bytes compares just those, another one is masked.
Part prefix_test(Key key, const Cidr& prefix, bool inverted) {
  std::string words(traits(key).text);
  words += (inverted ? " != " : " ") + prefix.str();
  return {std::move(words), [key, prefix, inverted](RuleWriter& rule) {
            const auto operation = inverted ? NFT_CMP_NEQ : NFT_CMP_EQ;
            const Ip first = prefix.first();
            const bool whole_bytes = prefix.prefix() > 0 && prefix.prefix() % 8 == 0;
            const std::size_t bytes =
                whole_bytes ? static_cast<std::size_t>(prefix.prefix()) / 8 : first.bytes().size();
            rule.need(first.family());
            rule.load(key, register_at(0), static_cast<std::uint32_t>(bytes));
            if (!whole_bytes) {
              const Ip all_ones = Ip::from_number(first.family(), ~Uint128{0});
              rule.mask(Cidr(all_ones, prefix.prefix()).first().bytes());
            }
            rule.compare(operation, first.bytes().first(bytes));
          }};
}

}  // namespace

Part in_set(Keys keys, std::string set) {
  return set_test(std::move(keys), std::move(set), false);
}
Part not_in_set(Keys keys, std::string set) {
  return set_test(std::move(keys), std::move(set), true);
}
Part in_prefix(Key key, const Cidr& prefix) {
  return prefix_test(key, prefix, false);
}
Part not_in_prefix(Key key, const Cidr& prefix) {
  return prefix_test(key, prefix, true);
}

Part interface_is(Key key, const IfName& name) {
  return {std::string(traits(key).text) + " \"" + name.str() + '"', [key, name](RuleWriter& rule) {
            rule.load({key});
            rule.compare(NFT_CMP_EQ, encode(std::vector<Field>{name}, Edge::kFirst));
          }};
}

Part interface_is_not(Key key, const IfName& name) {
  return {std::string(traits(key).text) + " != \"" + name.str() + '"',
          [key, name](RuleWriter& rule) {
            rule.load({key});
            rule.compare(NFT_CMP_NEQ, encode(std::vector<Field>{name}, Edge::kFirst));
          }};
}

Part is_version(Ip::Family version) {
  return {version == Ip::Family::kV4 ? "meta nfproto ipv4" : "meta nfproto ipv6",
          [version](RuleWriter& rule) { rule.need(version); }};
}

Part is_icmp(Ip::Family version) {
  const bool v4 = version == Ip::Family::kV4;
  return {v4 ? "meta l4proto icmp" : "meta l4proto icmpv6", [v4](RuleWriter& rule) {
            const std::uint8_t number = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
            rule.load({Key::kL4proto});
            rule.compare(NFT_CMP_EQ, RuleWriter::as_bytes(number));
          }};
}

Part is_tcp() {
  return {"meta l4proto tcp", [](RuleWriter& rule) {
            rule.load({Key::kL4proto});
            rule.compare(NFT_CMP_EQ, RuleWriter::as_bytes(std::uint8_t{IPPROTO_TCP}));
          }};
}

Part destination_is_local() {
  return {"fib daddr type local", [](RuleWriter& rule) { rule.local_destination(); }};
}

Part to_bridge_group() {
  return {"ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00", [](RuleWriter& rule) {
            constexpr std::array<std::uint8_t, ETH_ALEN> kAllButTheLast{0xff, 0xff, 0xff,
                                                                        0xff, 0xff, 0xf0};
            constexpr std::array<std::uint8_t, ETH_ALEN> kGroup{0x01, 0x80, 0xc2, 0, 0, 0};
            rule.ether_destination();
            rule.mask(kAllButTheLast);
            rule.compare(NFT_CMP_EQ, kGroup);
          }};
}

// The bits of `ct state` are NF_CT_STATE_BIT of linux/netfilter/nf_conntrack_common.h.
Part connection_established() {
  return {"ct state established,related", [](RuleWriter& rule) {
            rule.connection_has(
                NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
          }};
}

Part connection_invalid() {
  return {"ct state invalid",
          [](RuleWriter& rule) { rule.connection_has(NFT_CT_STATE, NF_CT_STATE_INVALID_BIT); }};
}

Part connection_dnat() {
  return {"ct status dnat",
          [](RuleWriter& rule) { rule.connection_has(NFT_CT_STATUS, IPS_DST_NAT); }};
}

Part has_socket(bool transparent) {
  return {fmt::format("socket transparent {:d}", transparent),
          [transparent](RuleWriter& rule) { rule.socket_is_transparent(transparent); }};
}

Part verdict_from(Keys keys, std::string map) {
  std::string words = text_of(keys) + " vmap @" + map;
  return {std::move(words), [keys = std::move(keys), map = std::move(map)](RuleWriter& rule) {
            rule.load(keys);
            rule.map_to(map, NFT_REG_VERDICT);
          }};
}

Part dnat_from(Ip::Family version, Keys keys, std::string map) {
  auto words = fmt::format("dnat {} to {} map @{}", name(version), text_of(keys), map);
  return {std::move(words),
          [version, keys = std::move(keys), map = std::move(map)](RuleWriter& rule) {
            rule.load(keys);
            rule.map_to(map, register_at(0));
            rule.dnat(version);
          }};
}

Part snat_from(Ip::Family version, Keys keys, std::string map) {
  auto words = fmt::format("snat {} to {} map @{}", name(version), text_of(keys), map);
  return {std::move(words),
          [version, keys = std::move(keys), map = std::move(map)](RuleWriter& rule) {
            rule.load(keys);
            rule.map_to(map, register_at(0));
            rule.snat(version);
          }};
}

Part masquerade() {
  return {"masquerade", [](RuleWriter& rule) { rule.add("masq"); }};
}
Part accept() {
  return {"accept", [](RuleWriter& rule) { rule.verdict(NF_ACCEPT); }};
}
Part drop() {
  return {"drop", [](RuleWriter& rule) { rule.verdict(NF_DROP); }};
}
Part jump(std::string chain) {
  std::string words = "jump " + chain;
  return {std::move(words), [chain = std::move(chain)](RuleWriter& rule) {
            rule.verdict(static_cast<std::uint32_t>(NFT_JUMP), chain.c_str());
          }};
}

Part leave_chain() {
  return {"return", [](RuleWriter& rule) { rule.verdict(static_cast<std::uint32_t>(NFT_RETURN)); }};
}

Rule::Rule(std::string comment, std::vector<Part> parts)
    : comment_(std::move(comment)), parts_(std::move(parts)) {
  for (const Part& part : parts_) text_ += part.text + ' ';
  text_ += "comment \"" + comment_ + '"';
}

// FNV-1a, 64 bits: it tells versions of a rule apart and protects against nothing.
std::uint64_t Rule::fingerprint() const {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text_) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

void Rule::write_to(nftnl_rule& rule) const {
  RuleWriter writer(rule);
  for (const Part& part : parts_) part.write(writer);
  UserData data;
  const std::uint64_t print = fingerprint();
  data.put_string(NFTNL_UDATA_RULE_COMMENT, comment_);
  data.put(kFingerprintAttribute, RuleWriter::as_bytes(print));
  nftnl_rule_set_data(&rule, NFTNL_RULE_USERDATA, data.bytes().data(),
                      static_cast<std::uint32_t>(data.bytes().size()));
}

std::uint64_t fingerprint_in(std::span<const std::uint8_t> user_data) {
  std::uint64_t print = 0;
  const auto value = find_user_data(user_data, kFingerprintAttribute);
  if (value && value->size() == sizeof print) std::memcpy(&print, value->data(), sizeof print);
  return print;
}

}  // namespace berth::nft
