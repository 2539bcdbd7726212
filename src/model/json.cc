#include "model/json.h"

#include <concepts>

#include "base/json_writer.h"
#include "base/result.h"
#include "model/names.h"

namespace berth {

// The enums are stored by name, so that a reordered enumeration never changes a document's meaning;
// a name that this berth does not know is refused rather than taken for another.
template <typename Enum>
concept Named = std::is_enum_v<Enum> && requires(Enum value) {
  { name(value) } -> std::same_as<std::string_view>;
};

template <Named Enum>
static void write_json(json::Writer& writer, Enum value) {
  writer.write(name(value));
}
template <Named Enum>
static void from_json(const nlohmann::json& in, Enum& value) {
  const auto& text = in.get_ref<const std::string&>();
  const auto known = model::by_name<Enum>(text);
  if (!known) throw std::invalid_argument("'" + text + "' is unknown to this berth");
  value = *known;
}

BERTH_JSON_FIELDS_OR_DEFAULT(Subnet, cidr, range, gateway, aux)
BERTH_JSON_FIELDS_OR_DEFAULT(Route, destination, kind, gateway, metric, via)
BERTH_JSON_FIELDS_OR_DEFAULT(LinkSettings, mtu, ifname_prefix, metric, default_route, routes,
                             announcements, announce_interval_ms)
BERTH_JSON_FIELDS_OR_DEFAULT(BridgeSettings, device, adopted, managed, icc, masquerade, mode4,
                             mode6, inhibit_ipv4, host_binding, snat4, snat6, translate6to4, vlan,
                             port_isolation, mac_spoof_check, vrf, trusted)
BERTH_JSON_FIELDS_OR_DEFAULT(ParentSettings, device, origin, lower, vlan, macvlan_mode, ipvlan_mode,
                             ipvlan_flag, sources, broadcast_limit, host_access, host_device,
                             host_addresses)
BERTH_JSON_FIELDS_OR_DEFAULT(Network, id, name, driver, created, ipv4, ipv6, internal, attachable,
                             predefined, config_only, config_from, labels, options, ipam,
                             ipam_options, subnets, link, bridge, parent)
BERTH_JSON_FIELDS_OR_DEFAULT(PortMapping, protocol, host_ip, host_port, container_port)
BERTH_JSON_FIELDS_OR_DEFAULT(EndpointOptions, ip4, ip6, mac, link_local, addresses, gateway4,
                             gateway6, aliases, links, ifname, host_ifname, gw_priority, vlan,
                             driver_options)
BERTH_JSON_FIELDS_OR_DEFAULT(Endpoint, id, network_id, network_name, sandbox_id, ifname,
                             host_ifname, address4, address6, gateway4, gateway6, on_link, default4,
                             default6, mac, mtu, sysctls, routes, ports, translated, asked)
BERTH_JSON_FIELDS_OR_DEFAULT(BindMount, source, target, read_only)
BERTH_JSON_FIELDS_OR_DEFAULT(Confinement, user, cap_add, cap_drop, privileged, no_new_privileges,
                             read_only, init, mounts, sysctls)
BERTH_JSON_FIELDS_OR_DEFAULT(Sandbox, id, name, hostname, domainname, kind, state, netns_path,
                             netns_inode, argv, rootfs, mode, first_network, shares, extra_hosts,
                             labels, auto_remove, tty, log, pid, pid_start, shim_pid, shim_start,
                             exit_code, created, started, finished, endpoints, ports, dns,
                             dns_search, dns_options, entrypoint, workdir, env, confinement)

}  // namespace berth

namespace berth::model {
namespace {

// What the engine relies on without asking again.
void check(const Network& network) {
  if (network.config_only) return;
  if (network.driver == Driver::kBridge && network.bridge.device.empty())
    throw std::invalid_argument("a bridge network has a device");
  const bool has_parent = network.driver == Driver::kMacvlan || network.driver == Driver::kIpvlan;
  if (has_parent && network.parent.device.empty())
    throw std::invalid_argument("a macvlan or ipvlan network has a parent");
}
void check(const Endpoint& endpoint) {
  if (endpoint.address4 && !endpoint.address4->ip().is_v4())
    throw std::invalid_argument("address4 is no IPv4 address");
  if (endpoint.address6 && endpoint.address6->ip().is_v4())
    throw std::invalid_argument("address6 is no IPv6 address");
  if (endpoint.mac == Mac()) throw std::invalid_argument("an endpoint has a MAC address");
}
void check(const Sandbox&) {}

// The one place where nlohmann's exceptions end: nothing thrown leaves this file.
template <typename T>
Result<T> read(std::string_view what, std::string_view text) {
  try {
    auto value = nlohmann::json::parse(text).get<T>();
    check(value);
    return value;
  } catch (const std::exception& error) {
    return fail(ErrorKind::kCorrupt, "the stored {} cannot be read: {}", what, error.what());
  }
}

template <typename T>
std::string write(const T& value) {
  json::Writer writer;
  writer.write(value);
  return writer.take();
}

}  // namespace

std::string to_json(const Network& network) {
  return write(network);
}
std::string to_json(const Endpoint& endpoint) {
  return write(endpoint);
}
std::string to_json(const Sandbox& sandbox) {
  return write(sandbox);
}

Result<Network> network_from_json(std::string_view text) {
  return read<Network>("network", text);
}
Result<Endpoint> endpoint_from_json(std::string_view text) {
  return read<Endpoint>("endpoint", text);
}
Result<Sandbox> sandbox_from_json(std::string_view text) {
  return read<Sandbox>("sandbox", text);
}

}  // namespace berth::model
