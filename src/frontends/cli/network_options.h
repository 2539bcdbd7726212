// What `network create` is asked for, as typed requests.
#pragma once

#include <string>
#include <vector>

#include "berth/engine.h"
#include "frontends/cli/options.h"

namespace berth::cli {

struct NetworkOptions {
  std::string name;
  std::string driver = "bridge";
  std::vector<std::string> subnets, ranges, gateways, aux_addresses;
  std::vector<std::string> labels, options;
  bool internal = false;
  std::string adopt;
  DryRun dry_run;
};

void declare(CLI::App& app, NetworkOptions& into);
/// Ranges, gateways and auxiliary addresses go to the subnet of their address family.
[[nodiscard]] Result<CreateNetwork> to_request(const NetworkOptions& options);

}  // namespace berth::cli
