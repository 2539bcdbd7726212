// The settings of devices that networks have on the host: written on each of them, for both
// families, whatever families the network has and whatever net/*/conf/default says.
// Pure.
#pragma once

#include "berth/ifname.h"
#include "plan/op.h"

namespace berth::plan {

enum class HostIpv6 {
  kAbsent,  ///< the kernel has none, or none for the device's MTU
  kOff,     ///< switched off: the device has not even a link-local address
  kOn,
};

/// `present`: the device has IPv6 at all.
[[nodiscard]] constexpr HostIpv6 host_ipv6(bool present, bool on) {
  return !present ? HostIpv6::kAbsent : on ? HostIpv6::kOn : HostIpv6::kOff;
}

/// Switches the device's IPv6 off or on, and sets what keeps its neighbours from changing the host
/// (kernel/sysctl/device.h).
[[nodiscard]] Plan guard_host_device(const IfName& device, HostIpv6 ipv6);

/// One setting of a device that the plan makes or that was there: it goes with the device.
[[nodiscard]] SetSysctl device_setting(const IfName& device, Ip::Family family,
                                       std::string_view name, std::string_view value);

}  // namespace berth::plan
