#include "firewall/intents.h"

#include "base/result.h"
#include "firewall/table.h"

namespace berth::firewall {
namespace {

const Cidr kLinkLocal(Ip::from_number(Ip::Family::kV6, Uint128{0xfe80} << 112), 10);  // RFC 4291

constexpr std::size_t kMaxOwnerBytes = 100;  // leaves room in nft's 127 for what nft may add

// As a port is written behind it.
std::string bracketed(const Ip& ip) {
  return ip.is_v4() ? ip.str() : "[" + ip.str() + "]";
}

}  // namespace

std::string comment_of(std::string_view owner) {
  std::string comment(owner.substr(0, kMaxOwnerBytes));
  for (char& c : comment) {
    const bool printable = c >= ' ' && c <= '~';
    if (!printable || c == '"') c = '?';
  }
  return comment;
}

std::vector<nft::Element> network_elements(const NetworkIntent& network) {
  const std::string comment = comment_of(network.owner);
  std::vector<nft::Element> elements;
  const auto add = [&](std::string_view set, std::vector<nft::Field> key,
                       std::optional<nft::Verdict> verdict = std::nullopt,
                       std::vector<nft::Field> data = {}) {
    elements.push_back({.set = std::string(set),
                        .key = std::move(key),
                        .data = std::move(data),
                        .verdict = verdict,
                        .comment = comment});
  };
  add(kBridges, {network.bridge});
  if (network.internal) add(kInternal, {network.bridge});
  if (network.icc) add(kPair, {network.bridge, network.bridge}, nft::Verdict::kAccept);
  for (const Ip::Family family : {Ip::Family::kV4, Ip::Family::kV6}) {
    const bool v4 = family == Ip::Family::kV4;
    const FamilySets& sets = sets_of(family);
    const GatewayMode mode = v4 ? network.mode4 : network.mode6;
    const auto& source = v4 ? network.source4 : network.source6;
    const bool masquerade = (v4 ? network.masquerade : network.masquerade6) &&
                            mode != GatewayMode::kRouted && !network.internal;
    if (mode == GatewayMode::kRouted) add(sets.routed, {network.bridge});
    if (mode == GatewayMode::kNatUnprotected) add(sets.unprotected, {network.bridge});
    for (const Cidr& subnet : network.subnets) {
      if (subnet.ip().family() != family) continue;
      add(sets.hairpin, {subnet.network(), network.bridge});
      // Nobody forwards what comes from a link-local address (ip6_forward in
      // net/ipv6/ip6_output.c): the rule would only meet the host's own.
      if (!masquerade || kLinkLocal.contains(subnet)) continue;
      add(sets.masq, {subnet.network()});
      if (source) add(sets.snat, {subnet.network()}, {}, {*source});
    }
  }
  return elements;
}

Result<nft::Element> publish_element(const PublishIntent& publish) {
  const auto& [protocol, host_ip, host_port, to, to_port, owner] = publish;
  const auto words = [&] {
    return fmt::format("publish {}:{}/{} to {}:{}", host_ip ? bracketed(*host_ip) : "*", host_port,
                       name(protocol), bracketed(to), to_port);
  };
  if (host_port == 0 || to_port == 0) {
    return fail(ErrorKind::kInvalid, "{}: a port must be from 1 to 65535", words());
  }
  if (host_ip && host_ip->family() != to.family()) {
    return fail(
        ErrorKind::kUnsupported,
        "{}: the kernel translates addresses within a family only, IPv4 to IPv4 and IPv6 to "
        "IPv6",
        words());
  }
  const FamilySets& sets = sets_of(to.family());
  nft::Element element{.set = {}, .key = {}, .data = {to, to_port}, .comment = comment_of(owner)};
  if (host_ip && !host_ip->is_unspecified()) {
    element.set = sets.publish_addr;
    element.key = {*host_ip, protocol, host_port};
  } else {
    element.set = sets.publish;
    element.key = {protocol, host_port};
  }
  return element;
}

namespace {

Result<nft::Element> opened(std::string_view set, std::vector<nft::Field> from,
                            const OpenIntent& open) {
  const auto& [protocol, to, to_port, owner] = open;
  if (to_port == 0) {
    return fail(ErrorKind::kInvalid, "open {}:{}/{}: a port must be from 1 to 65535", bracketed(to),
                to_port, name(protocol));
  }
  nft::Element element{
      .set = std::string(set), .key = std::move(from), .comment = comment_of(owner)};
  element.key.insert(element.key.end(), {to, protocol, to_port});
  return element;
}

}  // namespace

Result<nft::Element> open_element(const OpenIntent& open) {
  return opened(sets_of(open.to.family()).open, {}, open);
}

Result<nft::Element> trusted_element(const IfName& from, const OpenIntent& open) {
  return opened(sets_of(open.to.family()).trusted, {from}, open);
}

nft::Element linked_element(const LinkedIntent& linked) {
  return {.set = std::string(sets_of(linked.to.family()).linked),
          .key = {linked.subnet.network(), Cidr(linked.to, linked.to.bits())},
          .comment = comment_of(linked.owner)};
}

}  // namespace berth::firewall
