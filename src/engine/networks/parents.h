// What macvlan and ipvlan networks stand on: a device of the host, their parent.
#pragma once

#include <vector>

#include "engine/state/draft.h"

namespace berth::engine {

struct Instance;

/// Fills in what the request left open about the network's parent; refuses what the kernel would.
[[nodiscard]] Status complete_parent(Instance& instance, Network& network,
                                     const std::vector<Network>& others);
/// The addresses of the host's own sub-interface, one of each subnet: the auxiliary address called
/// "host", else the first free one.
[[nodiscard]] Status choose_host_addresses(Instance& instance, Draft& draft, Network& network);
/// Those of them that the request did not name.
[[nodiscard]] std::vector<Ip> chosen_host_addresses(const Network& network);
/// An error if the network's parent, a device that berth did not make, is gone or cannot be one.
[[nodiscard]] Status check_parent(Instance& instance, const Network& network);
/// Whether the network's parent, which berth made, carries another network as well.
[[nodiscard]] Result<bool> parent_shared(Draft& draft, const Network& network);
[[nodiscard]] Result<Realised> realise_on_parent(Instance& instance, Draft& draft, Network network);
/// What the driver decides of a new endpoint: its MAC address, default route.
[[nodiscard]] Status complete_on_parent(Instance& instance, Draft& draft, const Network& network,
                                        Endpoint& endpoint);

}  // namespace berth::engine
