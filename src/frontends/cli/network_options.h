// What `network create` is asked for, as typed requests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "berth/engine.h"
#include "frontends/cli/options.h"

namespace berth::cli {

struct NetworkOptions {
  std::string name;
  std::string driver = "bridge", ipam, scope, config_from;
  std::vector<std::string> subnets, ranges, gateways, aux_addresses;
  std::vector<std::string> labels, options, ipam_options, routes;
  bool ipv4 = true;
  std::optional<bool> ipv6;
  bool internal = false, attachable = false, ingress = false, config_only = false, ignore = false;
  DryRun dry_run;
};

void declare(CLI::App& app, NetworkOptions& into);
/// Ranges, gateways and auxiliary addresses go to the subnet that they lie in.
[[nodiscard]] Result<CreateNetwork> to_request(const NetworkOptions& options);

}  // namespace berth::cli
