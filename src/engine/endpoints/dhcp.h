// The DHCP client of an endpoint.
#pragma once

#include <string>

#include "berth/engine.h"
#include "plan/op.h"

namespace berth::engine {

struct Instance;

/// Refuses a network with DHCP that cannot work.
[[nodiscard]] Status check_dhcp(const Network& network, const CreateNetwork& request);
/// The directory of the endpoint's client.
[[nodiscard]] std::string dhcp_directory(const Instance& instance, const Endpoint& endpoint);
/// What starts the endpoint's client.
[[nodiscard]] plan::StartDhcp dhcp_client(const Instance& instance, const Sandbox& sandbox,
                                          const Endpoint& endpoint);

}  // namespace berth::engine
