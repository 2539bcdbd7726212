// Sandboxes: making them, running processes in them, and recording their ends, however they come.

#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/result.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/change/snapshot.h"
#include "engine/endpoints/endpoints.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/networks/networks.h"
#include "engine/sandboxes/attach.h"
#include "engine/sandboxes/confinement.h"
#include "engine/sandboxes/create.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/host_gateway.h"
#include "engine/sandboxes/modes.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
#include "engine/targets/targets.h"
#include "kernel/netns/netns.h"
#include "sandbox/files.h"
#include "sandbox/names.h"
#include "sandbox/process.h"
#include "sandbox/resolv_conf.h"
#include "store/disk.h"

namespace berth::engine {
namespace {

// The words that are executed.
std::vector<std::string> command_of(const Sandbox& sandbox) {
  auto words = sandbox.argv;
  if (!sandbox.entrypoint.empty()) words.insert(words.begin(), sandbox.entrypoint);
  return words;
}

// Why a process that was made does not run: what it says itself, where it has failed, before
// `consequence`, what then failed because it is gone. One that is about to be a zombie has no
// namespaces any more (do_exit in kernel/exit.c).
RunError why_not_started(sandbox::PendingProcess pending, Error consequence) {
  const auto own_netns = fmt::format("/proc/{}/ns/net", pending.pid());
  if (kernel::Netns::open(own_netns)) return RunError{std::move(consequence)};
  const auto started = std::move(pending).start();
  if (started) return RunError{std::move(consequence)};  // it was killed, and said nothing
  return RunError{started.error().error, started.error().exit_code};
}

class ForegroundProcess : public RunningProcess {
 public:
  explicit ForegroundProcess(sandbox::StartedProcess process) : process_(std::move(process)) {}
  int wait() override { return std::move(process_).wait().value_or(125); }

 private:
  sandbox::StartedProcess process_;
};

}  // namespace

// ---- a namespace without a process --------------------------------------------------------------

// ---- run ----------------------------------------------------------------------------------------

// For plan() only: run() below makes the namespace by starting the process.
Result<Sandbox> prepare(Instance& instance, Draft& draft, const RunProcess& request) {
  const auto mode = TRY(mode_of(draft.state, request));
  auto sandbox = TRY(sandbox_for(draft.state, request, mode));
  plan::NsRef ns{instance.run_path("netns/" + short_id(sandbox.id)), 0};
  if (const auto joined = TRY(namespace_to_join(draft.state, mode))) {
    ns = {mode.owner ? own_netns_path(*mode.owner) : mode.path, joined->inode()};
    if (joined->inode() == TRY(instance.kernel.inode())) ns.path.clear();
  } else {
    draft.plan.push_back(plan::AddNetns{ns.path});
  }
  sandbox.netns_path = ns.path;
  std::vector<Endpoint> endpoints;
  if (sandbox.mode == NetworkMode::kNetworks)
    endpoints = TRY(attach_all(instance, draft, request, {.sandbox = sandbox, .ns = ns}));
  TRY(check_host_gateway(draft.state, sandbox, endpoints));
  draft.plan.push_back(
      plan::StartProcess{ns, sandbox.hostname, sandbox.rootfs, command_of(sandbox)});
  return sandbox;
}

std::expected<Started, RunError> run_sandbox(Instance& instance, const RunProcess& request) {
  const auto refused = [](Error error) { return std::unexpected(RunError{std::move(error)}); };
  std::optional<kernel::Netns> joined;
  auto checked = with_dead_collected(instance, [&]() -> Result<Sandbox> {
    TRY(may_change(instance));
    View look(*instance.store);
    const auto one_state = TRY(begin_reading(instance));
    const auto mode = TRY(mode_of(look.state, request));
    auto sandbox = TRY(sandbox_for(look.state, request, mode));
    joined = TRY(namespace_to_join(look.state, mode));
    if (mode.mode == NetworkMode::kPath) sandbox.netns_path = mode.path;
    return sandbox;
  });
  if (!checked) return refused(checked.error());
  auto sandbox = *std::move(checked);

  // The files must be there before the process is, their content before it starts.
  const auto files = make_files(instance, sandbox);
  if (!files) {
    remove_files(instance, sandbox);
    return refused(files.error());
  }

  auto env = request.env;
  const auto is_hostname = [](const std::string& entry) { return entry.starts_with("HOSTNAME="); };
  if (std::ranges::none_of(env, is_hostname)) env.push_back("HOSTNAME=" + sandbox.hostname);
  const auto file = [&](std::string_view name) {
    return names_directory_of(instance, sandbox) + "/" + std::string(name);
  };
  sandbox::ProcessSpec spec{
      .id = sandbox.id,
      .name = sandbox.name,
      .hostname = sandbox.hostname,
      .domainname = sandbox.domainname,
      .netns = joined ? joined->fd() : -1,
      .argv = command_of(sandbox),
      .env = std::move(env),
      .rootfs = sandbox.rootfs.empty() ? std::nullopt : std::optional(sandbox.rootfs),
      .hosts_file = file("hosts"),
      .hostname_file = file("hostname"),
      .resolv_file = file("resolv.conf"),
      .log_file = directory_of(instance, sandbox) + "/log",
      .detach = request.detach,
      .tty = request.tty,
      .open_stdin = request.open_stdin,
      .workdir = request.workdir,
      .shim = instance.config.shim,
      .on_exit = {instance.config.program, "--root", instance.config.root, "--run",
                  instance.config.run, "sandbox", "exited", sandbox.id}};
  if (auto confined = confine(spec, sandbox); !confined) {
    remove_files(instance, sandbox);
    return refused(confined.error());
  }
  auto pending = sandbox::PendingProcess::spawn(spec);
  if (!pending) {
    remove_files(instance, sandbox);
    return refused(pending.error());
  }

  if (sandbox.netns_path.empty())
    sandbox.netns_path = fmt::format("/proc/{}/ns/net", pending->pid());
  sandbox.pid = pending->id().pid;
  sandbox.pid_start = pending->id().start_time;
  sandbox.shim_pid = pending->shim().pid;
  sandbox.shim_start = pending->shim().start_time;
  sandbox.state = SandboxState::kRunning;
  sandbox.started = now();
  if (!joined) {
    const auto netns = kernel::Netns::open(sandbox.netns_path);
    if (!netns) {
      remove_files(instance, sandbox);
      return std::unexpected(why_not_started(*std::move(pending), netns.error()));
    }
    sandbox.netns_inode = netns->inode();
  }
  std::vector<std::string> networks;
  if (sandbox.mode == NetworkMode::kNetworks)
    for (const auto& each : networks_of(request)) networks.push_back(each.network);
  const auto attach_once = [&]() -> Status {
    Draft attaching(*instance.store);
    sandbox.name = TRY(name_for(attaching.state, sandbox.name));
    attaching.events.push_back(event_of(Event::Action::kSandboxCreate, sandbox));
    std::vector<Endpoint> endpoints;
    sandbox.endpoints.clear();
    sandbox.ports.clear();
    const plan::NsRef ns{sandbox.netns_path, sandbox.netns_inode};
    if (sandbox.mode == NetworkMode::kNetworks) {
      endpoints = TRY(attach_all(instance, attaching, request,
                                 {.sandbox = sandbox, .ns = ns, .loopback_down = true}));
      for (const auto& endpoint : endpoints) sandbox.endpoints.push_back(endpoint.id);
      if (!request.ports.empty()) sandbox.ports = TRY(attaching.state.sandbox(sandbox.id)).ports;
    } else if (sandbox.mode == NetworkMode::kNone) {
      attaching.plan.push_back(plan::SetLinkUp{ns, TRY(IfName::parse("lo"))});
    } else if (sandbox.mode == NetworkMode::kContainer) {
      // It was there a moment ago; from here on the lock keeps it from being removed.
      const auto owner = attaching.state.sandbox(sandbox.shares);
      if (!owner || !alive(*owner))
        return fail(ErrorKind::kNotFound, "{} has just ended", request.networks.front().network);
    }
    TRY(check_host_gateway(attaching.state, sandbox, endpoints));
    attaching.state.put(sandbox);
    attaching.verb = "run " + sandbox.name;
    attaching.events.push_back(event_of(Event::Action::kSandboxStart, sandbox));
    return commit(instance, attaching);
  };
  const auto attach = [&]() -> Status {
    const auto held = TRY(lock_instance(instance));
    TRY(with_healed(instance, networks, attach_once));
    for (const auto& id : sandbox.endpoints) TRY(take_lease(instance, id));
    View look(*instance.store);
    return write_files(instance, look.state, sandbox);
  };
  if (auto attached = with_dead_collected(instance, attach); !attached) {
    auto refusal = why_not_started(*std::move(pending), attached.error());  // and kills it
    sandbox.auto_remove = true;  // nothing of it is to remain
    (void)finish_if_known(instance, sandbox, 125);
    remove_files(instance, sandbox);
    return std::unexpected(std::move(refusal));
  }

  auto started = std::move(*pending).start();
  if (!started) {
    sandbox.auto_remove = true;
    (void)finish_if_known(instance, sandbox, started.error().exit_code);
    return std::unexpected(RunError{started.error().error, started.error().exit_code});
  }
  return Started{sandbox, std::make_unique<ForegroundProcess>(*std::move(started))};
}

// ---- their ends ---------------------------------------------------------------------------------

}  // namespace berth::engine
