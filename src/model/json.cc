#include "model/json.h"

#include "base/json_values.h"
#include "base/result.h"

namespace berth {

// The enums are stored by name, so that a reordered enumeration never changes a document's meaning.
NLOHMANN_JSON_SERIALIZE_ENUM(Driver, {{Driver::kBridge, "bridge"},
                                      {Driver::kHost, "host"},
                                      {Driver::kNone, "null"}})
NLOHMANN_JSON_SERIALIZE_ENUM(SandboxKind, {{SandboxKind::kProcess, "process"},
                                           {SandboxKind::kNamespace, "namespace"},
                                           {SandboxKind::kForeign, "foreign"}})
NLOHMANN_JSON_SERIALIZE_ENUM(SandboxState, {{SandboxState::kCreated, "created"},
                                            {SandboxState::kRunning, "running"},
                                            {SandboxState::kExited, "exited"}})

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Subnet, cidr, range, gateway, aux)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(BridgeSettings, device, icc, masquerade,
                                                host_binding, mtu)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Network, id, name, driver, created, internal,
                                                predefined, labels, options, subnets, bridge)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(PortMapping, protocol, host_ip, host_port,
                                                container_port)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Endpoint, id, network_id, network_name, sandbox_id,
                                                ifname, host_ifname, ip, prefix, requested_ip,
                                                gateway, default_route, mac, mtu, aliases, ports)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(
    Sandbox, id, name, hostname, kind, state, netns_path, netns_inode, argv, rootfs, host_network,
    extra_hosts, labels, auto_remove, tty, log, pid, pid_start, shim_pid, shim_start, exit_code,
    created, started, finished, endpoints)

}  // namespace berth

namespace berth::model {
namespace {

// The one place where nlohmann's exceptions end: nothing thrown leaves this file.
template <typename T>
Result<T> read(std::string_view what, std::string_view text) {
  try {
    return nlohmann::json::parse(text).get<T>();
  } catch (const std::exception& error) {
    return fail(ErrorKind::kCorrupt, "the stored {} cannot be read: {}", what, error.what());
  }
}

// Bytes that are no UTF-8 (an odd argv, say) are replaced: a document must always be readable.
template <typename T>
std::string write(const T& value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const Network& network) { return write(network); }
std::string to_json(const Endpoint& endpoint) { return write(endpoint); }
std::string to_json(const Sandbox& sandbox) { return write(sandbox); }

Result<Network> network_from_json(std::string_view text) { return read<Network>("network", text); }
Result<Endpoint> endpoint_from_json(std::string_view text) {
  return read<Endpoint>("endpoint", text);
}
Result<Sandbox> sandbox_from_json(std::string_view text) { return read<Sandbox>("sandbox", text); }

}  // namespace berth::model
