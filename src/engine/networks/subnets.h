// A network's subnets: checked as asked for, or chosen from the address pools.
#pragma once

#include <span>
#include <vector>

#include "berth/engine.h"
#include "ipam/pools.h"
#include "kernel/netlink/socket.h"

namespace berth::engine {

/// The pools that unasked subnets come from: the configured ones, else Docker's and a ULA prefix.
[[nodiscard]] std::vector<ipam::Pool> pools_of(const Config& config);

/// Adds the network's subnets: those asked for, and for each family without one a block of the
/// pools.
[[nodiscard]] Status add_subnets(Network& network, const std::vector<SubnetRequest>& asked,
                                 const std::vector<Network>& others,
                                 std::span<const ipam::Pool> pools, kernel::Socket& route);

}  // namespace berth::engine
