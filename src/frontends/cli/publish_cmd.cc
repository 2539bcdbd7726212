// berth publish|unpublish: ports of what runs already.
#include <algorithm>
#include <memory>

#include "base/result.h"
#include "frontends/cli/human.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

struct Options {
  std::string target, network;
  std::vector<std::string> ports;
  DryRun dry_run;
};

std::shared_ptr<Options> add_options(CLI::App& app, const char* network_help,
                                     const char* port_help) {
  auto options = std::make_shared<Options>();
  add_argument(
      app, "TARGET", options->target,
      "A sandbox's name or id, netns:PATH, pid:N, docker:NAME, podman:NAME, oci:ID, oci:FILE "
      "or oci:- with the container's state on standard input");
  add_text(app, "--network", "NETWORK", options->network, network_help);
  add_list(app, "-p,--publish", "PORT", options->ports, port_help);
  add_dry_run(app, options->dry_run);
  return options;
}

Result<std::vector<PortSpec>> ports_of(const Options& options) {
  if (options.ports.empty())
    return fail(ErrorKind::kInvalid, "which ports? give --publish, as in -p 8080:80");
  return parse_ports(options.ports);
}

bool is_meant(const PortSpec& spec, const PortMapping& port) {
  const auto is_in = [](Port number, Port first, Port last) {
    return first <= number && number <= last;
  };
  return port.protocol == spec.protocol && (!spec.host_ip || port.host_ip == *spec.host_ip) &&
         (spec.host_first == 0 || is_in(port.host_port, spec.host_first, spec.host_last)) &&
         is_in(port.container_port, spec.container_first, spec.container_last);
}

Action build_publish(CLI::App& app) {
  auto options = add_options(
      app, "The network to publish on; may be left out where there is only one",
      "Publish a port: [hostIP:][hostPort:]containerPort[/tcp|udp|sctp], ranges as 80-82");
  return [options](Context& context) -> Result<int> {
    const Publish request{options->network, options->target, TRY(ports_of(*options))};
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, request);
    for (const auto& port : TRY(engine.publish(request)).ports)
      if (std::ranges::any_of(request.ports,
                              [&](const auto& spec) { return is_meant(spec, port); }))
        print(fmt::format("{}/{} -> {}\n", port.container_port, name(port.protocol),
                          host_port(port)));
    return kExitOk;
  };
}

// What is to be taken back, of each endpoint of the target.
Result<std::vector<Unpublish>> requests_for(Engine& engine, const Options& options,
                                            const std::vector<PortSpec>& specs) {
  const auto snapshot = TRY(engine.snapshot(options.target));
  const auto sandbox = TRY(engine.sandbox(options.target));
  const auto network_id =
      options.network.empty() ? std::string() : TRY(engine.network(options.network)).id;
  std::vector<bool> found(specs.size());
  std::vector<Unpublish> requests;
  for (const auto& endpoint : TRY(engine.endpoints_of_sandbox(sandbox))) {
    if (!network_id.empty() && endpoint.network_id != network_id) continue;
    Unpublish request{endpoint.network_name, options.target, {}};
    for (const auto& port : endpoint.ports) {
      bool wanted = false;
      for (std::size_t i = 0; i < specs.size(); ++i) {
        if (!is_meant(specs[i], port)) continue;
        wanted = found[i] = true;
      }
      if (wanted) request.ports.push_back(port);
    }
    if (!request.ports.empty()) requests.push_back(std::move(request));
  }
  if (const auto missing = std::ranges::find(found, false); missing != found.end())
    return fail(ErrorKind::kNotFound, "{} does not publish {}{}", options.target,
                options.ports[static_cast<std::size_t>(missing - found.begin())],
                options.network.empty() ? "" : " on network " + options.network);
  return requests;
}

Action build_unpublish(CLI::App& app) {
  auto options =
      add_options(app, "The network to take them back from; else whichever has them",
                  "A published port, as publish takes it; without hostPort all that lead to "
                  "containerPort");
  return [options](Context& context) -> Result<int> {
    const auto specs = TRY(ports_of(*options));
    auto engine = TRY(context.open(options->dry_run));
    for (const auto& request : TRY(requests_for(engine, *options, specs))) {
      if (options->dry_run.on)
        TRY(show_plan(engine, options->dry_run, request));
      else
        TRY(engine.unpublish(request));
    }
    return kExitOk;
  };
}

}  // namespace

constinit const Verb kPublishVerb = {
    .name = "publish",
    .summary = "Publish ports of what runs already",
    .details =
        "The ports belong to the connection with the network and go with it. Where they are "
        "published is printed, as by 'berth port'.",
    .examples =
        "berth publish -p 8080:80 server\n"
        "berth publish --network web -p 127.0.0.1::80 -p 53:53/udp server\n"
        "berth publish --dry-run -p 8080:80 docker:web\n",
    .build = build_publish,
};

constinit const Verb kUnpublishVerb = {
    .name = "unpublish",
    .summary = "Take published ports back, those of run -p included",
    .examples =
        "berth unpublish -p 8080:80 server\n"
        "berth unpublish -p 53/udp server\n",
    .build = build_unpublish,
};

}  // namespace berth::cli
