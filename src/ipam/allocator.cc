#include "ipam/allocator.h"

#include <algorithm>
#include <vector>

#include "base/result.h"

namespace berth::ipam {
namespace {

IpRange block_of(const Subnet& subnet) {
  return subnet.range.value_or(subnet.cidr);
}

// The addresses that first_free() never gives out, as numbers, each once, ascending.
std::vector<Uint128> reserved_in(const Subnet& subnet) {
  std::vector<Uint128> reserved;
  if (!is_point_to_point(subnet.cidr)) {
    reserved.push_back(subnet.cidr.first().number());
    if (subnet.cidr.ip().is_v4()) reserved.push_back(subnet.cidr.last().number());
  }
  if (subnet.gateway) reserved.push_back(subnet.gateway->number());
  for (const auto& [name, ip] : subnet.aux) reserved.push_back(ip.number());
  std::ranges::sort(reserved);
  return reserved;
}

std::unexpected<Error> exhausted(const Subnet& subnet) {
  const auto where =
      subnet.range ? fmt::format("range {} of subnet {}", subnet.range->str(), subnet.cidr.str())
                   : fmt::format("subnet {}", subnet.cidr.str());
  return fail(ErrorKind::kExhausted,
              "{} has no free address: all {} that containers can have are taken: remove a "
              "container, or make the network with a larger {}",
              where, usable_addresses(subnet), subnet.range ? "range" : "subnet");
}

}  // namespace

Result<Ip> first_free(const Subnet& subnet, std::optional<Ip> hint, const TakenFrom& taken_from) {
  const auto family = subnet.cidr.ip().family();
  const auto block = block_of(subnet);
  const auto last = block.last().number();
  auto candidate = block.first().number();
  if (hint) candidate = std::max(candidate, hint->number());

  const auto reserved = reserved_in(subnet);
  auto next_reserved = std::ranges::lower_bound(reserved, candidate);
  const auto skip_reserved = [&] {
    for (; next_reserved != reserved.end() && *next_reserved == candidate; ++next_reserved)
      ++candidate;
  };
  skip_reserved();
  if (candidate <= last) {
    TRY(taken_from(Ip::from_number(family, candidate), [&](const Ip& taken) {
      if (taken.number() > candidate) return false;  // the gap
      if (taken.number() == candidate) {             // else a reserved one that was skipped
        ++candidate;
        skip_reserved();
      }
      return candidate <= last;
    }));
  }
  if (candidate > last) return exhausted(subnet);
  return Ip::from_number(family, candidate);
}

Status check_static(const Subnet& subnet, const Ip& ip) {
  TRY(check_host_address(subnet.cidr, ip, fmt::format("address {}", ip.str())));
  if (subnet.gateway == ip)
    return fail(ErrorKind::kInUse,
                "address {} is the gateway of subnet {}: give the container another one", ip.str(),
                subnet.cidr.str());
  for (const auto& [name, address] : subnet.aux)
    if (ip == address)
      return fail(
          ErrorKind::kInUse,
          "address {} is kept for the auxiliary address {} of subnet {}: give the container "
          "another one",
          ip.str(), name, subnet.cidr.str());
  return {};
}

Uint128 usable_addresses(const Subnet& subnet) {
  const auto block = block_of(subnet);
  const auto reserved = reserved_in(subnet);
  const auto below = std::ranges::lower_bound(reserved, block.first().number());
  const auto above = std::ranges::upper_bound(reserved, block.last().number());
  return block.last().number() - block.first().number() + 1 - static_cast<Uint128>(above - below);
}

}  // namespace berth::ipam
