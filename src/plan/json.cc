#include "plan/json.h"

#include "base/json_writer.h"
#include "base/result.h"

namespace berth {  // where argument-dependent look-up finds them: a Field is a std::variant

static void write_json(json::Writer& writer, RouteKind kind) {
  writer.write(static_cast<int>(kind));
}
static void write_json(json::Writer& writer, MacvlanMode mode) {
  writer.write(static_cast<int>(mode));
}
static void write_json(json::Writer& writer, IpvlanMode mode) {
  writer.write(static_cast<int>(mode));
}
static void write_json(json::Writer& writer, IpvlanFlag flag) {
  writer.write(static_cast<int>(flag));
}

// A field is {"type": value}: its kind decides how many bytes the kernel's key has.
static constexpr const char* kFieldKinds[] = {
    ",\"ip\":", ",\"protocol\":", ",\"port\":", ",\"ifname\":", ",\"cidr\":"};
static void write_json(json::Writer& writer, const nft::Field& field) {
  writer.begin('{');
  std::visit([&](const auto& value) { writer.member_at(kFieldKinds[field.index()], value); },
             field);
  writer.end('}');
}
static void from_json(const nlohmann::json& in, nft::Field& field) {
  if (!in.is_object() || in.size() != 1) throw std::invalid_argument("a field is no {kind: value}");
  const auto member = in.begin();
  const auto& kind = member.key();
  const auto& value = member.value();
  if (kind == "ip")
    field = value.get<Ip>();
  else if (kind == "protocol")
    field = value.get<Protocol>();
  else if (kind == "port")
    field = value.get<Port>();
  else if (kind == "ifname")
    field = value.get<IfName>();
  else if (kind == "cidr")
    field = value.get<Cidr>();
  else
    throw std::invalid_argument("unknown field kind " + kind);
}

}  // namespace berth

namespace berth::nft {

static void write_json(json::Writer& writer, Verdict verdict) {
  writer.write(static_cast<int>(verdict));
}
BERTH_JSON_FIELDS(Element, set, key, data, verdict, comment)

}  // namespace berth::nft

namespace berth::plan {

BERTH_JSON_FIELDS(NsRef, path, inode)
BERTH_JSON_FIELDS(AddNetns, path)
BERTH_JSON_FIELDS(DeleteNetns, path)
BERTH_JSON_FIELDS(AddBridge, name, mac, mtu)
BERTH_JSON_FIELDS(AddVeth, name, bridge, mtu, peer_ns, peer, peer_mac)
BERTH_JSON_FIELDS(AddMacvlan, ns, name, parent, mac, mtu, mode, sources, broadcast_limit)
BERTH_JSON_FIELDS(AddIpvlan, ns, name, parent, mtu, mode, flag)
BERTH_JSON_FIELDS(AddVlan, name, lower, id)
BERTH_JSON_FIELDS(AddDummy, name, mtu)
BERTH_JSON_FIELDS_OR_DEFAULT(DeleteLink, name, ns, kind, mac, peer_ns)
BERTH_JSON_FIELDS(ProbeAddress, ns, link, address)
BERTH_JSON_FIELDS(SetLinkUp, ns, name, up)
BERTH_JSON_FIELDS(SetLinkMtu, ns, name, mtu, previous)
BERTH_JSON_FIELDS(JoinBridge, name, bridge)
BERTH_JSON_FIELDS(IsolatePort, name, on)
BERTH_JSON_FIELDS(HairpinPort, name, on)
BERTH_JSON_FIELDS(FilterVlans, bridge, on)
BERTH_JSON_FIELDS(AddPortVlan, port, vlan, self)
BERTH_JSON_FIELDS(DeletePortVlan, port, vlan, self)
BERTH_JSON_FIELDS(LockPort, name)
BERTH_JSON_FIELDS(AddFdbEntry, port, mac)
BERTH_JSON_FIELDS(SetVrf, name, vrf, member)
BERTH_JSON_FIELDS(StartDhcp, ns, link, directory, hostname, program, env)
BERTH_JSON_FIELDS(StopDhcp, directory)
BERTH_JSON_FIELDS(AddAddress, ns, link, address)
BERTH_JSON_FIELDS(DeleteAddress, ns, link, address)
BERTH_JSON_FIELDS(AddRoute, ns, destination, gateway, link, kind, metric, source)
BERTH_JSON_FIELDS(DeleteRoute, ns, destination, gateway, link, kind, metric, source)
BERTH_JSON_FIELDS(SetSysctl, key, value, previous, ns)
BERTH_JSON_FIELDS(AddElement, element)
BERTH_JSON_FIELDS(DeleteElement, element)
BERTH_JSON_FIELDS(FlushFlows, protocol, address, port)
BERTH_JSON_FIELDS(StartProcess, ns, hostname, rootfs, argv)
BERTH_JSON_FIELDS(SignalProcess, pid, signal)
static void write_members(json::Writer&, const EnsureTable&) {}
static void from_json(const nlohmann::json&, EnsureTable&) {}
static void write_members(json::Writer&, const DeleteTableIfUnused&) {}
static void from_json(const nlohmann::json&, DeleteTableIfUnused&) {}
static void write_members(json::Writer&, const EnsureTranslator&) {}
static void from_json(const nlohmann::json&, EnsureTranslator&) {}
static void write_members(json::Writer&, const DeleteTranslatorIfUnused&) {}
static void from_json(const nlohmann::json&, DeleteTranslatorIfUnused&) {}

namespace {

// In the order of Op's alternatives.
constexpr const char* kNames[] = {"add-netns",         "delete-netns",
                                  "add-bridge",        "add-veth",
                                  "add-macvlan",       "add-ipvlan",
                                  "add-vlan",          "add-dummy",
                                  "delete-link",       "set-link-up",
                                  "set-link-mtu",      "join-bridge",
                                  "isolate-port",      "hairpin-port",
                                  "filter-vlans",      "add-port-vlan",
                                  "delete-port-vlan",  "lock-port",
                                  "add-fdb-entry",     "set-vrf",
                                  "probe-address",     "start-dhcp",
                                  "stop-dhcp",         "add-address",
                                  "delete-address",    "add-route",
                                  "delete-route",      "set-sysctl",
                                  "ensure-table",      "delete-table-if-unused",
                                  "ensure-translator", "delete-translator-if-unused",
                                  "add-element",       "delete-element",
                                  "flush-flows",       "start-process",
                                  "signal-process"};
static_assert(std::size(kNames) == std::variant_size_v<AnyOp>);

template <std::size_t I = 0>
Op read(std::string_view name, const nlohmann::json& json) {
  if constexpr (I < std::variant_size_v<AnyOp>) {
    if (name == kNames[I]) return json.get<std::variant_alternative_t<I, AnyOp>>();
    return read<I + 1>(name, json);
  } else {
    throw std::invalid_argument("unknown operation " + std::string(name));
  }
}

}  // namespace

static void write_json(json::Writer& writer, const Op& op) {
  writer.begin('{');
  writer.member("op", kNames[op.index()]);
  std::visit([&](const auto& each) { write_members(writer, each); }, op);
  writer.end('}');
}

std::string to_json(const Plan& plan) {
  json::Writer writer;
  writer.write(plan);
  return writer.take();
}

Result<Plan> from_json(std::string_view text) {
  try {
    const auto list = nlohmann::json::parse(text);
    if (!list.is_array()) throw std::invalid_argument("it is no list of operations");
    Plan plan;
    for (const auto& json : list)
      plan.push_back(read(json.at("op").get_ref<const std::string&>(), json));
    return plan;
  } catch (const std::exception& error) {
    return fail(ErrorKind::kCorrupt, "the stored plan cannot be read: {}", error.what());
  }
}

}  // namespace berth::plan
