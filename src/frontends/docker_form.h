// Docker's JSON form of what berth knows: what `docker inspect` and the Engine API show.
//
// Keys and their order are Docker's, so that tools and templates written for it find what they
// expect. Facts: moby api/swagger.yaml; how the older Engine API (until 1.44) fills Aliases, which
// ends with the sandbox's short id on user-defined networks. As in Docker, the addresses at the top
// of NetworkSettings are those of the default network `bridge` alone; every network's own stand
// in NetworkSettings.Networks.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "berth/engine.h"
#include "berth/network.h"

namespace berth::frontends {

using Json = nlohmann::ordered_json;

/// RFC 3339 in UTC with as many decimals as it takes; time 0 is Docker's "never".
[[nodiscard]] std::string rfc3339(std::int64_t time);

/// An endpoint of a network with the name of its sandbox.
struct NetworkMember {
  Endpoint endpoint;
  std::string sandbox_name;
};
[[nodiscard]] Json network_form(const Network& network, std::span<const NetworkMember> members);

/// Status of a network's verbose form (Engine API 1.52): numbers saturate at 2^64-1.
[[nodiscard]] Json network_status_form(std::span<const SubnetUse> subnets);

/// What a sandbox's form needs beside the sandbox.
struct SandboxDetails {
  std::span<const Endpoint> endpoints;  ///< oldest first; a host network's has no addresses
  std::string hosts_path, hostname_path, resolv_conf_path, log_path;
};
[[nodiscard]] Json sandbox_form(const Sandbox& sandbox, const SandboxDetails& details);

/// {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "12211"}]}
[[nodiscard]] Json ports_form(std::span<const Endpoint> endpoints);
/// One entry of NetworkSettings.Networks.
[[nodiscard]] Json endpoint_form(const Sandbox& sandbox, const Endpoint& endpoint);

}  // namespace berth::frontends
