#include "plan/host_device.h"

#include "kernel/sysctl/device.h"

namespace berth::plan {

Plan guard_host_device(const IfName& device, HostIpv6 ipv6) {
  Plan settings;
  if (ipv6 != HostIpv6::kAbsent)
    settings.push_back(
        device_setting(device, Ip::Family::kV6, "disable_ipv6", ipv6 == HostIpv6::kOn ? "0" : "1"));
  for (const auto& [family, name, value] : kernel::kGuards)
    if (family == Ip::Family::kV4 || ipv6 != HostIpv6::kAbsent)
      settings.push_back(device_setting(device, family, name, value));
  return settings;
}

SetSysctl device_setting(const IfName& device, Ip::Family family, std::string_view name,
                         std::string_view value) {
  return {kernel::device_key(device, family, name), std::string(value), ""};
}

}  // namespace berth::plan
