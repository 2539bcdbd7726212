// Names in a lab's switch and hosts that both making and removing it need. Inside src/lab.
#pragma once

#include <cstdint>

namespace berth::lab {

inline constexpr char kBridge[] = "lan";
inline constexpr char kUplink[] = "eth0";       // of a host
inline constexpr std::uint32_t kPortGroup = 1;  // IFLA_GROUP of the bridge's ports, to delete all

}  // namespace berth::lab
