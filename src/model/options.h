// Options of networks and endpoints by their names, read once at the front door into typed
// settings.
//
// Names, defaults and meanings: moby daemon/libnetwork/drivers/{bridge,macvlan,ipvlan} and
// netlabel/labels.go; netavark src/network/constants.rs for the short names; the CNI plugins for
// port isolation and the spoof check. docs/options.md has them all in one table.
#pragma once

#include <string_view>
#include <vector>

#include "berth/network.h"

namespace berth::model {

inline constexpr std::string_view kOptionBridgeName = "com.docker.network.bridge.name";
inline constexpr std::string_view kOptionIcc = "com.docker.network.bridge.enable_icc";
inline constexpr std::string_view kOptionMasquerade =
    "com.docker.network.bridge.enable_ip_masquerade";
inline constexpr std::string_view kOptionNoProxy6to4 =
    "com.docker.network.driver.private.no_proxy_6to4";
inline constexpr std::string_view kOptionHostBinding =
    "com.docker.network.bridge.host_binding_ipv4";
inline constexpr std::string_view kOptionMtu = "com.docker.network.driver.mtu";
inline constexpr std::string_view kOptionParent = "parent";

/// Reads `options` into the settings of `network`, whose driver is known. A name that the driver
/// does not have is refused with the nearest that it has, a bad value with what is allowed.
[[nodiscard]] Status read_options(Network& network, const Labels& options);

/// Whether each of a template's options is one that some driver takes: which driver it will be, its
/// networks say.
[[nodiscard]] Status check_template_options(const Labels& options);

/// The names that read_options() knows, for the documentation's test.
struct OptionName {
  std::string_view name;
  std::string_view alias;  ///< another name of the same, or empty
  std::vector<Driver> takers;
};
[[nodiscard]] std::vector<OptionName> option_names();
[[nodiscard]] std::vector<std::string_view> endpoint_option_names();

/// Reads the driver options of one endpoint: what they say that EndpointOptions has a place for
/// goes there. Refused where the two contradict each other.
[[nodiscard]] Status read_endpoint_options(EndpointOptions& endpoint);

/// The sysctls among an endpoint's driver options, as KEY=VALUE with slashes; `ifname` stands where
/// they say IFNAME. Only keys of that interface are allowed.
[[nodiscard]] Result<std::vector<std::string>> endpoint_sysctls(const Labels& driver_options,
                                                                const IfName& ifname);

/// The driver called `text`; host and null (or none) exist once and cannot be asked for.
[[nodiscard]] Result<Driver> parse_driver(std::string_view text);

/// Checks the options of an address driver. Berth's own has Docker's com.docker.network.ipam.serial.
[[nodiscard]] Status check_ipam_options(Ipam ipam, const Labels& options);
/// Whether addresses are given out one after the other, and a lower one that came back only once
/// the end of the range is reached.
[[nodiscard]] bool is_serial(const Network& network);

/// default (or empty, or netavark's host-local), dhcp, null (or none).
[[nodiscard]] Result<Ipam> parse_ipam(std::string_view text);

}  // namespace berth::model
