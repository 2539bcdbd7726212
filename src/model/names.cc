#include "model/names.h"

#include <array>
#include <utility>

namespace berth {
namespace {

// The names stand in the order of the enumerators.
template <std::size_t N, typename Enum>
std::string_view pick(const std::array<std::string_view, N>& names, Enum value) {
  const auto i = static_cast<std::size_t>(std::to_underlying(value));
  return i < N ? names[i] : model::kUnknown;
}

template <typename... Words>
constexpr std::array<std::string_view, sizeof...(Words)> words(Words... each) {
  return {each...};
}

}  // namespace

std::string_view name(Driver driver) {
  return pick(words("bridge", "macvlan", "ipvlan", "host", "null"), driver);
}
std::string_view name(Ipam ipam) {
  return pick(words("default", "dhcp", "null"), ipam);
}
std::string_view name(RouteKind kind) {
  return pick(words("unicast", "blackhole", "unreachable", "prohibit"), kind);
}
std::string_view name(GatewayMode mode) {
  return pick(words("nat", "nat-unprotected", "routed", "isolated"), mode);
}
std::string_view name(MacvlanMode mode) {
  return pick(words("bridge", "private", "vepa", "passthru", "source"), mode);
}
std::string_view name(IpvlanMode mode) {
  return pick(words("l2", "l3", "l3s"), mode);
}
std::string_view name(IpvlanFlag flag) {
  return pick(words("bridge", "private", "vepa"), flag);
}
std::string_view name(ParentSettings::Origin origin) {
  return pick(words("given", "vlan", "dummy"), origin);
}
std::string_view name(NetworkMode mode) {
  return pick(words("networks", "none", "host", "container", "path"), mode);
}
std::string_view name(SandboxKind kind) {
  return pick(words("process", "namespace", "foreign"), kind);
}
std::string_view name(SandboxState state) {
  return pick(words("created", "running", "exited"), state);
}

std::string_view driver_name(const Network& network) {
  return name(network.config_only ? Driver::kNone : network.driver);
}

std::string_view predefined_network(const Sandbox& sandbox) {
  const bool is_one = sandbox.mode == NetworkMode::kHost || sandbox.mode == NetworkMode::kNone;
  return is_one ? name(sandbox.mode) : "";
}

std::string network_mode(const Sandbox& sandbox) {
  if (sandbox.mode == NetworkMode::kContainer) return "container:" + sandbox.shares;
  if (sandbox.mode == NetworkMode::kPath) return "ns:" + sandbox.netns_path;
  return std::string(predefined_network(sandbox));
}

}  // namespace berth
