// What networks and published ports mean in the firewall: elements of the table's sets (table.h).
// Pure functions; the caller adds the elements when the network or port comes, and deletes the same
// elements when it goes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/result.h"
#include "kernel/nft/element.h"

namespace berth::firewall {

struct NetworkIntent {
  IfName bridge;
  std::vector<Cidr> subnets;
  bool internal = false;   ///< no way in or out; the rest of the host is not reached through it
  bool icc = true;         ///< containers of the network may talk to each other
  bool masquerade = true;  ///< what leaves the host does so under its address
  std::string owner{};     ///< shown as the elements' comment
};

/// IPv6 subnets make no elements: nothing is translated there, and what the table says of bridges
/// holds for both families.
[[nodiscard]] std::vector<nft::Element> network_elements(const NetworkIntent& network);

struct PublishIntent {
  Protocol protocol = Protocol::kTcp;
  std::optional<Ip> host_ip{};  ///< none or 0.0.0.0: every address of the host
  Port host_port = 0;
  Ip to;
  Port to_port = 0;
  std::string owner{};  ///< shown as the element's comment
};

/// One port; a range is one element per port. kInvalid for port 0, kUnsupported for IPv6 addresses.
[[nodiscard]] Result<nft::Element> publish_element(const PublishIntent& publish);

/// What instances tell each other (table.h): `what` is one of the names kShared...
[[nodiscard]] nft::Element shared_element(std::string_view what, std::string_view comment = {});

/// `owner` as a comment: what cannot stand in one ('"', bytes that are not printable ASCII) becomes
/// '?', and it ends after 100 bytes.
[[nodiscard]] std::string comment_of(std::string_view owner);

}  // namespace berth::firewall
