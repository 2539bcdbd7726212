// A network's subnet: what was asked for, checked and completed to what the network has.
//
// IPAM as a whole: pools.h chooses a subnet where none was asked for, this header completes it, and
// allocator.h gives out its addresses. All of it is pure: values in, values out, no clock, no I/O;
// what is in use is passed in. So any thread may call it, and tests compare it with a naive model.
// IPv4 and IPv6 go through the same code; they differ in that only IPv4 has a broadcast address. An
// IPv6 subnet's first address is the subnet-router anycast address (RFC 4291, 2.6.1), so in both
// families the first one is no host's.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "berth/address.h"
#include "berth/network.h"
#include "berth/result.h"

namespace berth::ipam {

/// What a user asks for: docker network create's --subnet, --ip-range, --gateway, --aux-address.
struct SubnetRequest {
  Cidr subnet;
  std::optional<IpRange> range;
  std::optional<Ip> gateway;
  std::map<std::string, Ip> aux;  ///< by name: addresses that other machines have
  bool wants_gateway = true;      ///< where none is asked for: choose one
};

/// Whether containers can live in `cidr`: no host bits set, ordinary unicast addresses, and room
/// for a gateway and a container (IPv4 /30, IPv6 /126), or for two containers (RFC 3021's /31 and
/// RFC 6164's /127) where there is no gateway. Pools keep to this as well.
Status check_subnet(const Cidr& cidr, bool wants_gateway = true);

/// The same of a subnet that is yet to be chosen and has this prefix length.
Status check_size(Ip::Family family, int prefix);

/// A /31 or /127: both of its addresses are hosts'.
bool is_point_to_point(const Cidr& cidr);

/// Checks every part of `request`. The gateway, where one is wanted and none asked for, is the
/// lowest address of the subnet (not of the range) that is a host's and not an auxiliary one.
Result<Subnet> complete_subnet(const SubnetRequest& request);

/// Whether `ip` may be a host's in `cidr`: inside, not the network's own, not broadcast. The error
/// begins with `what`, e.g. "gateway".
Status check_host_address(const Cidr& cidr, const Ip& ip, std::string_view what);

/// 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291): on every link, and routed by nobody.
bool is_link_local(const Ip& ip);

/// The highest address that check_host_address() takes.
Ip last_host_address(const Cidr& cidr);

}  // namespace berth::ipam
