// Which endpoint a sandbox's default route goes by. One rule for both families, each on its own
// (docs.docker.com, "docker network connect --gw-priority"; netavark's metric as a second word):
//
//   the highest gw-priority; of equal ones the lowest metric of the network; of equal ones the
//   first name of a network
//
// among those that are a way out in that family. A route of a network's own (network create
// --route) that is in the place of a default route, with its metric, is held to the same rule: if
// its endpoint is the better one, it stands alone; else one of them needs another metric. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "berth/network.h"
#include "kernel/netlink/route.h"

namespace berth::engine {

/// What the rule compares: of two endpoints, the one with the lesser rank is the better way out.
/// `metric`: of the endpoint's network.
using Rank = std::tuple<std::int64_t, std::uint32_t, std::string_view>;
[[nodiscard]] Rank rank_of(const Endpoint& endpoint, std::uint32_t metric);

/// The index of that endpoint; none if none is a way out. `metrics`: of the endpoints' networks.
[[nodiscard]] std::optional<std::size_t> default_route_by(std::span<const Endpoint> endpoints,
                                                          std::span<const std::uint32_t> metrics,
                                                          Ip::Family family);

/// The route of the endpoint's network that is where a default route of that metric would be; null:
/// none is.
[[nodiscard]] const Route* in_place_of_default(const Endpoint& endpoint, Ip::Family family,
                                               std::uint32_t metric);
/// The default routes that the kernel has, without those of the endpoints' networks.
[[nodiscard]] std::vector<kernel::Route> without_networks_routes(
    std::vector<kernel::Route> routes, std::span<const Endpoint> endpoints);

[[nodiscard]] bool has_default(const Endpoint& endpoint, Ip::Family family);
void set_default(Endpoint& endpoint, Ip::Family family, bool on);

}  // namespace berth::engine
