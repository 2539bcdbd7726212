#include "engine/sandboxes/modes.h"

#include <algorithm>

#include "base/result.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/state.h"
#include "engine/targets/targets.h"
#include "kernel/netns/netns.h"

namespace berth::engine {
namespace {

constexpr std::string_view kContainerPrefix = "container:";

constexpr std::string_view kPathPrefix = "ns:";

// What is asked for that only an endpoint of the sandbox's own could have, or, sharing the names of
// another, only a hosts file of its own; "": nothing.
std::string_view conflict(const RunProcess& request, const EndpointOptions& options,
                          NetworkMode mode) {
  const bool other = !options.ifname.empty() || !options.host_ifname.empty() ||
                     options.gw_priority != 0 || !options.driver_options.empty();
  if (!request.ports.empty()) return "-p";
  if (options.ip4 || options.ip6 || !options.link_local.empty()) return "--ip";
  if (options.mac) return "--mac-address";
  if (!options.aliases.empty()) return "--network-alias";
  if (!options.links.empty()) return "--link";
  if (other) return "an option of a network's interface";
  if (mode != NetworkMode::kContainer) return "";
  if (!request.hostname.empty()) return "--hostname";
  if (!request.domainname.empty()) return "--domainname";
  if (!request.dns.empty()) return "--dns";
  if (!request.dns_search.empty()) return "--dns-search";
  if (!request.dns_options.empty()) return "--dns-opt";
  if (!request.add_hosts.empty()) return "--add-host";
  return "";
}

std::string reason(const Mode& mode) {
  switch (mode.mode) {
    case NetworkMode::kHost:
      return "interfaces, addresses and ports are the host's own";
    case NetworkMode::kNone:
      return "there is no interface but lo";
    case NetworkMode::kContainer:
      return fmt::format("interfaces, ports and names are those of {}", mode.owner->name);
    case NetworkMode::kPath:
      return "the namespace is somebody else's, and nothing in it is changed";
    case NetworkMode::kNetworks:
      break;
  }
  return "";
}

// The sandbox whose namespace `reference` is in: a sharer's is its owner's.
Result<Sandbox> owner_for(State& state, std::string_view reference) {
  if (reference.empty())
    return fail(ErrorKind::kInvalid,
                "--network container: names no sandbox: container:NAME or container:ID is allowed");
  auto named = TRY(state.sandbox(reference));
  if (named.kind == SandboxKind::kForeign)
    return fail(ErrorKind::kInvalid,
                "--network container:{}: that namespace is somebody else's: share it by "
                "--network ns:PATH",
                reference);
  if (named.mode != NetworkMode::kContainer) return named;
  if (named.state == SandboxState::kExited)
    return fail(ErrorKind::kNotFound, "cannot join the network of sandbox {}: it is not running",
                named.name);
  auto owner = state.sandbox(named.shares);
  if (!owner && owner.error().kind == ErrorKind::kNotFound)
    return fail(ErrorKind::kNotFound,
                "--network container:{}: the sandbox whose namespace it shares is gone", reference);
  return owner;
}

// The mode that stands in the place of a network's name, if one does.
Result<std::optional<Mode>> mode_named(State& state, std::string_view name) {
  if (name.starts_with(kContainerPrefix))
    return Mode{
        NetworkMode::kContainer, TRY(owner_for(state, name.substr(kContainerPrefix.size()))), {}};
  if (name.starts_with(kPathPrefix)) {
    const auto path = name.substr(kPathPrefix.size());
    TRY(check_text(path));
    if (path.starts_with('/')) return Mode{NetworkMode::kPath, {}, std::string(path)};
    return fail(ErrorKind::kInvalid,
                "--network {}: give the absolute path of a namespace file, like "
                "ns:/run/netns/blue",
                name);
  }
  const auto network = TRY(state.network(name));
  if (network.driver == Driver::kHost) return Mode{NetworkMode::kHost, {}, {}};
  if (network.driver == Driver::kNone) return Mode{NetworkMode::kNone, {}, {}};
  return std::nullopt;
}

}  // namespace

Result<Mode> mode_of(State& state, const RunProcess& request) {
  for (const auto& each : request.networks) {
    auto mode = TRY(mode_named(state, each.network));
    if (!mode) continue;
    if (request.networks.size() > 1)
      return fail(ErrorKind::kInvalid,
                  "--network {} leaves no place for another network: {}, so give it alone",
                  each.network, reason(*mode));
    if (const auto option = conflict(request, each.options, mode->mode); !option.empty())
      return fail(ErrorKind::kInvalid, "conflicting options: {} and --network {}: {}", option,
                  each.network, reason(*mode));
    return *std::move(mode);
  }
  return Mode{};
}

std::string own_netns_path(const Sandbox& sandbox) {
  if (sandbox.kind != SandboxKind::kProcess) return sandbox.netns_path;
  return fmt::format("/proc/{}/ns/net", sandbox.pid);
}

Status check_takes_endpoints(State& state, const Sandbox& sandbox, const Network& network,
                             bool attached) {
  if (network.driver == Driver::kHost)
    return fail(ErrorKind::kInvalid,
                "{}: a sandbox cannot be connected to network host or disconnected from it: give "
                "--network host to run",
                sandbox.name);
  switch (sandbox.mode) {
    case NetworkMode::kNetworks:
      return {};
    case NetworkMode::kNone:
      if (attached) return {};
      return fail(ErrorKind::kInvalid,
                  "{} runs with --network none: a sandbox that is private cannot be connected to "
                  "network {} or disconnected from it (`berth attach` gives it an address)",
                  sandbox.name, network.name);
    case NetworkMode::kHost:
    case NetworkMode::kContainer:
    case NetworkMode::kPath:
      break;
  }
  auto mode = network_mode(sandbox);
  if (sandbox.mode == NetworkMode::kContainer)
    if (const auto owner = state.sandbox(sandbox.shares))
      mode = std::string(kContainerPrefix) + owner->name;
  return fail(ErrorKind::kInvalid,
              "{} runs with --network {}: a sandbox that shares its network namespace with another "
              "one or the host cannot be connected to any other network or disconnected from one",
              sandbox.name, mode);
}

Result<std::optional<kernel::Netns>> namespace_to_join(State& state, const Mode& mode) {
  switch (mode.mode) {
    case NetworkMode::kNetworks:
    case NetworkMode::kNone:
      return std::nullopt;
    case NetworkMode::kHost:
      return kernel::Netns::current();
    case NetworkMode::kPath: {
      auto netns = TRY(kernel::Netns::open(mode.path));
      if (netns.inode() == TRY(kernel::Netns::current()).inode())
        return fail(ErrorKind::kInvalid,
                    "--network ns:{} is the host's own namespace: give --network host", mode.path);
      const auto owner = TRY(state.sandbox_by_netns(netns.inode()));
      if (owner && owner->kind != SandboxKind::kForeign && alive(*owner))
        return fail(ErrorKind::kInvalid,
                    "--network ns:{} is the namespace of sandbox {}: give --network container:{}",
                    mode.path, owner->name, owner->name);
      return netns;
    }
    case NetworkMode::kContainer:
      break;
  }
  const auto& owner = *mode.owner;
  if (!alive(owner))
    return fail(ErrorKind::kNotFound, "cannot join the network of sandbox {}: it is not running",
                owner.name);
  auto netns = TRY(kernel::Netns::open(own_netns_path(owner)));
  // A namespace that is not its own has no number in its record: the process has to live still.
  if (!alive(owner) || (owner.netns_inode != 0 && netns.inode() != owner.netns_inode))
    return fail(ErrorKind::kNotFound, "cannot join the network of sandbox {}: it has just ended",
                owner.name);
  return netns;
}

Status check_not_shared(Instance& instance, State& state, const Sandbox& owner,
                        const std::vector<Target>& targets, std::string_view verb) {
  std::vector<std::string> names;
  for (const auto& sharer : TRY(state.sharers(owner.id))) {
    const auto is_sharer = [&](const Target& target) {
      const auto found = find_sandbox(instance, state, target);
      return found && found->id == sharer.id;
    };
    if (alive(sharer) && std::ranges::none_of(targets, is_sharer)) names.push_back(sharer.name);
  }
  // An owner that has ended has left them already.
  if (names.empty() || !alive(owner)) return {};
  return fail(ErrorKind::kInUse,
              "sandbox {} shares its network namespace with {}: {} them first, or all in one "
              "command",
              owner.name, fmt::join(names, ", "), verb);
}

Result<plan::NsRef> namespace_of(State& state, const Sandbox& sandbox) {
  if (sandbox.kind == SandboxKind::kProcess && !alive(sandbox)) {
    for (const auto& sharer : TRY(state.sharers(sandbox.id)))
      if (alive(sharer))
        return plan::NsRef{fmt::format("/proc/{}/ns/net", sharer.pid), sandbox.netns_inode};
  }
  return plan::NsRef{sandbox.netns_path, sandbox.netns_inode};
}

}  // namespace berth::engine
