#include "ipam/pools.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/result.h"
#include "ipam/subnet.h"

namespace berth::ipam {
namespace {

struct Used {
  Cidr prefix;
  bool is_route = false;
};

bool is_wider(const Cidr& prefix, const Pool& pool) {
  return prefix.prefix() < pool.base.prefix() && prefix.contains(pool.base);
}

// The first block of `pool` that overlaps none of `used`, which is ordered by first address. Routes
// wider than the pool do not count if they have at most `passed_over` bits.
std::optional<Cidr> first_free_block(const Pool& pool, std::span<const Used> used,
                                     int passed_over) {
  const auto family = pool.base.ip().family();
  const Uint128 block_size = Uint128{1} << (pool.base.ip().bits() - pool.size);
  const Uint128 pool_last = pool.base.last().number();
  Uint128 block = pool.base.first().number();  // the first address of the block in question
  for (const auto& [other, is_route] : used) {
    if (!other.overlaps(pool.base)) continue;
    if (is_route && other.prefix() <= passed_over && is_wider(other, pool)) continue;
    const Uint128 last = other.last().number();
    if (last < block) continue;                                    // skipped already
    if (other.first().number() > block + (block_size - 1)) break;  // so do all that follow
    if (last >= pool_last || pool_last - last < block_size) return std::nullopt;  // the last block
    block = (last / block_size + 1) * block_size;
  }
  return Cidr(Ip::from_number(family, block), pool.size);
}

}  // namespace

std::span<const Pool> default_pools() {
  static const Pool kPools[] = {
      {{Ip::v4(172, 17, 0, 0), 16}, 16},   //
      {{Ip::v4(172, 18, 0, 0), 16}, 16},   //
      {{Ip::v4(172, 19, 0, 0), 16}, 16},   //
      {{Ip::v4(172, 20, 0, 0), 14}, 16},   //
      {{Ip::v4(172, 24, 0, 0), 14}, 16},   //
      {{Ip::v4(172, 28, 0, 0), 14}, 16},   //
      {{Ip::v4(192, 168, 0, 0), 16}, 20},  //
  };
  return kPools;
}

Pool unique_local_pool(std::uint64_t seed) {
  constexpr int kGlobalIdBits = 40, kPrefix = 48, kSubnetPrefix = 64;
  const auto global_id = static_cast<Uint128>(seed & ((std::uint64_t{1} << kGlobalIdBits) - 1));
  const auto number = (Uint128{0xfd} << 120) | (global_id << (128 - kPrefix));
  return {{Ip::from_number(Ip::Family::kV6, number), kPrefix}, kSubnetPrefix};
}

std::string str(const Pool& pool) {
  return fmt::format("base={},size={}", pool.base.str(), pool.size);
}

Result<Cidr> choose_subnet(std::span<const Pool> pools, std::span<const Cidr> taken,
                           std::span<const Cidr> routed) {
  std::vector<Used> used;
  std::set<int> wide = {0};  // lengths of the routes that may be passed over
  for (const auto& prefix : taken)
    if (prefix.prefix() > 0) used.push_back({prefix.network()});
  for (const auto& prefix : routed) {
    if (prefix.prefix() == 0) continue;
    used.push_back({prefix.network(), /*is_route=*/true});
    if (std::ranges::any_of(pools, [&](const Pool& pool) { return is_wider(prefix, pool); }))
      wide.insert(prefix.prefix());
  }
  std::ranges::sort(used, {}, &Used::prefix);  // by first address: they are all networks here
  for (const int length : wide)
    for (const auto& pool : pools)
      if (const auto block = first_free_block(pool, used, length)) return *block;

  std::string names;
  for (const auto& pool : pools) names += (names.empty() ? "" : ", ") + pool.base.str();
  return fail(ErrorKind::kExhausted,
              "no free subnet: every block of the address pools ({}) overlaps a network or a route "
              "of this host: name a --subnet, or add a pool, as in --default-address-pool "
              "base=10.64.0.0/10,size=24",
              names.empty() ? "there are none" : names);
}

}  // namespace berth::ipam

namespace berth {
namespace {

Result<int> parse_size(std::string_view text, std::string_view value) {
  int size = 0;
  const auto [end, error] = std::from_chars(value.begin(), value.end(), size);
  if (error != std::errc{} || end != value.end())
    return fail(ErrorKind::kInvalid, "address pool '{}': size '{}' is not a prefix length like 24",
                text, value);
  return size;
}

}  // namespace

Status check(const AddressPool& pool) {
  const auto& [base, size] = pool;
  if (auto good = ipam::check_subnet(base); !good)
    return std::unexpected(
        in_context(std::move(good).error(), "address pool '{}'", ipam::str(pool)));
  if (const int longest = base.ip().bits() - 2; size < base.prefix() || size > longest)
    return fail(ErrorKind::kInvalid,
                "address pool '{}': size {} is not possible: {} to {} cut {} into subnets",
                ipam::str(pool), size, base.prefix(), longest, base.str());
  return {};
}

Result<AddressPool> parse_address_pool(std::string_view text) {
  std::optional<Cidr> base;
  std::optional<int> size;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto field = text.substr(begin, text.find(',', begin) - begin);
    begin += field.size() + 1;
    if (field.starts_with("base=") && !base) {
      auto parsed = Cidr::parse(field.substr(5));
      if (!parsed)
        return std::unexpected(in_context(std::move(parsed).error(), "address pool '{}'", text));
      base = *parsed;
    } else if (field.starts_with("size=") && !size) {
      size = TRY(parse_size(text, field.substr(5)));
    } else {
      return fail(ErrorKind::kInvalid,
                  "address pool '{}': '{}' is not expected: give one base= and one size=, as in "
                  "base=172.30.0.0/16,size=24",
                  text, field);
    }
  }
  if (!base || !size)
    return fail(ErrorKind::kInvalid,
                "address pool '{}' has no {}: give one like base=172.30.0.0/16,size=24", text,
                base ? "size" : "base");
  const AddressPool pool{*base, *size};
  TRY(check(pool));
  return pool;
}

}  // namespace berth
