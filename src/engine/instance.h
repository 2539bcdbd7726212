// The context of every use case: one instance's configuration, store and kernel.
//
// An instance is a store in `root`, handles in `run`, and the network namespace that the process is
// in. Use cases are functions of an Instance and of a Draft (state/draft.h); they share nothing else.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "berth/engine.h"
#include "engine/change/faults.h"
#include "engine/change/lock.h"
#include "plan/apply.h"
#include "sandbox/process_id.h"
#include "store/journal.h"
#include "store/store.h"

namespace berth::engine {

struct Instance {
  Config config;
  std::unique_ptr<store::Store> store;
  store::Journal journal;
  InstanceLock lock;
  plan::Kernel kernel;
  std::string tag;       ///< 8 hex digits that tell this instance's elements of the table
  ino_t store_file = 0;  ///< of the store as it was opened; 0: in memory
  std::optional<Error> elsewhere{};  ///< why nothing may be changed from this network namespace
  Faults faults;
  std::function<void(const Event&)> on_event;  ///< called by the commit; empty: nothing watches
  /// Called after what a dead process left was recovered: for what the journal does not hold.
  std::function<void()> recovered;
  /// The state that all reads are kept on; expired: each read is of its own moment (snapshot.h).
  std::weak_ptr<store::Store::ReadTransaction> snapshot;
  /// Containers of other runtimes as this process found them (targets/targets.h).
  std::map<Target, sandbox::ProcessId> container_processes;

  /// `name` below config.run.
  [[nodiscard]] std::string run_path(std::string_view name) const;
};

/// Opens `instance`, making its directories and predefined networks where they are missing. It must
/// stay where it is from here on.
[[nodiscard]] Status open_instance(Instance& instance, Config config);

/// The same where its store cannot be read, with an empty one in memory in its place: for a reset.
[[nodiscard]] Status open_without_store(Instance& instance, Config config);

}  // namespace berth::engine
