// Address pools: where a network's subnet comes from when the user names none.
//
// The pools' form and rules are in berth/network.h. A block is free if it overlaps nothing that is
// in use: other networks' subnets, and the host's own routes, which containers would otherwise cut
// off. A route that is wider than a pool says little about the pool's blocks: a full-tunnel VPN has
// 0.0.0.0/1 and 128.0.0.0/1, a site's routers 10.0.0.0/8. Such routes are avoided where that is
// possible, and passed over, the widest first, where it is not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/network.h"
#include "berth/result.h"

namespace berth::ipam {

using Pool = AddressPool;

/// Docker's own IPv4 pools, in its order (moby, daemon/libnetwork/ipamutils/utils.go).
[[nodiscard]] std::span<const Pool> default_pools();

/// The /48 that unasked IPv6 subnets come from, in blocks of /64: fd00::/8 and 40 bits of `seed`
/// (RFC 4193, 3.1). The same seed gives the same prefix, so that addresses stay over restarts.
[[nodiscard]] Pool unique_local_pool(std::uint64_t seed);

/// As parse_address_pool() reads it.
[[nodiscard]] std::string str(const Pool& pool);

/// The first block, in pool order, that overlaps none of `taken` and `routed`; if there is none,
/// the first one that is clear of `taken` and of the routes that contain no whole pool, with as few
/// of the wider ones passed over as possible. The pools keep to the rules of check(). A prefix of
/// length 0 claims nothing. Takes O(p * u + u log u) for p pools and u prefixes, however many blocks
/// the pools have, for each length of a wide route: it goes from one prefix to the next, not from
/// block to block.
[[nodiscard]] Result<Cidr> choose_subnet(std::span<const Pool> pools, std::span<const Cidr> taken,
                                         std::span<const Cidr> routed = {});

}  // namespace berth::ipam
