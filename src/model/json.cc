#include "model/json.h"

#include "base/json_writer.h"
#include "base/result.h"

namespace berth {

static std::string_view name(SandboxKind kind) {
  switch (kind) {
    case SandboxKind::kProcess:
      return "process";
    case SandboxKind::kNamespace:
      return "namespace";
    case SandboxKind::kForeign:
      return "foreign";
  }
  return "unknown";
}

// The enums are stored by name, so that a reordered enumeration never changes a document's meaning;
// a name that this berth does not know is refused rather than taken for another.
template <typename Enum, std::size_t N>
static void read_enum(const nlohmann::json& in, Enum& value, const Enum (&known)[N]) {
  const auto& text = in.get_ref<const std::string&>();
  for (const auto each : known) {
    if (name(each) != text) continue;
    value = each;
    return;
  }
  throw std::invalid_argument("'" + text + "' is unknown to this berth");
}

static void write_json(json::Writer& writer, Driver driver) {
  writer.write(name(driver));
}
static void from_json(const nlohmann::json& in, Driver& driver) {
  read_enum(in, driver, {Driver::kBridge, Driver::kHost, Driver::kNone});
}
static void write_json(json::Writer& writer, SandboxKind kind) {
  writer.write(name(kind));
}
static void from_json(const nlohmann::json& in, SandboxKind& kind) {
  read_enum(in, kind, {SandboxKind::kProcess, SandboxKind::kNamespace, SandboxKind::kForeign});
}
static void write_json(json::Writer& writer, SandboxState state) {
  writer.write(name(state));
}
static void from_json(const nlohmann::json& in, SandboxState& state) {
  read_enum(in, state, {SandboxState::kCreated, SandboxState::kRunning, SandboxState::kExited});
}

BERTH_JSON_FIELDS_OR_DEFAULT(Subnet, cidr, range, gateway, aux)
BERTH_JSON_FIELDS_OR_DEFAULT(BridgeSettings, device, icc, masquerade, host_binding, mtu)
BERTH_JSON_FIELDS_OR_DEFAULT(Network, id, name, driver, created, internal, predefined, labels,
                             options, subnets, bridge)
BERTH_JSON_FIELDS_OR_DEFAULT(PortMapping, protocol, host_ip, host_port, container_port)
BERTH_JSON_FIELDS_OR_DEFAULT(Endpoint, id, network_id, network_name, sandbox_id, ifname,
                             host_ifname, ip, prefix, requested_ip, gateway, default_route, mac,
                             mtu, aliases, ports)
BERTH_JSON_FIELDS_OR_DEFAULT(Sandbox, id, name, hostname, kind, state, netns_path, netns_inode,
                             argv, rootfs, host_network, extra_hosts, labels, auto_remove, tty, log,
                             pid, pid_start, shim_pid, shim_start, exit_code, created, started,
                             finished, endpoints)

}  // namespace berth

namespace berth::model {
namespace {

// What the engine relies on without asking again.
void check(const Network& network) {
  if (network.driver == Driver::kBridge &&
      ((network.subnets.empty() && !network.predefined) || network.bridge.device.empty()))
    throw std::invalid_argument("a bridge network has a device and, but for `bridge`, a subnet");
}
void check(const Endpoint& endpoint) {
  if (endpoint.prefix < 0 || endpoint.prefix > endpoint.ip.bits())
    throw std::invalid_argument("prefix is no prefix length");
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
