// Sandboxes: namespaces and processes on networks, made, run, stopped, removed, and their ends
// recorded, however they come.
#pragma once

#include <chrono>
#include <thread>
#include <vector>

#include "berth/engine.h"
#include "engine/instance.h"
#include "engine/state/draft.h"
#include "engine/targets/targets.h"

namespace berth::engine {

[[nodiscard]] Result<Sandbox> prepare(Instance& instance, Draft& draft,
                                      const CreateSandbox& request);
[[nodiscard]] Result<Sandbox> prepare(Instance& instance, Draft& draft, const RunProcess& request);
[[nodiscard]] Status prepare(Instance& instance, Draft& draft, const StopSandboxes& request);
[[nodiscard]] Status prepare(Instance& instance, Draft& draft, const RemoveSandboxes& request);

[[nodiscard]] Result<Sandbox> create_sandbox(Instance& instance, const CreateSandbox& request);
[[nodiscard]] std::expected<Started, RunError> run_sandbox(Instance& instance,
                                                           const RunProcess& request);
[[nodiscard]] std::vector<Outcome> stop_sandboxes(Instance& instance, const StopSandboxes& request);
[[nodiscard]] std::vector<Outcome> remove_sandboxes(Instance& instance,
                                                    const RemoveSandboxes& request);

/// Refuses to `verb` (stop, rm) `owner` while sandboxes that are not in `targets` share its
/// namespace.
[[nodiscard]] Status check_not_shared(Instance& instance, State& state, const Sandbox& owner,
                                      const std::vector<Target>& targets, std::string_view verb);
/// What opens the network namespace of `sandbox`: a sharer, if its own process has ended.
[[nodiscard]] Result<plan::NsRef> namespace_of(State& state, const Sandbox& sandbox);

// Ends. A shim reports its process's end; a process or namespace that is gone without a report (a
// shim killed by -9) is collected by the next command.

/// Whether it is gone without its end being recorded, and no shim is about to record it.
[[nodiscard]] bool is_dead(Instance& instance, const Sandbox& sandbox);
/// Adds the end of a process sandbox, or of a namespace that is gone, to the draft. True if its
/// record goes as well.
[[nodiscard]] Result<bool> prepare_end(Instance& instance, Draft& draft, const Sandbox& sandbox,
                                       int exit_code);
/// Records the end of a process sandbox, or of a namespace that is gone.
[[nodiscard]] Status finish(Instance& instance, const Sandbox& sandbox, int exit_code);
/// The same under the lock, unless it is recorded already.
[[nodiscard]] Status finish_if_known(Instance& instance, const Sandbox& sandbox, int exit_code);
/// Collects all sandboxes that are dead. Does nothing for a plan, and while a snapshot is held.
[[nodiscard]] Status collect_dead(Instance& instance);
/// The same for what `reference` names; the lock is not held.
[[nodiscard]] Status collect_stale(Instance& instance, const Target& reference);

/// body(), and once more if it failed for something that a dead sandbox may hold (a name, an
/// address, a port) and the dead were collected. The lock is not held.
template <typename Body>
auto with_dead_collected(Instance& instance, Body body) -> decltype(body()) {
  auto done = body();
  if (done) return done;
  const auto kind = done.error().kind;
  // A MAC address that the kernel says is in use has been waited for already (plan/outbox.cc).
  const bool held = (kind == ErrorKind::kInUse && done.error().sys != EADDRINUSE) ||
                    kind == ErrorKind::kExists || kind == ErrorKind::kExhausted;
  if (!held || instance.config.only_plan || !collect_dead(instance)) return done;
  done = body();
  // A namespace that is gone takes its interfaces down a moment later (cleanup_net in
  // net/core/net_namespace.c), and until then they hold their parent.
  constexpr auto kPause = std::chrono::milliseconds(20);
  constexpr int kTries = 100;
  for (int i = 0; i < kTries && !done; ++i) {
    if (done.error().sys != EBUSY) break;
    std::this_thread::sleep_for(kPause);
    done = body();
  }
  return done;
}

}  // namespace berth::engine
