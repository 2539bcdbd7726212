// Settings of one network device: net/<family>/conf/<device>/<name>.
//
// A new device takes its settings from net/<family>/conf/default, which is the administrator's (or
// a distribution's): whatever safety or function relies on is written on the device itself.
// net/<family>/conf/all is never written. IPv6 reads the device's value alone. Of IPv4's settings
// here the kernel takes the larger of the two for arp_ignore, and "one of them is on" for
// accept_local, proxy_arp and route_localnet (include/linux/inetdevice.h): what an administrator
// switches on for all devices, no device can switch off.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "berth/address.h"
#include "berth/ifname.h"

namespace berth::kernel {

struct DeviceSetting {
  Ip::Family family;
  std::string_view name;
  std::string_view value;
};

/// What keeps the neighbours on a device of the host from changing the host
/// (Documentation/networking/ip-sysctl.rst). Set whatever families the device has addresses of: a
/// neighbour with a raw socket sends what it likes.
///   accept_ra         no addresses, default route, MTU or hop limit from router advertisements
///                     (CVE-2020-13401). autoconf needs none: it is about prefixes in them.
///   accept_redirects  no routes from ICMP redirects; of IPv4 that holds where the device forwards
///   accept_local      no packets under the host's own addresses
///   proxy_arp         the host does not offer itself as the way to others
///   arp_ignore        1: the host answers for the addresses of this device and for no others of
///                     its own; more than 1 leaves some or all requests unanswered
/// Not here: rp_filter, which nothing relies on (the firewall judges by interface, and drops
/// 127.0.0.0/8 from bridges); send_redirects, which is on where `all` has it on, as by default.
inline constexpr std::array kGuards{
    DeviceSetting{Ip::Family::kV4, "accept_redirects", "0"},
    DeviceSetting{Ip::Family::kV4, "accept_local", "0"},
    DeviceSetting{Ip::Family::kV4, "proxy_arp", "0"},
    DeviceSetting{Ip::Family::kV4, "arp_ignore", "1"},
    DeviceSetting{Ip::Family::kV6, "accept_ra", "0"},
    DeviceSetting{Ip::Family::kV6, "accept_redirects", "0"},
};

/// The key of a device's setting, with slashes: a device's name may have dots.
[[nodiscard]] std::string device_key(const IfName& device, Ip::Family family,
                                     std::string_view name);

}  // namespace berth::kernel
