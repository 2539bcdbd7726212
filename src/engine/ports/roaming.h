// The ports of `run -p`: which endpoints of the sandbox publish them.
//
// What comes in through a port is answered by the default route, so a port belongs, in each family
// on its own, to the endpoint that the default route of that family goes by (as in Docker); if that
// is on a network that publishes nothing, it waits for another way out. In a family without a
// default route it belongs to the endpoint that would be the first to get one. Where no endpoint
// takes it in IPv6, the translator leads from there to the one of IPv4. A network whose gateway
// mode is routed needs no default route for that: there the container's port is open on every
// endpoint. Ports of `network connect -p` stay where they are.
//
// Pure.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "berth/network.h"
#include "engine/ports/publish.h"

namespace berth::engine {

/// What the sandbox keeps of `specs` when `published` has given them numbers on its first way out,
/// which is on `network`. Of a spec that names no host address that is both families, whichever the
/// endpoint has. host_port 0: none was needed there, and any will not do elsewhere.
[[nodiscard]] std::vector<PortMapping> asked_ports(const std::vector<PortSpec>& specs,
                                                   const Network& network,
                                                   const Published& published);

/// What remains of `ports`, which are a sandbox's, when `network connect -p` has given `published`
/// to one of its endpoints. Only what waits can be given so; from then on it stays with the
/// endpoint.
[[nodiscard]] std::vector<PortMapping> ports_without(std::vector<PortMapping> ports,
                                                     const Published& published);

/// An endpoint of a sandbox, and the network that it is on.
struct Attached {
  Endpoint endpoint;
  Network network;
};

/// The ports of one endpoint alone, as `network connect -p` gives them: all but those of `ports`,
/// which are its sandbox's.
[[nodiscard]] std::vector<PortMapping> own_ports(Endpoint endpoint,
                                                 const std::vector<PortMapping>& ports);

/// Which of the endpoints publishes the family's ports by address translation; none: none does.
[[nodiscard]] std::optional<std::size_t> publisher(std::span<const Attached> endpoints,
                                                   Ip::Family family);

/// Puts `ports`, which are a sandbox's, where they belong among its endpoints. `translate`: may
/// ports on IPv6 lead to IPv4 addresses.
void distribute(std::span<Attached> endpoints, const std::vector<PortMapping>& ports,
                bool translate);

}  // namespace berth::engine
