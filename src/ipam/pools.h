// Address pools: where a network's subnet comes from when the user names none.
//
// A pool is a prefix cut into blocks of one size, as Docker's --default-address-pool. A block is
// free if it overlaps nothing that is in use: other networks' subnets, and the host's own routes,
// which containers would otherwise cut off.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/address.h"
#include "berth/result.h"

namespace berth::ipam {

struct Pool {
  Cidr base;
  int size;  ///< prefix length of the blocks

  friend bool operator==(const Pool&, const Pool&) = default;
};

/// Docker's own IPv4 pools, in its order (moby, daemon/libnetwork/ipamutils/utils.go).
[[nodiscard]] std::span<const Pool> default_pools();

/// The /48 that unasked IPv6 subnets come from, in blocks of /64: fd00::/8 and 40 bits of `seed`
/// (RFC 4193, 3.1). The same seed gives the same prefix, so that addresses stay over restarts.
[[nodiscard]] Pool unique_local_pool(std::uint64_t seed);

/// Docker's form, "base=172.30.0.0/16,size=24". Both keys are required, in any order.
[[nodiscard]] Result<Pool> parse_pool(std::string_view text);
[[nodiscard]] std::string str(const Pool& pool);

/// The first block, in pool order, that overlaps none of `used`. The pools keep to the rules of
/// parse_pool(). A prefix of length 0 in `used` (a
/// default route) claims nothing. Takes O(p * u + u log u) for p pools and u used prefixes, however
/// many blocks the pools have: it goes from one used prefix to the next, not from block to block.
[[nodiscard]] Result<Cidr> choose_subnet(std::span<const Pool> pools, std::span<const Cidr> used);

}  // namespace berth::ipam
