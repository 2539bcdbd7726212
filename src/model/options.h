// Driver options by their Docker names, read once at the front door into typed settings.
// Names, defaults and meanings: moby daemon/libnetwork/drivers/bridge/labels.go and
// docs.docker.com "Bridge network driver".
#pragma once

#include <string_view>

#include "berth/network.h"

namespace berth::model {

inline constexpr std::string_view kOptionBridgeName = "com.docker.network.bridge.name";
inline constexpr std::string_view kOptionIcc = "com.docker.network.bridge.enable_icc";
inline constexpr std::string_view kOptionMasquerade =
    "com.docker.network.bridge.enable_ip_masquerade";
inline constexpr std::string_view kOptionHostBinding =
    "com.docker.network.bridge.host_binding_ipv4";
inline constexpr std::string_view kOptionMtu = "com.docker.network.driver.mtu";

/// The settings that `options` ask for; `device` stays empty where no bridge name is given.
/// An unknown name is refused with the nearest known one, a bad value with what is allowed.
[[nodiscard]] Result<BridgeSettings> parse_bridge_options(const Labels& options);

/// The driver called `text`: bridge; host and null (or none) exist once and cannot be asked for.
[[nodiscard]] Result<Driver> parse_driver(std::string_view text);

}  // namespace berth::model
