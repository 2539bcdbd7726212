// Published ports: from what was asked for to ports that are free, and from them to elements of the
// firewall's table.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "berth/network.h"
#include "engine/state/state.h"
#include "kernel/nft/element.h"
#include "plan/op.h"

namespace berth::engine {

struct Published {
  std::vector<PortMapping> ports;
  std::vector<PortMapping> translated;  ///< as in Endpoint
};

/// Turns what was asked for into ports that are free, and takes them for `endpoint`, whose
/// addresses are known. In a family whose gateway mode is routed a port of the host is not needed:
/// its host_port is 0. `translate`: does the translator lead from IPv6 to the endpoint's IPv4
/// address. `waiting`: the sandbox's ports that no endpoint publishes by now, whose numbers are
/// chosen for no other port. The result is in the order of `specs`.
[[nodiscard]] Result<Published> resolve_ports(State& state, const Network& network,
                                              const std::vector<PortSpec>& specs,
                                              const Endpoint& endpoint, bool translate,
                                              const std::vector<PortMapping>& waiting = {});

/// The order to choose host ports in, so that no port of a request takes the number that another
/// one needs: first those that name one, then ranges, the one that ends first before the others,
/// then those that leave the number open. Indexes of `specs`.
[[nodiscard]] std::vector<std::size_t> order_of_choice(const std::vector<PortSpec>& specs);

/// Whether the translator is on the way from the host's address to the endpoint: published on IPv6
/// where it has IPv4 alone, or on [::1], whose answers no bridge can take (firewall/table.h).
[[nodiscard]] bool is_translated(const Endpoint& endpoint, const Ip& host_ip);

/// Whether a port of the host, which a sandbox was started with, is free; the error says who has
/// it.
[[nodiscard]] Status check_free(State& state, const PortMapping& wanted);

/// What turns the endpoint's published ports from `before` to `after`: elements that come and go,
/// and the end of UDP flows that would keep an old target. `owner`: the elements' comment.
[[nodiscard]] Result<plan::Plan> port_changes(const Network& network, const Endpoint& endpoint,
                                              const std::vector<PortMapping>& before,
                                              const std::vector<PortMapping>& after,
                                              const std::string& owner);

}  // namespace berth::engine
