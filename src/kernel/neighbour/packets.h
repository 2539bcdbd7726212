// What hosts of one segment tell and ask each other about addresses: ARP for IPv4 (RFC 826, RFC
// 5227) and Neighbour Discovery for IPv6 (RFC 4861). Pure: bytes without their Ethernet header.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "berth/address.h"

namespace berth::kernel {

using Packet = std::vector<std::uint8_t>;

/// The Ethernet protocol of such packets: ETH_P_ARP or ETH_P_IPV6.
[[nodiscard]] std::uint16_t neighbour_protocol(Ip::Family family);

/// "Has anybody `address`?", from somebody without an address: an ARP probe (RFC 5227, 2.1.1), a
/// neighbour solicitation from :: (RFC 4862, 5.4.2).
[[nodiscard]] Packet question(const Ip& address, const Mac& own);
[[nodiscard]] Mac question_goes_to(const Ip& address);

/// "I have `address`", unasked: an ARP announcement (RFC 5227, 2.3), an unsolicited neighbour
/// advertisement that overrides what was known (RFC 4861, 7.2.6).
[[nodiscard]] Packet announcement(const Ip& address, const Mac& own);
[[nodiscard]] Mac announcement_goes_to(Ip::Family family);

/// Does the packet say that its sender has the address, or that it is about to take it, too?
[[nodiscard]] bool claims(std::span<const std::uint8_t> packet, const Ip& address);

}  // namespace berth::kernel
