// berth attach|detach: interfaces for what others run, at the addresses that the caller chooses.
#include <memory>

#include "base/result.h"
#include "frontends/cli/background.h"
#include "frontends/cli/options.h"
#include "frontends/cli/output.h"
#include "frontends/cli/verbs.h"

namespace berth::cli {
namespace {

// ADDRESS/PREFIX[@GATEWAY]
Status add_address(EndpointOptions& options, const std::string& text) {
  const auto at = text.find('@');
  const auto address = TRY(Cidr::parse(text.substr(0, at)));
  options.addresses.push_back(address);
  if (at == text.npos) return {};
  auto gateway = Ip::parse(text.substr(at + 1));
  if (!gateway) return std::unexpected(in_context(gateway.error(), "{}", text));
  if (gateway->family() != address.ip().family())
    return fail(ErrorKind::kInvalid, "{}: address and gateway are not of one family", text);
  auto& known = gateway->is_v4() ? options.gateway4 : options.gateway6;
  if (known && *known != *gateway)
    return fail(ErrorKind::kInvalid, "{}: there is the gateway {} already: give one", text,
                known->str());
  known = *gateway;
  return {};
}

Action build_attach(CLI::App& app) {
  struct Options {
    Connect request;
    std::vector<std::string> addresses;
    std::string ifname, vlan, mac;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "TARGET", options->request.target,
               "netns:PATH, pid:N, docker:NAME, podman:NAME, oci:ID, oci:FILE, oci:- with the "
               "container's state on standard input, or a sandbox of berth's");
  add_arguments(
      app, "ADDRESS/PREFIX[@GATEWAY]", options->addresses,
      "Addresses of the interface, whoever's; with a gateway for the default route. None: "
      "the network gives them",
      Need::kOptional);
  add_text(app, "--network", "NETWORK", options->request.network, "The network to attach it to");
  add_text(app, "--ifname", "NAME", options->ifname,
           "Name of the interface; else eth and the first free number");
  add_text(app, "--vlan", "NUMBER", options->vlan,
           "Access VLAN of the bridge port; else the network's");
  add_text(app, "--mac-address", "MAC", options->mac,
           "Hardware address; else one that begins with 02:42");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    constexpr int kLastVlan = 4094;  // IEEE 802.1Q: 0 and 4095 are no VLANs
    auto& request = options->request;
    if (request.network.empty())
      return fail(ErrorKind::kInvalid, "which network? give --network NETWORK");
    for (const auto& text : options->addresses) TRY(add_address(request.options, text));
    request.options.ifname =
        TRY(parse_optional<IfName>("--ifname", options->ifname)).value_or(IfName{});
    request.options.mac = TRY(parse_optional<Mac>("--mac-address", options->mac));
    if (!options->vlan.empty())
      request.options.vlan =
          static_cast<std::uint16_t>(TRY(parse_number("--vlan", options->vlan, 1, kLastVlan)));
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, request);
    announce_in_background(engine, {TRY(engine.connect(request))});
    return kExitOk;
  };
}

Action build_detach(CLI::App& app) {
  struct Options {
    Disconnect request;
    std::string address;
    DryRun dry_run;
  };
  auto options = std::make_shared<Options>();
  add_argument(app, "TARGET", options->request.target, "As of attach");
  add_argument(app, "ADDRESS", options->address,
               "The attachment that has this address, which goes with all its addresses",
               Need::kOptional);
  add_text(app, "--network", "NETWORK", options->request.network,
           "The attachment to this network; without it and an address: the only one");
  add_flag(app, "-f,--force", options->request.force,
           "Go on past the kernel's errors and forget the attachment");
  add_dry_run(app, options->dry_run);
  return [options](Context& context) -> Result<int> {
    auto& request = options->request;
    if (!options->address.empty()) {
      if (!request.network.empty())
        return fail(ErrorKind::kInvalid, "{} and --network {}: give one of them", options->address,
                    request.network);
      // With the prefix that attach took, or without.
      request.address = TRY(Ip::parse(options->address.substr(0, options->address.find('/'))));
    }
    auto engine = TRY(context.open(options->dry_run));
    if (options->dry_run.on) return show_plan(engine, options->dry_run, request);
    TRY(engine.disconnect(request));
    return kExitOk;
  };
}

}  // namespace

constinit const Verb kAttachVerb = {
    .name = "attach",
    .summary = "Give a container or namespace an interface with addresses of your choice",
    .details =
        "What is attached may be anybody's: a container of Docker, podman or an OCI runtime, a "
        "process, a namespace. The addresses need not be of the network's subnets; what berth has "
        "given to somebody else is refused. With a gateway the default route goes by it, unless "
        "there is one that is not berth's. The interface ends with the namespace, or by detach.",
    .examples =
        "berth attach docker:web 192.168.1.10/24@192.168.1.1 --network lan\n"
        "berth attach pid:4711 10.1.1.5/24 fd00:1::5/64 --network lan --ifname lan0\n"
        "runc state box | berth attach oci:- 10.1.1.6/24 --network lan --vlan 10\n"
        "berth attach --dry-run netns:/run/netns/blue --network web\n",
    .build = build_attach,
};

constinit const Verb kDetachVerb = {
    .name = "detach",
    .summary = "Take an interface away that attach or network connect gave",
    .examples =
        "berth detach docker:web\n"
        "berth detach pid:4711 10.1.1.5\n"
        "berth detach netns:/run/netns/blue --network lan\n",
    .build = build_detach,
};

}  // namespace berth::cli
