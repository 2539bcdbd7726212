// Finding the sandbox that a request names: one of berth's, netns:PATH, pid:N, or a container of
// somebody else's runtime.

#include "engine/targets/targets.h"

#include <linux/netlink.h>

#include <algorithm>
#include <charconv>

#include "base/result.h"
#include "engine/endpoints/default_route.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/netns/netns.h"
#include "runtimes/container.h"
#include "sandbox/process_id.h"

namespace berth::engine {
namespace {

constexpr std::string_view kNetnsPrefix = "netns:";

constexpr std::string_view kPidPrefix = "pid:";

// The namespace file that netns:PATH or pid:N means, or nullopt for anything else.
Result<std::optional<std::string>> named_path(const Target& reference) {
  if (reference.starts_with(kNetnsPrefix)) {
    const auto path = reference.substr(kNetnsPrefix.size());
    if (!path.starts_with('/'))
      return fail(ErrorKind::kInvalid,
                  "{}: give the absolute path of a namespace file, like "
                  "netns:/run/netns/blue",
                  reference);
    TRY(check_text(path));
    return path;
  }
  if (!reference.starts_with(kPidPrefix)) return std::nullopt;
  const auto digits = std::string_view(reference).substr(kPidPrefix.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), pid);
  if (error != std::errc{} || end != digits.end() || pid <= 0)
    return fail(ErrorKind::kInvalid, "{}: give a process number, like pid:4711", reference);
  return fmt::format("/proc/{}/ns/net", pid);
}

}  // namespace

Result<std::optional<std::string>> foreign_path(Instance& instance, const Target& reference) {
  if (!runtimes::is_container(reference)) return named_path(reference);
  // One request names its target several times: a runtime is asked once as long as the process that
  // it named lives, and standard input can be read once only.
  const auto known = instance.container_processes.find(reference);
  if (known != instance.container_processes.end() && sandbox::alive(known->second))
    return fmt::format("/proc/{}/ns/net", known->second.pid);
  const auto found = TRY(runtimes::find_process(reference, instance.config.docker_host));
  const auto process = sandbox::identify(found.pid);
  if (!process || (found.start_time && *found.start_time != process->start_time))
    return fail(ErrorKind::kNotFound, "{}: its process {} is gone: the container is not running",
                reference, found.pid);
  instance.container_processes[reference] = *process;
  return fmt::format("/proc/{}/ns/net", process->pid);
}

Result<kernel::Netns> open_foreign(Instance& instance, const Target& reference) {
  const auto path = TRY(foreign_path(instance, reference));
  if (!path) return fail(ErrorKind::kInvalid, "{} is no namespace of somebody else's", reference);
  return kernel::Netns::open(*path);
}

Result<Sandbox> find_sandbox(Instance& instance, State& state, const Target& reference) {
  const auto path = foreign_path(instance, reference);
  if (path && !*path) return state.sandbox(reference);
  if (!path && path.error().kind == ErrorKind::kInvalid) return std::unexpected(path.error());
  // A namespace that is gone can still be found by the name it was connected under.
  const auto netns = path ? kernel::Netns::open(**path) : std::unexpected(path.error());
  if (netns) {
    auto sandbox = TRY(state.sandbox_by_netns(netns->inode()));
    const bool foreign = sandbox && sandbox->kind == SandboxKind::kForeign;
    if (sandbox && (foreign ? !is_dead(instance, *sandbox) : alive(*sandbox)))
      return *std::move(sandbox);
  }
  auto by_name = state.sandbox(reference);
  if (by_name) return by_name;
  if (!path) return std::unexpected(path.error());
  if (!netns) return std::unexpected(in_context(netns.error(), "{}", reference));
  return fail(ErrorKind::kNotFound, "{} is not connected to any network", reference);
}

Result<TargetSandbox> find_target(Instance& instance, Draft& draft, const Target& reference) {
  auto& state = draft.state;
  TargetSandbox target;
  const auto note_if_dead = [&](const Sandbox& sandbox) {
    if (std::ranges::find(draft.dead, sandbox.id, &Sandbox::id) == draft.dead.end() &&
        is_dead(instance, sandbox))
      draft.dead.push_back(sandbox);
  };
  const auto path = TRY(foreign_path(instance, reference));
  // What was connected under that name may be gone and another namespace there.
  if (path)
    if (const auto named = state.sandbox_named(reference); named && *named) note_if_dead(**named);
  if (!path) {
    target.sandbox = TRY(state.sandbox(reference));
    note_if_dead(target.sandbox);
    if (!alive(target.sandbox))
      return fail(ErrorKind::kNotFound, "sandbox {} is not running: run it again",
                  target.sandbox.name);
    target.ns = {target.sandbox.netns_path, target.sandbox.netns_inode};
    if (target.sandbox.kind != SandboxKind::kForeign) return target;
  }

  auto netns = kernel::Netns::open(path ? *path : target.ns.path);
  if (!netns) return std::unexpected(in_context(netns.error(), "{}", reference));
  if (path) {
    if (netns->inode() == TRY(instance.kernel.inode()))
      return fail(ErrorKind::kInvalid,
                  "{} is the host's own network namespace: give the one of a container", reference);
    target.ns = {*path, netns->inode()};
    // The kernel gives the number of a namespace that is gone to the next one.
    auto known = TRY(state.sandbox_by_netns(netns->inode()));
    if (known) note_if_dead(*known);
    // Its own path may open it no more while others are in it: this one does.
    if (known && known->kind == SandboxKind::kForeign && !alive(*known) &&
        !is_dead(instance, *known))
      known->netns_path = *path;
    if (known && alive(*known)) {
      target.sandbox = *std::move(known);
      target.ns.path = target.sandbox.netns_path;
      if (target.sandbox.kind != SandboxKind::kForeign) return target;
    } else {
      target.sandbox.id = random_id();
      target.sandbox.name = reference;
      target.sandbox.kind = SandboxKind::kForeign;
      target.sandbox.state = SandboxState::kRunning;
      target.sandbox.netns_path = *path;
      target.sandbox.netns_inode = netns->inode();
      target.sandbox.created = target.sandbox.started = now();
    }
  }

  // A foreign namespace may hold anything: look before adding to it.
  draft.namespaces.keep(target.ns, *std::move(netns));
  auto& socket = *TRY(draft.namespaces.route(instance.kernel, target.ns));
  target.loopback_down = !TRY(kernel::link_is_up(socket, TRY(IfName::parse("lo"))));
  return target;
}

Result<bool> has_foreign_default(Instance& instance, Draft& draft, const TargetSandbox& target,
                                 std::span<const Endpoint> endpoints, Ip::Family family) {
  if (target.sandbox.kind != SandboxKind::kForeign) return false;
  const auto is_ours = [&](const Endpoint& each) { return has_default(each, family); };
  if (std::ranges::any_of(endpoints, is_ours)) return false;
  auto routes =
      TRY(kernel::list_routes(*TRY(draft.namespaces.route(instance.kernel, target.ns)), family));
  return !without_networks_routes(std::move(routes), endpoints).empty();
}

bool alive(const Sandbox& sandbox) {
  if (sandbox.kind == SandboxKind::kProcess)
    return sandbox.state != SandboxState::kExited &&
           sandbox::alive({sandbox.pid, sandbox.pid_start});
  const auto netns = kernel::Netns::open(sandbox.netns_path);
  return netns && netns->inode() == sandbox.netns_inode;
}

}  // namespace berth::engine
