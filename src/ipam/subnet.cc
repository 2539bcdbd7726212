#include "ipam/subnet.h"

#include "base/result.h"

namespace berth::ipam {
namespace {

struct SpecialBlock {
  Cidr block;
  std::string_view what;
};

// Blocks that the kernel does not route to a bridge, or that mean something else to every host.
const SpecialBlock* special_block(const Cidr& cidr) {
  static const SpecialBlock kBlocks[] = {
      {{Ip::v4(0, 0, 0, 0), 8}, "unspecified addresses"},                       // RFC 1122, 3.2.1.3
      {{Ip::v4(127, 0, 0, 0), 8}, "loopback addresses"},                        // RFC 1122, 3.2.1.3
      {{Ip::v4(192, 0, 0, 0), 29}, "addresses of translators"},                 // RFC 7335
      {{Ip::v4(224, 0, 0, 0), 4}, "multicast addresses"},                       // RFC 5771
      {{Ip::from_number(Ip::Family::kV6, 0), 128}, "the unspecified address"},  // RFC 4291, 2.5.2
      {{Ip::from_number(Ip::Family::kV6, 1), 128}, "the loopback address"},     // RFC 4291, 2.5.3
      {{Ip::from_number(Ip::Family::kV6, Uint128{0xffff} << 32), 96},
       "IPv4 addresses in IPv6's form"},  // RFC 4291, 2.5.5.2
      {{Ip::from_number(Ip::Family::kV6, Uint128{0x0064ff9b0001} << 80), 48},
       "addresses of translators"},  // RFC 8215
      {{Ip::from_number(Ip::Family::kV6, Uint128{0xff} << 120), 8}, "multicast addresses"},  // 2.7
  };
  for (const auto& special : kBlocks)
    if (special.block.overlaps(cidr)) return &special;
  return nullptr;
}

Status check_room(const Cidr& cidr, bool wants_gateway) {
  const int longest = cidr.ip().bits() - (wants_gateway ? 2 : 1);
  if (cidr.prefix() > longest)
    return fail(
        ErrorKind::kInvalid,
        "subnet {} is too small: a network needs {}, so the prefix can be /{} at most", cidr.str(),
        wants_gateway ? "addresses for a gateway and a container" : "two addresses", longest);
  return {};
}

Status check_range(const Cidr& subnet, const IpRange& range) {
  if (!subnet.contains(range.first()) || !subnet.contains(range.last()))
    return fail(ErrorKind::kInvalid, "range {} is not inside subnet {}: it has to be a part of it",
                range.str(), subnet.str());
  return {};
}

// The auxiliary addresses turned round: address to name. Fails if two names share one.
Result<std::map<Ip, std::string>> names_by_address(const SubnetRequest& request) {
  std::map<Ip, std::string> names;
  for (const auto& [name, ip] : request.aux) {
    TRY(check_host_address(request.subnet, ip,
                           fmt::format("auxiliary address {}={}", name, ip.str())));
    if (const auto [other, fresh] = names.emplace(ip, name); !fresh)
      return fail(ErrorKind::kInvalid,
                  "auxiliary addresses {} and {} are both {}: each needs one of its own",
                  other->second, name, ip.str());
  }
  return names;
}

Result<Ip> default_gateway(const Cidr& subnet, const std::map<Ip, std::string>& aux) {
  auto number = subnet.first().number() + 1;
  for (auto taken = aux.begin(); taken != aux.end() && taken->first.number() == number; ++taken)
    ++number;
  const auto gateway = Ip::from_number(subnet.ip().family(), number);
  if (gateway > last_host_address(subnet))
    return fail(ErrorKind::kExhausted,
                "subnet {} has no address left for a gateway: its auxiliary addresses take all {}",
                subnet.str(), aux.size());
  return gateway;
}

}  // namespace

Status check_subnet(const Cidr& cidr, bool wants_gateway) {
  if (!cidr.is_network())
    return fail(ErrorKind::kInvalid, "invalid subnet {}: it should be {}", cidr.str(),
                cidr.network().str());
  if (const auto* special = special_block(cidr))
    return fail(
        ErrorKind::kInvalid,
        "invalid subnet {}: it has {} in it ({}), and containers need ordinary unicast ones",
        cidr.str(), special->what, special->block.str());
  // Every interface is in this one, so a network may be as well, but not in a part of it or in more.
  static const Cidr kLinkLocal(Ip::from_number(Ip::Family::kV6, Uint128{0xfe80} << 112), 64);
  if (cidr != kLinkLocal && cidr.overlaps(kLinkLocal))
    return fail(ErrorKind::kInvalid,
                "invalid subnet {}: it overlaps {}, the link-local subnet of every interface: give "
                "that or another one",
                cidr.str(), kLinkLocal.str());
  return check_room(cidr, wants_gateway);
}

Status check_size(Ip::Family family, int prefix) {
  return check_room(Cidr(Ip::from_number(family, 0), prefix), /*wants_gateway=*/true);
}

bool is_point_to_point(const Cidr& cidr) {
  return cidr.prefix() == cidr.ip().bits() - 1;
}

bool is_link_local(const Ip& ip) {
  static const Cidr kBlocks[] = {{Ip::v4(169, 254, 0, 0), 16},
                                 {Ip::from_number(Ip::Family::kV6, Uint128{0xfe80} << 112), 10}};
  return kBlocks[0].contains(ip) || kBlocks[1].contains(ip);
}

Ip last_host_address(const Cidr& cidr) {
  if (is_point_to_point(cidr)) return cidr.last();
  return cidr.ip().is_v4() ? Ip::from_number(Ip::Family::kV4, cidr.last().number() - 1)
                           : cidr.last();
}

Status check_host_address(const Cidr& cidr, const Ip& ip, std::string_view what) {
  if (!cidr.contains(ip))
    return fail(ErrorKind::kInvalid, "{} is outside subnet {}: it has to be one of its addresses",
                what, cidr.str());
  if (ip == cidr.first() && !is_point_to_point(cidr))
    return fail(ErrorKind::kInvalid,
                "{} is the network address of subnet {}: give one after it, up to {}", what,
                cidr.str(), last_host_address(cidr).str());
  if (ip > last_host_address(cidr))
    return fail(ErrorKind::kInvalid,
                "{} is the broadcast address of subnet {}: give one before it, down to {}", what,
                cidr.str(), Ip::from_number(ip.family(), cidr.first().number() + 1).str());
  return {};
}

Result<Subnet> complete_subnet(const SubnetRequest& request) {
  TRY(check_subnet(request.subnet, request.wants_gateway));
  if (request.range) TRY(check_range(request.subnet, *request.range));
  const auto aux = TRY(names_by_address(request));
  auto gateway = request.gateway;
  if (gateway) {
    TRY(check_host_address(request.subnet, *gateway, fmt::format("gateway {}", gateway->str())));
    if (const auto taken = aux.find(*gateway); taken != aux.end())
      return fail(ErrorKind::kInvalid,
                  "auxiliary address {}={} is the gateway's: give one of them another address",
                  taken->second, gateway->str());
  } else if (request.wants_gateway) {
    gateway = TRY(default_gateway(request.subnet, aux));
  }
  return Subnet{request.subnet, request.range, gateway, request.aux};
}

}  // namespace berth::ipam
