// Stopping and removing sandboxes, as many at once as there are.

#include <algorithm>
#include <csignal>

#include "base/result.h"
#include "engine/change/change.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/change/snapshot.h"
#include "engine/endpoints/endpoints.h"
#include "engine/instance.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
#include "engine/targets/targets.h"
#include "sandbox/process_id.h"

namespace berth::engine {
namespace {

constexpr auto kKillWait = std::chrono::seconds(10);  // for what SIGKILL has already ended

sandbox::ProcessId process_of(const Sandbox& sandbox) {
  return {sandbox.pid, sandbox.pid_start};
}

sandbox::ProcessId shim_of(const Sandbox& sandbox) {
  return {sandbox.shim_pid, sandbox.shim_start};
}

// Sends without asking whether it is still there: gone is what most callers want.
void send(const sandbox::ProcessId& process, int signal) {
  if (process.pid != 0) (void)sandbox::signal(process, signal);
}

Status prepare_removal(Instance& instance, Draft& draft, const RemoveSandboxes& request) {
  draft.direction = Direction::kRemove;
  draft.verb = fmt::format("remove {}", fmt::join(request.targets, " "));
  std::vector<Endpoint> endpoints;
  plan::Plan namespaces;
  for (const auto& target : request.targets) {
    const auto sandbox = TRY(find_sandbox(instance, draft.state, target));
    const bool running = sandbox.kind == SandboxKind::kProcess && alive(sandbox);
    if (running && !request.force)
      return fail(ErrorKind::kInUse, "sandbox {} is running: stop it first, or use --force",
                  sandbox.name);
    if (running) draft.plan.push_back(plan::SignalProcess{sandbox.pid, SIGKILL});
    for (auto& endpoint : TRY(draft.state.endpoints(sandbox.endpoints)))
      endpoints.push_back(std::move(endpoint));
    if (sandbox.kind == SandboxKind::kNamespace)
      namespaces.push_back(plan::DeleteNetns{sandbox.netns_path});
  }
  TRY(plan_detach(instance, draft, endpoints));
  plan::append(draft.last, std::move(namespaces));
  for (const auto& target : request.targets) {
    // A foreign namespace goes with its last endpoint.
    if (const auto sandbox = find_sandbox(instance, draft.state, target)) {
      draft.state.erase(*sandbox);
      draft.events.push_back(event_of(Event::Action::kSandboxDestroy, *sandbox));
    }
  }
  return {};
}

}  // namespace

// For plan() only: what stop() below and the shims after it will do.
Status prepare(Instance& instance, Draft& draft, const StopSandboxes& request) {
  for (const auto& target : request.targets) {
    const auto sandbox = TRY(find_sandbox(instance, draft.state, target));
    if (sandbox.kind != SandboxKind::kProcess)
      return fail(ErrorKind::kInvalid, "{} has no process to stop", sandbox.name);
    if (sandbox.state != SandboxState::kRunning) continue;
    TRY(check_not_shared(instance, draft.state, sandbox, request.targets, "stop"));
    draft.plan.push_back(plan::SignalProcess{sandbox.pid, request.signal});
    TRY(prepare_end(instance, draft, sandbox, 0));
  }
  return {};
}

std::vector<Outcome> stop_sandboxes(Instance& instance, const StopSandboxes& request) {
  std::vector<Outcome> outcomes;
  std::vector<sandbox::ProcessId> processes, shims;
  View look(*instance.store);
  const auto allowed = may_change(instance);
  auto one_state = allowed ? begin_reading(instance) : std::unexpected(allowed.error());
  for (const auto& target : request.targets) {
    auto& outcome = outcomes.emplace_back(target, Status{});
    const auto sandbox =
        one_state ? find_sandbox(instance, look.state, target) : std::unexpected(one_state.error());
    if (!sandbox) {
      outcome.status = std::unexpected(sandbox.error());
    } else if (sandbox->kind != SandboxKind::kProcess) {
      outcome.status = fail(ErrorKind::kInvalid, "{} has no process to stop", sandbox->name);
    } else if (sandbox->state == SandboxState::kRunning) {
      outcome.status = check_not_shared(instance, look.state, *sandbox, request.targets, "stop");
      if (!outcome.status) continue;
      processes.push_back(process_of(*sandbox));
      shims.push_back(shim_of(*sandbox));
    }
  }
  if (one_state) one_state->reset();  // what follows takes its time
  for (const auto& process : processes) send(process, request.signal);
  const auto gone = sandbox::wait_gone(processes, request.timeout);
  if (!gone || !*gone) {
    for (const auto& process : processes) send(process, SIGKILL);
    (void)sandbox::wait_gone(processes, kKillWait);
  }
  // A shim is gone once it has recorded the end and taken the network down.
  const auto cleaned = sandbox::wait_gone(shims, kKillWait);
  if (!cleaned || !*cleaned) {
    for (auto& outcome : outcomes)
      if (outcome.status)
        outcome.status = fail(ErrorKind::kIo, "{}: still not cleaned up {} s after it was killed",
                              outcome.reference, kKillWait.count());
  }
  return outcomes;
}

Status prepare(Instance& instance, Draft& draft, const RemoveSandboxes& request) {
  for (const auto& target : request.targets)
    TRY(check_not_shared(instance, draft.state, TRY(find_sandbox(instance, draft.state, target)),
                         request.targets, "rm"));
  return prepare_removal(instance, draft, request);
}

// All that can go go together: one firewall transaction, one request for all links.
std::vector<Outcome> remove_sandboxes(Instance& instance, const RemoveSandboxes& request) {
  std::vector<Outcome> outcomes;
  std::vector<Sandbox> leaving;
  std::vector<Status*> statuses;  // of those who leave
  RemoveSandboxes together{{}, request.force};
  outcomes.reserve(request.targets.size());
  const auto held = lock_instance(instance);
  Draft draft(*instance.store);
  for (const auto& target : request.targets) {
    auto& outcome = outcomes.emplace_back(target, Status{});
    if (!held) {
      outcome.status = std::unexpected(held.error());
      continue;
    }
    auto sandbox = find_sandbox(instance, draft.state, target);
    if (!sandbox) {
      const bool fine = request.force && sandbox.error().kind == ErrorKind::kNotFound;
      if (!fine) outcome.status = std::unexpected(sandbox.error());
      continue;
    }
    if (std::ranges::find(leaving, sandbox->id, &Sandbox::id) != leaving.end()) continue;
    Draft alone(*instance.store);
    outcome.status = prepare_removal(instance, alone, RemoveSandboxes{{target}, request.force});
    if (!outcome.status) continue;
    together.targets.push_back(target);
    leaving.push_back(*std::move(sandbox));
    statuses.push_back(&outcome.status);
  }
  // An owner can go if those who share its namespace go too.
  for (std::size_t i = leaving.size(); i-- > 0;) {
    *statuses[i] = check_not_shared(instance, draft.state, leaving[i], together.targets, "rm");
    if (*statuses[i]) continue;
    leaving.erase(leaving.begin() + static_cast<std::ptrdiff_t>(i));
    statuses.erase(statuses.begin() + static_cast<std::ptrdiff_t>(i));
    together.targets.erase(together.targets.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (leaving.empty()) return outcomes;

  // Killed before the records go: if this process dies in between, they lead to what is left.
  std::vector<sandbox::ProcessId> processes;
  for (const auto& sandbox : leaving) {
    if (sandbox.kind != SandboxKind::kProcess || sandbox.state != SandboxState::kRunning) continue;
    send(shim_of(sandbox), SIGKILL);  // first, or it would report each end on its own
    send(process_of(sandbox), SIGKILL);
    processes.push_back(process_of(sandbox));
    processes.push_back(shim_of(sandbox));
  }
  auto removed = prepare(instance, draft, together);
  if (removed) removed = commit(instance, draft);
  if (!removed && !draft.recorded) {
    for (auto* status : statuses) *status = removed;
    return outcomes;
  }
  (void)sandbox::wait_gone(processes, kKillWait);
  for (const auto& sandbox : leaving) remove_files(instance, sandbox);
  *statuses.front() = std::move(removed);  // what was not as it should be is told once
  return outcomes;
}

}  // namespace berth::engine
