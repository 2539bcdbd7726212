// A router that is none: advertisements from a raw socket, and what a host makes of them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "berth/address.h"
#include "kernel/netns/netns.h"

namespace berth::testing {

/// Where a frame with an advertisement may be sent to: the group of all nodes (RFC 2464), and groups
/// that a bridge keeps to itself (IEEE 802.1Q, table 8-1), which the kernel hands to the port.
inline const std::array kWaysIn{Mac({0x33, 0x33, 0, 0, 0, 1}), Mac({0x01, 0x80, 0xc2, 0, 0, 0}),
                                Mac({0x01, 0x80, 0xc2, 0, 0, 2}), Mac({0x01, 0x80, 0xc2, 0, 0, 3}),
                                Mac({0x01, 0x80, 0xc2, 0, 0, 0xe})};

struct Advertised {
  std::uint16_t router_lifetime = 1800;  // seconds; 0: no default router
  std::uint32_t valid = 3600;            // seconds, of the prefix 2001:db8:bad::/64
};

/// Sends a router advertisement of fe80::bad from `link` of `netns` in a frame to the address `to`.
void advertise_router(const kernel::Netns& netns, std::string_view link, const Mac& to,
                      const Advertised& what = {});

/// The host's addresses and routes that come from such an advertisement, as `ip` shows them; empty
/// if there are none.
[[nodiscard]] std::string learned_by_advertisement();

}  // namespace berth::testing
