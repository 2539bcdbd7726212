// The translator's devices and addresses: see translator.h.
#pragma once

#include "berth/address.h"
#include "berth/ifname.h"
#include "translator/addresses.h"

namespace berth::translator {

inline constexpr std::string_view kDevice6 = "berth64";  ///< of the pair the end with IPv6
inline constexpr std::string_view kDevice4 = "berth46";  ///< and that with IPv4

/// 64:ff9b:1::/96
[[nodiscard]] inline Cidr prefix() {
  return {Ip::from_number(Ip::Family::kV6, (static_cast<Uint128>(BERTH_PREFIX_0) << 96) |
                                               (static_cast<Uint128>(BERTH_PREFIX_1) << 64)),
          96};
}

/// The IPv6 address that leads to `v4`: 64:ff9b:1::A.B.C.D.
[[nodiscard]] inline Ip translated(const Ip& v4) {
  return Ip::from_number(Ip::Family::kV6, prefix().ip().number() | v4.number());
}

/// Whom what comes out of the translator comes from: 64:ff9b:1:ffff::1 and 192.0.0.4.
[[nodiscard]] inline Ip client6() {
  return Ip::from_number(Ip::Family::kV6, (static_cast<Uint128>(BERTH_CLIENT6_0) << 96) |
                                              (static_cast<Uint128>(BERTH_CLIENT6_1) << 64) |
                                              BERTH_CLIENT6_3);
}
[[nodiscard]] inline Ip client4() {
  return Ip::from_number(Ip::Family::kV4, BERTH_CLIENT4);
}

}  // namespace berth::translator
