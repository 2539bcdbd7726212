// Network + endpoint -> operations, by the network's driver. Each driver's own header says how its
// networks are made; here is the choice between them.
#pragma once

#include "berth/network.h"
#include "drivers/interface.h"
#include "plan/op.h"

namespace berth::drivers {

/// The host's own addresses on the network, with their subnets' prefix lengths: the bridge's, or those
/// of the host's sub-interface.
[[nodiscard]] std::vector<Cidr> host_addresses(const Network& network);

/// What every endpoint of the network stands on. `mtu`: bytes, of the endpoints.
[[nodiscard]] plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts);
/// Its end: deletions of the links that create() makes, and nothing else.
[[nodiscard]] plan::Plan remove(const Network& network);

/// The sandbox's interface with its addresses and routes.
[[nodiscard]] plan::Plan attach(const Network& network, const Endpoint& endpoint,
                                const plan::NsRef& sandbox, const Facts& facts);
/// Switches modes of a device off that attach() leaves off: for one that was attached under other
/// facts.
[[nodiscard]] plan::Plan modes_off(const Network& network, const Endpoint& endpoint,
                                   const Facts& facts);
/// Its end: routes of the host, and then links, whose deletion nothing takes back.
[[nodiscard]] plan::Plan detach(const Network& network, const Endpoint& endpoint,
                                const plan::NsRef& sandbox);

}  // namespace berth::drivers
