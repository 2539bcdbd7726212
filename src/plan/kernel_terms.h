// The kernel's numbers for what plans say in words.
#pragma once

#include <cstdint>

#include "plan/op.h"

namespace berth::plan {

[[nodiscard]] std::uint32_t kernel_mode(MacvlanMode mode);  ///< MACVLAN_MODE_*
[[nodiscard]] std::uint16_t kernel_mode(IpvlanMode mode);   ///< IPVLAN_MODE_*
[[nodiscard]] std::uint16_t kernel_flags(IpvlanFlag flag);  ///< IPVLAN_F_*
[[nodiscard]] std::uint8_t kernel_type(RouteKind kind);     ///< RTN_*

}  // namespace berth::plan
