// Pure.
#pragma once

#include <string>

#include "berth/address.h"

namespace berth::drivers {

/// The MAC address of what has no IPv4 address to take it from, or shares its segment with others
/// who may have that address: 02:42 and four bytes of its id (64
/// hex digits). The last bytes of IPv6 addresses repeat from subnet to subnet.
[[nodiscard]] inline Mac mac_from_id(const std::string& id) {
  const auto number = static_cast<Uint128>(std::stoul(id.substr(0, 8), nullptr, 16));
  return Mac::from_ip(Ip::from_number(Ip::Family::kV4, number));
}

}  // namespace berth::drivers
