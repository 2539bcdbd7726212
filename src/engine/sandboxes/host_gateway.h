// "host-gateway": the host as a sandbox reaches it, for names like host.docker.internal.
//
// In each family it is the host's own address on the network that the sandbox's default route goes
// by (a bridge's, or that of the host's sub-interface on a parent); where the host has none there,
// on the first other network of the sandbox where it has one. A sandbox in the host's network has
// the loopback's. So it changes with the sandbox's networks, and is looked up whenever the hosts
// file is written.
#pragma once

#include <span>
#include <vector>

#include "berth/network.h"
#include "engine/state/state.h"

namespace berth::engine {

/// At most one address of each family. `endpoints`: all of the sandbox.
[[nodiscard]] Result<std::vector<Ip>> host_gateway(State& state, const Sandbox& sandbox,
                                                   std::span<const Endpoint> endpoints);

/// Refuses a sandbox that is about to start if it asks for host-gateway and there is none.
[[nodiscard]] Status check_host_gateway(State& state, const Sandbox& sandbox,
                                        std::span<const Endpoint> endpoints);

}  // namespace berth::engine
