#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/result.h"
#include "engine/change/change.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/change/snapshot.h"
#include "engine/endpoints/endpoints.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
#include "engine/targets/find_netns.h"
#include "engine/targets/targets.h"
#include "kernel/netns/netns.h"
#include "sandbox/files.h"
#include "sandbox/names.h"
#include "sandbox/process.h"
#include "sandbox/resolv_conf.h"
#include "store/disk.h"

namespace berth::engine {
namespace {

// Records the ends of `dead`. A disk that cannot be written is no error.
Status record_ends(Instance& instance, const std::vector<Sandbox>& dead) {
  for (const auto& each : dead) {
    auto recorded = finish_if_known(instance, each, 128 + SIGKILL);
    if (recorded) continue;
    // Who only looks sees the record as it is; who wants to change something is told anyway.
    return store::is_disk_error(recorded.error()) ? Status{} : recorded;
  }
  return {};
}

}  // namespace

Result<bool> prepare_end(Instance& instance, Draft& draft, const Sandbox& sandbox, int exit_code) {
  draft.direction = Direction::kRemove;
  draft.verb = "end of " + sandbox.name;
  TRY(plan_detach(instance, draft, TRY(draft.state.endpoints(sandbox.endpoints))));
  auto ended = sandbox;
  ended.exit_code = exit_code;
  if (sandbox.kind == SandboxKind::kProcess)
    draft.events.push_back(event_of(Event::Action::kSandboxDie, ended));
  if (sandbox.auto_remove || sandbox.kind != SandboxKind::kProcess) {
    draft.state.erase(sandbox);
    draft.events.push_back(event_of(Event::Action::kSandboxDestroy, sandbox));
    if (sandbox.kind == SandboxKind::kNamespace)
      draft.last.push_back(plan::DeleteNetns{sandbox.netns_path});
    return true;
  }
  ended.state = SandboxState::kExited;
  ended.finished = now();
  ended.endpoints.clear();
  ended.pid = ended.shim_pid = 0;
  ended.pid_start = ended.shim_start = 0;
  draft.state.erase(sandbox);  // with the index of its namespace, which is gone
  draft.state.put(ended);
  return false;
}

Status finish(Instance& instance, const Sandbox& sandbox, int exit_code) {
  Draft draft(*instance.store);
  const bool forget = TRY(prepare_end(instance, draft, sandbox, exit_code));
  const auto sharers = TRY(draft.state.sharers(sandbox.id));
  if (auto committed = commit(instance, draft); !committed && !draft.recorded) return committed;
  if (!sharers
           .empty()) {  // they go on reading its hosts file, and the addresses are free for others
    auto without_addresses = sandbox;
    without_addresses.endpoints.clear();
    (void)write_hosts(instance, draft.state, without_addresses);
  }
  if (forget) remove_files(instance, sandbox);
  return {};
}

Status finish_if_known(Instance& instance, const Sandbox& sandbox, int exit_code) {
  const auto held = TRY(lock_instance(instance));
  View look(*instance.store);
  auto known = look.state.sandbox(sandbox.id);
  if (!known || known->state == SandboxState::kExited) return {};  // somebody was quicker
  known->auto_remove = known->auto_remove || sandbox.auto_remove;
  return finish(instance, *known, exit_code);
}

bool is_dead(Instance& instance, const Sandbox& sandbox) {
  if (sandbox.state == SandboxState::kExited) return false;
  if (sandbox.kind != SandboxKind::kProcess) {
    View look(*instance.store);
    return !alive(sandbox) && !find_netns(look.state, sandbox);
  }
  // While its shim lives, that is about to report the end with the exit code.
  return !alive(sandbox) && !sandbox::alive({sandbox.shim_pid, sandbox.shim_start});
}

Status collect_dead(Instance& instance) {
  if (!may_change(instance) || instance.config.only_plan) return {};
  View look(*instance.store);
  std::vector<Sandbox> dead;
  for (auto& sandbox : TRY(look.state.sandboxes()))
    if (is_dead(instance, sandbox)) dead.push_back(std::move(sandbox));
  return record_ends(instance, dead);
}

Status collect_stale(Instance& instance, const Target& reference) {
  if (!may_change(instance) || instance.config.only_plan) return {};
  std::vector<Sandbox> dead;
  const auto netns = open_foreign(instance, reference);
  {
    View look(*instance.store);
    const auto one_state = TRY(begin_reading(instance));
    if (auto sandbox = look.state.sandbox(reference); sandbox && is_dead(instance, *sandbox))
      dead.push_back(*std::move(sandbox));
    // The kernel gives the number of a namespace that is gone to the next one. One that is not
    // foreign or not there is none of ours to tell: the request itself will say so.
    if (netns) {
      auto sandbox = TRY(look.state.sandbox_by_netns(netns->inode()));
      if (sandbox && is_dead(instance, *sandbox)) dead.push_back(*std::move(sandbox));
    }
  }
  return record_ends(instance, dead);
}

}  // namespace berth::engine
