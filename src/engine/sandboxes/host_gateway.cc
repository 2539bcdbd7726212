#include "engine/sandboxes/host_gateway.h"

#include <optional>

#include "base/result.h"
#include "drivers/driver.h"
#include "engine/endpoints/default_route.h"
#include "engine/state/state.h"
#include "sandbox/files.h"

namespace berth::engine {
namespace {

// The host's address that the endpoint reaches without a router.
std::optional<Ip> host_beside(const Network& network, const Endpoint& endpoint, Ip::Family family) {
  const auto& own = family == Ip::Family::kV4 ? endpoint.address4 : endpoint.address6;
  if (!own) return std::nullopt;
  for (const auto& host : drivers::host_addresses(network))
    if (host.contains(own->ip())) return host.ip();
  return std::nullopt;
}

}  // namespace

Result<std::vector<Ip>> host_gateway(State& state, const Sandbox& sandbox,
                                     std::span<const Endpoint> endpoints) {
  if (sandbox.mode == NetworkMode::kHost) return std::vector{Ip::v4(127, 0, 0, 1)};
  std::vector<Ip> addresses;
  for (const auto family : {Ip::Family::kV4, Ip::Family::kV6}) {
    std::optional<Ip> best;
    for (const auto& endpoint : endpoints) {
      const bool way_out = has_default(endpoint, family);
      if (best && !way_out) continue;
      const auto network = TRY(state.network_by_id(endpoint.network_id));
      if (const auto host = host_beside(network, endpoint, family)) best = host;
    }
    if (best) addresses.push_back(*best);
  }
  return addresses;
}

Status check_host_gateway(State& state, const Sandbox& sandbox,
                          std::span<const Endpoint> endpoints) {
  for (const auto& text : sandbox.extra_hosts) {
    const auto host = TRY(sandbox::parse_add_host(text));
    if (host.ip || !TRY(host_gateway(state, sandbox, endpoints)).empty()) continue;
    return fail(ErrorKind::kInvalid,
                "--add-host {}: the host has no address on a network of the sandbox: give an IP "
                "address, or a bridge network that is managed and has a gateway, or a macvlan or "
                "ipvlan network with host_access=true",
                text);
  }
  return {};
}

}  // namespace berth::engine
