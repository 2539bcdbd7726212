// Addresses of interfaces over rtnetlink, IPv4 and IPv6 alike.
//
// Sources: net/ipv4/devinet.c (inet_rtm_newaddr), net/ipv6/addrconf.c (inet6_rtm_newaddr).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "berth/address.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

struct AddressInfo {
  int link_index = 0;
  Cidr address;                 ///< the address with its prefix length
  std::optional<Ip> broadcast;  ///< IPv4 only
  std::uint32_t flags = 0;      ///< IFA_F_* of linux/if_addr.h
};

/// Reads one RTM_NEWADDR message; nullopt if it is none.
[[nodiscard]] std::optional<AddressInfo> parse_address(const MessageView& message);

/// The addresses of one link, or of all links of the socket's namespace; of both families or of one,
/// which takes half the time: for all at once the kernel takes the lock of its links (rtnl_dump_all
/// in net/core/rtnetlink.c), and filters nothing.
[[nodiscard]] Result<std::vector<AddressInfo>> list_addresses(
    Socket& socket, std::optional<int> link_index = std::nullopt,
    std::optional<Ip::Family> family = std::nullopt);

/// Puts an address on a link; the kernel adds the route to its subnet. IPv4 gets the subnet's
/// broadcast address where it has one (up to /30); IPv6 skips duplicate address detection, which
/// would leave the address unusable for a second or two: whoever calls this gives addresses out
/// once.
[[nodiscard]] Request add_address(int link_index, const Cidr& address);
[[nodiscard]] Request delete_address(int link_index, const Cidr& address);

}  // namespace berth::kernel
