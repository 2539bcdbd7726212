#include "plan/kernel_terms.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace berth::plan {

std::uint32_t kernel_mode(MacvlanMode mode) {
  switch (mode) {
    case MacvlanMode::kBridge:
      break;
    case MacvlanMode::kPrivate:
      return MACVLAN_MODE_PRIVATE;
    case MacvlanMode::kVepa:
      return MACVLAN_MODE_VEPA;
    case MacvlanMode::kPassthru:
      return MACVLAN_MODE_PASSTHRU;
    case MacvlanMode::kSource:
      return MACVLAN_MODE_SOURCE;
  }
  return MACVLAN_MODE_BRIDGE;
}

std::uint16_t kernel_mode(IpvlanMode mode) {
  switch (mode) {
    case IpvlanMode::kL2:
      break;
    case IpvlanMode::kL3:
      return IPVLAN_MODE_L3;
    case IpvlanMode::kL3s:
      return IPVLAN_MODE_L3S;
  }
  return IPVLAN_MODE_L2;
}

std::uint16_t kernel_flags(IpvlanFlag flag) {
  switch (flag) {
    case IpvlanFlag::kBridge:
      break;
    case IpvlanFlag::kPrivate:
      return IPVLAN_F_PRIVATE;
    case IpvlanFlag::kVepa:
      return IPVLAN_F_VEPA;
  }
  return 0;
}

std::uint8_t kernel_type(RouteKind kind) {
  switch (kind) {
    case RouteKind::kUnicast:
      break;
    case RouteKind::kBlackhole:
      return RTN_BLACKHOLE;
    case RouteKind::kUnreachable:
      return RTN_UNREACHABLE;
    case RouteKind::kProhibit:
      return RTN_PROHIBIT;
  }
  return RTN_UNICAST;
}

}  // namespace berth::plan
