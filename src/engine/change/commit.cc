#include "engine/change/commit.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/json_writer.h"
#include "base/result.h"
#include "engine/change/change.h"
#include "engine/change/orphan_links.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "kernel/netlink/link.h"
#include "plan/json.h"
#include "plan/whose.h"
#include "store/disk.h"

namespace berth::engine {
namespace {

std::string journal_entry(const Change& change, const plan::Plan& plan) {
  // Only a removal is finished later, so only a removal's writes are needed.
  std::vector<std::vector<std::optional<std::string>>> kept;
  if (change.direction == Direction::kRemove)
    for (const auto& write : change.transaction.writes()) kept.push_back({write.key, write.value});
  json::Writer verb, writes;
  verb.write(change.verb);
  writes.write(kept);
  const auto* remove = change.direction == Direction::kRemove ? "true" : "false";
  return R"({"verb":)" + verb.take() + R"(,"remove":)" + remove + R"(,"plan":)" +
         plan::to_json(plan) + R"(,"writes":)" + writes.take() + "}";
}

std::string joined(const std::vector<Error>& errors) {
  std::string text;
  for (const auto& error : errors) text += (text.empty() ? "" : "; ") + error.message;
  return text;
}

// Where an error could not take the journal's entry of a removal away.
constexpr std::string_view kCarriedOutLater = "; the next command will carry it out";

void roll_back_rest(const Change& change) {
  for (auto each = change.after_rollback.rbegin(); each != change.after_rollback.rend(); ++each)
    (*each)();
}

// Undoes a change that was applied, and drops its journal entry. A removal that has ended a
// namespace keeps it, for the next command to carry out.
Status take_back(Instance& instance, const Change& change, const plan::Plan& plan, Error error) {
  const auto for_good = [](const plan::Op& op) {
    return std::holds_alternative<plan::DeleteNetns>(op);
  };
  if (change.direction == Direction::kRemove && std::ranges::any_of(plan, for_good)) {
    error.message += kCarriedOutLater;
    return std::unexpected(std::move(error));
  }
  (void)plan::apply_all(instance.kernel, plan::inverse(plan));
  roll_back_rest(change);
  const auto dropped = instance.journal.drop();
  if (!dropped && change.direction == Direction::kRemove) error.message += kCarriedOutLater;
  return std::unexpected(std::move(error));
}

// commit() without its events.
Status carry_out(Instance& instance, Change& change) {
  auto plan = TRY(change.take_plan());
  auto passed_over = plan::spare_others(instance.kernel, plan);
  if (plan.empty() && !change.before_record && passed_over.empty())
    return instance.store->commit(change.transaction.writes(), change.durability);
  if (change.direction == Direction::kMake) TRY(store::check_room(instance.config.root));
  const auto reached = [&](std::string_view step) {
    if (instance.faults.at) instance.faults.at(step);
  };

  const auto id = short_id(random_id());
  TRY(instance.journal.write(id, journal_entry(change, plan)));
  reached("journalled");

  if (change.force) {
    auto errors = plan::apply_all(instance.kernel, plan, instance.faults.before_op);
    passed_over.insert(passed_over.begin(), std::make_move_iterator(errors.begin()),
                       std::make_move_iterator(errors.end()));
  } else if (auto applied = plan::apply(instance.kernel, plan, instance.faults.before_op,
                                        std::move(change.namespaces));
             !applied) {
    roll_back_rest(change);
    const auto dropped = instance.journal.drop();
    // The entry of a making finds nothing left to undo.
    if (!dropped && change.direction == Direction::kRemove)
      applied.error().message += kCarriedOutLater;
    return applied;
  }
  reached("applied");
  if (change.complete) {
    if (auto completed = change.complete(); !completed)
      return take_back(instance, change, plan, completed.error());
  }
  if (change.before_record) {
    if (auto written = change.before_record(); !written) {
      // What was removed is gone: that a file cannot be written does not bring it back.
      if (change.direction == Direction::kMake)
        return take_back(instance, change, plan, written.error());
      passed_over.push_back(std::move(written).error());
    }
  }
  reached("named");

  auto writes = change.transaction.take_writes();
  writes.push_back({std::string(kLastChange), id});
  if (!passed_over.empty()) remember_orphan_links(instance, plan, writes);
  if (auto written = instance.store->commit(writes, change.durability); !written)
    return take_back(instance, change, plan, written.error());
  change.recorded = true;
  reached("recorded");
  (void)instance.journal.drop();  // else whoever comes next does: see kLastChange
  if (passed_over.empty()) return {};
  auto error = passed_over.front();
  error.message = "completed with errors: " + joined(passed_over);
  return std::unexpected(std::move(error));
}

}  // namespace

Status commit(Instance& instance, Change& change) {
  auto done = carry_out(instance, change);
  if (!instance.on_event || (!done && !change.recorded)) return done;
  for (auto& event : change.events) {
    event.time = now();
    instance.on_event(event);
  }
  return done;
}

void make_again(plan::Kernel& kernel, const Result<plan::Plan>& wanted) {
  if (!wanted) return;
  if (const auto gone = plan::missing(kernel, *wanted)) (void)plan::apply_all(kernel, *gone);
}

}  // namespace berth::engine
