// berth port
#include <algorithm>
#include <memory>
#include <optional>

#include "base/result.h"
#include "frontends/cli/human.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

struct Wanted {
  Port port = 0;
  Protocol protocol = Protocol::kTcp;
};

// "8080" or "8080/udp"
Result<Wanted> parse_wanted(std::string_view text) {
  constexpr std::int64_t kMaxPort = 65535;
  const auto slash = text.find('/');
  Wanted wanted;
  wanted.port = static_cast<Port>(TRY(parse_number("port", text.substr(0, slash), 1, kMaxPort)));
  if (slash != std::string_view::npos)
    wanted.protocol = TRY(parse_protocol(text.substr(slash + 1)));
  return wanted;
}

Action build_port(CLI::App& app) {
  struct Options {
    std::string target, port;
  };
  auto options = std::make_shared<Options>();
  add_argument(
      app, "TARGET", options->target,
      "A sandbox's name or id, netns:PATH, pid:N, docker:NAME, podman:NAME, oci:ID, oci:FILE or "
      "oci:- with the container's state on standard input");
  add_argument(app, "PORT", options->port, "Only where this port is published: 8080 or 53/udp",
               Need::kOptional);
  return [options](Context& context) -> Result<int> {
    std::optional<Wanted> wanted;
    if (!options->port.empty()) wanted = TRY(parse_wanted(options->port));
    auto engine = TRY(context.open());
    const auto snapshot = TRY(engine.snapshot(options->target));
    const auto sandbox = TRY(engine.sandbox(options->target));
    std::vector<PortMapping> ports;
    for (const auto& endpoint : TRY(engine.endpoints_of_sandbox(sandbox)))
      ports.insert(ports.end(), endpoint.ports.begin(), endpoint.ports.end());
    std::ranges::sort(ports, {}, [](const PortMapping& port) {
      return std::tuple(port.container_port, port.protocol, port.host_ip, port.host_port);
    });
    bool found = false;
    for (const auto& port : ports) {
      if (!wanted) {
        print(fmt::format("{}/{} -> {}\n", port.container_port, name(port.protocol),
                          host_port(port)));
      } else if (port.container_port == wanted->port && port.protocol == wanted->protocol) {
        print(host_port(port) + "\n");
        found = true;
      }
    }
    if (!wanted || found) return kExitOk;
    return fail(ErrorKind::kNotFound, "port {}/{} of {} is not published", wanted->port,
                name(wanted->protocol), options->target);
  };
}

}  // namespace

constinit const Verb kPortVerb = {
    .name = "port",
    .summary = "List published ports, or where one is published",
    .examples =
        "berth port server\n"
        "berth port server 8080\n"
        "berth port server 53/udp\n",
    .build = build_port,
};

}  // namespace berth::cli
