// Rules written once, for people and for the kernel: each Part knows its words in nft's language
// and the kernel expressions that mean the same, so a Rule put together from parts has both forms
// and they cannot drift apart (tests/netns compares what `nft -f` makes of the one with the other).
//
// Only what berth's table needs is here. The expressions and their registers are those that nft
// itself makes of the words (`nft --debug=netlink`), so that `nft list` finds its way back. Words
// on `ip` and `ip6` imply a test that the packet is of that version, as in nft.
//
// A rule carries a comment that `nft list` shows and a fingerprint that it does not: 8 bytes of
// user data made of the rule's text, by which connection.h's dump tells whether a rule in the
// kernel is still this one. nft drops user data it does not know when it replaces a rule.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"

struct nftnl_rule;

namespace berth::nft {

/// What of a packet a rule can look at.
enum class Key : std::uint8_t {
  kIifname,
  kOifname,
  kL4proto,
  kIpSaddr,
  kIpDaddr,
  kIp6Saddr,
  kIp6Daddr,
  kThDport,
};
using Keys = std::vector<Key>;

class RuleWriter;

struct Part {
  std::string text;
  std::function<void(RuleWriter&)> write;
};

// Tests: a packet that fails one leaves the rule.
[[nodiscard]] Part in_set(Keys keys, std::string set);      ///< `iifname . oifname @set`
[[nodiscard]] Part not_in_set(Keys keys, std::string set);  ///< `oifname != @set`
/// `ip daddr 127.0.0.0/8`; key and prefix of one IP version.
[[nodiscard]] Part in_prefix(Key key, const Cidr& prefix);
[[nodiscard]] Part not_in_prefix(Key key, const Cidr& prefix);
[[nodiscard]] Part interface_is(Key key, const IfName& name);      ///< `oifname "lo"`
[[nodiscard]] Part interface_is_not(Key key, const IfName& name);  ///< `oifname != "lo"`
[[nodiscard]] Part is_version(Ip::Family version);                 ///< `meta nfproto ipv4`
[[nodiscard]] Part is_icmp(Ip::Family version);                    ///< `meta l4proto icmp`
[[nodiscard]] Part is_tcp();                                       ///< `meta l4proto tcp`
[[nodiscard]] Part destination_is_local();                         ///< `fib daddr type local`
/// `ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00`: the addresses that are for a bridge
/// itself and that it does not pass on (IEEE 802.1Q, table 8-1).
[[nodiscard]] Part to_bridge_group();
[[nodiscard]] Part connection_established();  ///< `ct state established,related`
[[nodiscard]] Part connection_invalid();      ///< `ct state invalid`
[[nodiscard]] Part connection_dnat();         ///< `ct status dnat`
/// `socket transparent 0`: whether this host has a socket for the packet, one that is transparent
/// (IP_TRANSPARENT) or one that is not; with neither the host does not know the connection.
[[nodiscard]] Part has_socket(bool transparent);

// Statements: what happens to a packet that got so far.
[[nodiscard]] Part verdict_from(Keys keys, std::string map);  ///< `iifname . oifname vmap @map`
/// `dnat ip to ip daddr . th dport map @map`: the map's data are an address and a port.
[[nodiscard]] Part dnat_from(Ip::Family version, Keys keys, std::string map);
/// `snat ip to ip saddr map @map`: the map's data are an address.
[[nodiscard]] Part snat_from(Ip::Family version, Keys keys, std::string map);
[[nodiscard]] Part masquerade();
[[nodiscard]] Part accept();
[[nodiscard]] Part drop();
[[nodiscard]] Part jump(std::string chain);
[[nodiscard]] Part leave_chain();  ///< `return`

class Rule {
 public:
  /// `comment`: at most kMaxCommentBytes, no '"'.
  Rule(std::string comment, std::vector<Part> parts);

  [[nodiscard]] const std::string& text() const { return text_; }  ///< with its comment
  [[nodiscard]] std::uint64_t fingerprint() const;
  /// Puts the expressions and the user data into `rule`.
  void write_to(nftnl_rule& rule) const;

 private:
  std::string comment_;
  std::vector<Part> parts_;
  std::string text_;
};

/// The fingerprint in a rule's user data, 0 where it has none.
[[nodiscard]] std::uint64_t fingerprint_in(std::span<const std::uint8_t> user_data);

}  // namespace berth::nft
