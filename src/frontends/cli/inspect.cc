#include "frontends/cli/inspect.h"

#include <algorithm>

#include "base/result.h"
#include "frontends/cli/output.h"
#include "frontends/cli/template.h"

namespace berth::cli {

using frontends::Json;

Result<Json> inspected_network(Engine& engine, const Network& network, bool verbose) {
  const auto sandboxes = TRY(engine.sandboxes());
  std::vector<frontends::NetworkMember> members;
  for (auto& endpoint : TRY(engine.endpoints_of_network(network.id))) {
    const auto sandbox = std::ranges::find(sandboxes, endpoint.sandbox_id, &Sandbox::id);
    members.push_back({std::move(endpoint), sandbox == sandboxes.end() ? "" : sandbox->name});
  }
  auto form = frontends::network_form(network, members);
  if (verbose) form["Status"] = frontends::network_status_form(TRY(engine.subnet_use(network)));
  return form;
}

Result<Json> inspected_sandbox(Engine& engine, const Sandbox& sandbox) {
  auto endpoints = TRY(engine.endpoints_of_sandbox(sandbox));
  if (endpoints.empty() && !predefined_network(sandbox).empty()) {
    // Docker lists host and none among the networks as well, without addresses.
    Endpoint endpoint;
    const auto network = TRY(engine.network(std::string(predefined_network(sandbox))));
    endpoint.network_id = network.id;
    endpoint.network_name = network.name;
    endpoints.push_back(std::move(endpoint));
  }
  return frontends::sandbox_form(
      sandbox, {.endpoints = endpoints,
                .hosts_path = engine.sandbox_file(sandbox, "hosts"),
                .hostname_path = engine.sandbox_file(sandbox, "hostname"),
                .resolv_conf_path = engine.sandbox_file(sandbox, "resolv.conf"),
                .log_path = sandbox.log ? engine.sandbox_file(sandbox, "log") : std::string()});
}

Status print_inspected(const Json& objects, const std::string& format) {
  if (format.empty() || format == "json") {
    const int indent = format.empty() ? 4 : -1;
    print(objects.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n");
    return {};
  }
  const auto parsed = TRY(Template::parse(format));
  for (const auto& object : objects) print(TRY(parsed.render(object)) + "\n");
  return {};
}

}  // namespace berth::cli
