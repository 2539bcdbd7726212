// What networks and published ports mean in the firewall: elements of the table's sets (table.h).
// Pure functions; the caller adds the elements when the network or port comes, and deletes the same
// elements when it goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/network.h"
#include "berth/result.h"
#include "kernel/nft/element.h"

namespace berth::firewall {

struct NetworkIntent {
  IfName bridge;
  std::vector<Cidr> subnets;
  bool internal = false;    ///< no way in or out; the rest of the host is not reached through it
  bool icc = true;          ///< containers of the network may talk to each other
  bool masquerade = true;   ///< IPv4 leaves the host under its address; never from a routed network
  bool masquerade6 = true;  ///< the same of IPv6
  GatewayMode mode4 = GatewayMode::kNat;  ///< isolated is an internal network's: nothing of its own
  GatewayMode mode6 = GatewayMode::kNat;
  std::optional<Ip> source4{};  ///< that address, if not the interface's; one of the host's own
  std::optional<Ip> source6{};
  std::string owner{};  ///< shown as the elements' comment
};

/// Everything but the ports.
[[nodiscard]] std::vector<nft::Element> network_elements(const NetworkIntent& network);

struct PublishIntent {
  Protocol protocol = Protocol::kTcp;
  /// None, 0.0.0.0 or ::: every address of the host that is of the family of `to`, but for [::1]:
  /// that needs an element of its own, for what the kernel cannot always do (table.h).
  std::optional<Ip> host_ip{};
  Port host_port = 0;
  Ip to;
  Port to_port = 0;
  std::string owner{};  ///< shown as the element's comment
};

/// One port; a range is one element per port. kInvalid for port 0, kUnsupported between addresses
/// of different families.
[[nodiscard]] Result<nft::Element> publish_element(const PublishIntent& publish);

/// A container's port that is reached by the container's own address.
struct OpenIntent {
  Protocol protocol = Protocol::kTcp;
  Ip to;
  Port to_port = 0;
  std::string owner{};  ///< shown as the element's comment
};

/// From everywhere: a published port of a routed network. kInvalid for port 0.
[[nodiscard]] Result<nft::Element> open_element(const OpenIntent& open);

/// From one interface of the host: a published port of a network that trusts the interface
/// (com.docker.network.bridge.trusted_host_interfaces). kInvalid for port 0.
[[nodiscard]] Result<nft::Element> trusted_element(const IfName& from, const OpenIntent& open);

/// A container that publishes ports at `to` and that another of its networks links to `subnet`: what
/// comes from there to `to` would be answered by that link, past the translation.
struct LinkedIntent {
  Cidr subnet;
  Ip to;
  std::string owner{};  ///< shown as the element's comment
};

/// `subnet` and `to` are of one family.
[[nodiscard]] nft::Element linked_element(const LinkedIntent& linked);

/// `owner` as a comment: what cannot stand in one ('"', bytes that are not printable ASCII) becomes
/// '?', and it ends after 100 bytes.
[[nodiscard]] std::string comment_of(std::string_view owner);

}  // namespace berth::firewall
