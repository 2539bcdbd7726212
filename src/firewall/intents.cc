#include "firewall/intents.h"

#include "base/result.h"
#include "firewall/table.h"

namespace berth::firewall {
namespace {

constexpr std::size_t kMaxOwnerBytes = 100;  // leaves room in nft's 127 for what nft may add

bool is_ipv6(const std::optional<Ip>& ip) {
  return ip && !ip->is_v4();
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
                       std::optional<nft::Verdict> verdict = std::nullopt) {
    elements.push_back(
        {.set = std::string(set), .key = std::move(key), .verdict = verdict, .comment = comment});
  };
  add(kBridges, {network.bridge});
  if (network.internal) add(kInternal, {network.bridge});
  if (network.icc) add(kPair, {network.bridge, network.bridge}, nft::Verdict::kAccept);
  for (const Cidr& subnet : network.subnets) {
    if (!subnet.ip().is_v4()) continue;
    add(kHairpin4, {subnet.network(), network.bridge});
    if (network.masquerade && !network.internal) add(kMasq4, {subnet.network()});
  }
  return elements;
}

Result<nft::Element> publish_element(const PublishIntent& publish) {
  const auto& [protocol, host_ip, host_port, to, to_port, owner] = publish;
  const auto words = [&] {
    return fmt::format("publish {}:{}/{} to {}:{}", host_ip ? host_ip->str() : "*", host_port,
                       name(protocol), to.str(), to_port);
  };
  if (host_port == 0 || to_port == 0) {
    return fail(ErrorKind::kInvalid, "{}: a port must be from 1 to 65535", words());
  }
  if (is_ipv6(host_ip) || is_ipv6(to)) {
    return fail(ErrorKind::kUnsupported,
                "{}: ports are published from IPv4 addresses to IPv4 addresses only", words());
  }
  nft::Element element{.set = {}, .key = {}, .data = {to, to_port}, .comment = comment_of(owner)};
  if (host_ip && !host_ip->is_unspecified()) {
    element.set = kPublish4Addr;
    element.key = {*host_ip, protocol, host_port};
  } else {
    element.set = kPublish4;
    element.key = {protocol, host_port};
  }
  return element;
}

nft::Element shared_element(std::string_view what, std::string_view comment) {
  return {.set = std::string(kShared),
          .key = {IfName::parse(what).value()},  // of nft's types the one that holds a word
          .comment = comment_of(comment)};
}

}  // namespace berth::firewall
