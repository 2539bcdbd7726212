#include "plan/json.h"

#include "base/json_values.h"
#include "base/result.h"

namespace berth {  // where argument-dependent look-up finds them: a Field is a std::variant

// A field is {"type": value}: its kind decides how many bytes the kernel's key has.
static void to_json(nlohmann::json& out, const nft::Field& field) {
  constexpr const char* kKinds[] = {"ip", "protocol", "port", "ifname", "cidr"};
  std::visit([&](const auto& value) { out = {{kKinds[field.index()], value}}; }, field);
}
static void from_json(const nlohmann::json& in, nft::Field& field) {
  const auto& [kind, value] = *in.items().begin();
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

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Element, set, key, data, verdict, comment)

}  // namespace berth::nft

namespace berth::plan {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(NsRef, path, inode)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AddNetns, path)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeleteNetns, path)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AddBridge, name, mac, mtu)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AddVeth, name, bridge, mtu, peer_ns, peer, peer_mac)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeleteLink, name)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SetLinkUp, ns, name, up)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(JoinBridge, name, bridge)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(IsolatePort, name)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HairpinPort, name)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AddAddress, ns, link, address)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeleteAddress, ns, link, address)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AddRoute, ns, destination, gateway, link)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeleteRoute, ns, destination, gateway, link)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SetSysctl, key, value, previous)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(AddElement, element)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeleteElement, element)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FlushFlows, protocol, address, port)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartProcess, ns, hostname, rootfs, argv)
static void to_json(nlohmann::json& out, const EnsureTable&) { out = nlohmann::json::object(); }
static void from_json(const nlohmann::json&, EnsureTable&) {}
static void to_json(nlohmann::json& out, const DeleteTableIfUnused&) {
  out = nlohmann::json::object();
}
static void from_json(const nlohmann::json&, DeleteTableIfUnused&) {}

namespace {

// In the order of Op's alternatives.
constexpr const char* kNames[] = {
    "add-netns",    "delete-netns",    "add-bridge",  "add-veth",     "delete-link",
    "set-link-up",  "join-bridge", "isolate-port", "hairpin-port",    "add-address", "delete-address", "add-route",
    "delete-route", "set-sysctl",      "ensure-table", "delete-table-if-unused",
    "add-element",  "delete-element",  "flush-flows", "start-process"};
static_assert(std::size(kNames) == std::variant_size_v<Op>);

template <std::size_t I = 0>
Op read(std::string_view name, const nlohmann::json& json) {
  if constexpr (I < std::variant_size_v<Op>) {
    if (name == kNames[I]) return json.get<std::variant_alternative_t<I, Op>>();
    return read<I + 1>(name, json);
  } else {
    throw std::invalid_argument("unknown operation " + std::string(name));
  }
}

}  // namespace

std::string to_json(const Plan& plan) {
  auto list = nlohmann::json::array();
  for (const auto& op : plan) {
    auto json = std::visit([](const auto& each) { return nlohmann::json(each); }, op);
    json["op"] = kNames[op.index()];
    list.push_back(std::move(json));
  }
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Plan> from_json(std::string_view text) {
  try {
    Plan plan;
    for (const auto& json : nlohmann::json::parse(text))
      plan.push_back(read(json.at("op").get_ref<const std::string&>(), json));
    return plan;
  } catch (const std::exception& error) {
    return fail(ErrorKind::kCorrupt, "the stored plan cannot be read: {}", error.what());
  }
}

}  // namespace berth::plan
