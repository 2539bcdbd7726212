// One request's effect, before it happens: a plan for the kernel and writes for the store.
//
// Theory of operation: a use case prepares a change and leaves kernel and store as they are; so
// `berth plan` and --dry-run stop here and print it. commit.h makes it happen as a whole:
//
//   journal the plan  ->  apply it  ->  record the writes  ->  drop the journal's entry
//
// A crash in between leaves the entry. The next process that takes the lock undoes a change that was
// making something, and finishes one that was removing: its writes are in the entry (recovery.h).
//
// This folder knows operations, keys and the order of steps. It knows nothing of networks and
// sandboxes: what else has to happen between the steps is given to it as a function.
// Ownership: a change belongs to the request that prepares it, and its functions may refer to it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "berth/event.h"
#include "berth/result.h"
#include "engine/change/transaction.h"
#include "plan/apply.h"
#include "plan/op.h"
#include "store/store.h"

namespace berth::engine {

/// The store's key for the id of the last change that was recorded whole.
constexpr std::string_view kLastChange = "last-change";

enum class Direction { kMake, kRemove };

struct Change {
  explicit Change(store::Store& store) : transaction(store) {}
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  Transaction transaction;
  plan::Plan plan;
  plan::Plan last;              ///< goes after `plan`: deletions of links, which cannot be undone
  plan::Namespaces namespaces;  ///< opened while preparing; the apply goes on with them
  std::string verb;             ///< "connect web to mynet", for the reader of the journal
  Direction direction = Direction::kMake;
  store::Durability durability = store::Durability::kNormal;
  bool force = false;     ///< removing: whether to go on past the kernel's errors
  bool recorded = false;  ///< set by commit: done and recorded; an error only tells what went wrong

  /// All of the plan in the order in which it is carried out, for whoever prints or commits it.
  [[nodiscard]] Result<plan::Plan> take_plan() {
    if (complete_plan) TRY(std::exchange(complete_plan, {})());
    plan::put_flushes_last(plan);
    plan::append(plan, std::exchange(last, {}));
    return std::exchange(plan, {});
  }

  std::vector<Event> events;  ///< told once the change is recorded

  /// Called once all is prepared: adds to the plan what follows from the whole of the change.
  std::function<Status()> complete_plan;
  /// Making: called once the plan is applied, for what is known only then. It may write to the
  /// transaction, not to the plan. Its error undoes the change.
  std::function<Status()> complete;
  /// Called between the plan and the record: writes files that follow from the new state. An error
  /// undoes a making; a removal goes on and tells of it.
  std::function<Status()> before_record;
  /// Called in reverse order after the plan was undone: makes anew what has no inverse, such as a
  /// deleted link, as far as the kernel allows.
  std::vector<std::function<void()>> after_rollback;
};

}  // namespace berth::engine
