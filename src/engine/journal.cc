// The instance lock, the journal and how a change is committed. See impl.h for the order of steps.

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/json_writer.h"
#include "base/result.h"
#include "store/disk.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "kernel/netlink/link.h"
#include "plan/json.h"
#include "plan/whose.h"

namespace berth {
namespace {

using engine::Direction;
using engine::InstanceLock;

std::string journal_entry(const engine::Change& change, const plan::Plan& plan) {
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

struct Entry {
  bool remove = false;
  plan::Plan plan;
  store::WriteSet writes;
};

Result<Entry> read_entry(std::string_view key, std::string_view text) {
  try {
    const auto document = nlohmann::json::parse(text);
    Entry entry;
    entry.remove = document.at("remove").get<bool>();
    entry.plan = TRY(plan::from_json(document.at("plan").dump()));
    for (const auto& write : document.at("writes"))
      entry.writes.push_back(
          {write.at(0).get<std::string>(),
           write.at(1).is_null() ? std::nullopt : std::optional(write.at(1).get<std::string>())});
    return entry;
  } catch (const std::exception& error) {
    return fail(ErrorKind::kCorrupt, "{} cannot be read: {}", key, error.what());
  }
}

std::string joined(const std::vector<Error>& errors) {
  std::string text;
  for (const auto& error : errors) text += (text.empty() ? "" : "; ") + error.message;
  return text;
}

// Before the name of a link that could not be deleted; its value is what tells it from another one.
constexpr std::string_view kLeft = "left/";
std::string identity(const kernel::LinkInfo& link) {
  return fmt::format("{} {}", link.index, link.mac ? link.mac->str() : "");
}

// Before the key of what was set aside because it cannot be read.
constexpr std::string_view kUnreadable = "unreadable/";

// Where the store names the change that it has recorded last.
constexpr std::string_view kLastChange = "last-change";

// Where an error could not take the journal's entry of a removal away.
constexpr std::string_view kCarriedOutLater = "; the next command will carry it out";

// Carries a dead process's change to its end, or takes it back.
Status settle(plan::Kernel& kernel, const Entry& entry) {
  auto plan = TRY(entry.remove ? plan::still_to_remove(kernel, entry.plan)
                               : plan::rollback(kernel, entry.plan));
  // Since its owner died others may have made links of these names.
  (void)plan::spare_others(kernel, plan);
  // What cannot be taken back (a namespace that is gone, say) was gone with its owner; but who may
  // not do it leaves it to somebody who may.
  for (auto& error : plan::apply_all(kernel, plan))
    if (error.kind == ErrorKind::kPermission) return std::unexpected(std::move(error));
  return {};
}

}  // namespace

Result<InstanceLock::Held> Engine::Impl::lock_only(int how) {
  if (config.only_plan) return InstanceLock::Held();  // nothing changes: nobody is to be kept out
  TRY(may_change());
  auto held = TRY(instance_lock.take(config.root, how));
  // A reset removes the store's file, and this process would go on writing to what nobody reads.
  struct stat info;
  const auto database = config.root + "/berth.db";
  if (::stat(database.c_str(), &info) != 0 || info.st_ino != store_file)
    return fail(ErrorKind::kNotFound, "the instance in {} was reset meanwhile: ask again",
                config.root);
  return held;
}

Result<InstanceLock::Held> Engine::Impl::lock() {
  auto held = TRY(lock_only());
  TRY(settle_journal());
  return held;
}

Status Engine::Impl::settle_abandoned() {
  if (TRY(journal.empty())) return {};
  const auto held = TRY(lock_only(LOCK_NB));
  return settle_journal();
}

Status Engine::Impl::settle_journal() {
  // Nobody ever will read it: it must not keep everybody from everything.
  const auto set_aside = [&](std::string_view id, std::string text) -> Status {
    TRY(store->commit({{fmt::format("{}journal/{}", kUnreadable, id), std::move(text)}},
                      store::Durability::kNormal));
    return journal.drop();
  };
  auto found = journal.read();
  if (!found && found.error().kind == ErrorKind::kCorrupt)
    return set_aside("damaged", found.error().message);
  if (!found) return std::unexpected(std::move(found).error());
  if (!*found) return {};
  auto& [id, text] = **found;
  if (TRY(store->get(kLastChange)) == id) return journal.drop();  // all else was done
  auto entry = read_entry("journal/" + id, text);
  if (!entry) return set_aside(id, std::move(text));
  if (auto settled = settle(kernel, *entry); !settled)
    return std::unexpected(
        in_context(settled.error(), "settle what an earlier command left half-done"));
  TRY(store->commit(entry->writes, store::Durability::kNormal));
  TRY(journal.drop());
  (void)mend_hosts();  // between its plan and its record a change writes hosts files
  return {};
}

Result<Engine::Impl::Documents> Engine::Impl::unreadable_entries() {
  return documents(std::string(kUnreadable) + "journal/");
}

Result<Engine::Impl::Documents> Engine::Impl::documents(std::string_view prefix) {
  Documents found;
  TRY(store->scan(prefix, [&](std::string_view key, std::string_view text) {
    found.emplace_back(key, text);
    return true;
  }));
  return found;
}

Status Engine::Impl::commit(engine::Change& change) {
  auto plan = std::move(change.plan);
  plan::append(plan, std::move(change.last));
  auto passed_over = plan::spare_others(kernel, plan);
  if (plan.empty() && change.moved.empty() && passed_over.empty())
    return store->commit(change.transaction.writes(), change.durability);
  if (change.direction == Direction::kMake) TRY(store::check_room(config.root));
  const auto reached = [&](std::string_view step) {
    if (faults.at) faults.at(step);
  };

  const auto id = engine::short_id(engine::random_id());
  TRY(journal.write(id, journal_entry(change, plan)));
  reached("journalled");

  if (change.force) {
    auto errors = plan::apply_all(kernel, plan, faults.before_op);
    passed_over.insert(passed_over.begin(), std::make_move_iterator(errors.begin()),
                       std::make_move_iterator(errors.end()));
  } else if (auto applied =
                 plan::apply(kernel, plan, faults.before_op, std::move(change.namespaces));
             !applied) {
    put_back(change);
    const auto dropped = journal.drop();
    // The entry of a making finds nothing left to undo.
    if (!dropped && change.direction == Direction::kRemove)
      applied.error().message += kCarriedOutLater;
    return applied;
  }
  reached("applied");
  if (change.complete) {
    if (auto completed = change.complete(); !completed)
      return take_back(change, plan, completed.error());
  }
  if (auto named = write_moved(change.state, change.moved); !named) {
    // Who goes has gone: that a file cannot be written does not bring it back.
    if (change.direction == Direction::kMake) return take_back(change, plan, named.error());
    passed_over.push_back(std::move(named).error());
  }
  reached("named");

  auto writes = change.transaction.take_writes();
  writes.push_back({std::string(kLastChange), id});
  if (!passed_over.empty()) remember_links_left(plan, writes);
  if (auto written = store->commit(writes, change.durability); !written)
    return take_back(change, plan, written.error());
  change.recorded = true;
  reached("recorded");
  (void)journal.drop();  // else whoever comes next does: see kLastChange
  if (passed_over.empty()) return {};
  auto error = passed_over.front();
  error.message = "done, but not everything went well: " + joined(passed_over);
  return std::unexpected(std::move(error));
}

void Engine::Impl::remember_links_left(const plan::Plan& plan, store::WriteSet& writes) {
  const auto socket = kernel.route();
  if (!socket) return;
  for (const auto& op : plan) {
    const auto* gone = std::get_if<plan::DeleteLink>(&op);
    if (!gone || !gone->ns.is_host()) continue;  // a sandbox's own interface goes with it
    const auto link = kernel::find_link(**socket, gone->name);
    if (link && *link)
      writes.push_back({std::string(kLeft) + gone->name.str(), identity(**link)});
  }
}

Result<plan::Plan> Engine::Impl::links_left(engine::Transaction& transaction) {
  plan::Plan plan;
  for (const auto& [key, which] : TRY(documents(kLeft))) {
    transaction.erase(key);
    const auto name = IfName::parse(std::string_view(key).substr(kLeft.size()));
    if (!name) continue;
    const auto link = TRY(kernel::find_link(*TRY(kernel.route()), *name));
    if (link && identity(*link) == which) plan.push_back(plan::DeleteLink{*name});
  }
  return plan;
}

Status Engine::Impl::take_back(const engine::Change& change, const plan::Plan& plan, Error error) {
  const auto for_good = [](const plan::Op& op) {
    return std::holds_alternative<plan::DeleteNetns>(op);
  };
  if (change.direction == Direction::kRemove && std::ranges::any_of(plan, for_good)) {
    error.message += kCarriedOutLater;
    return std::unexpected(std::move(error));
  }
  (void)plan::apply_all(kernel, plan::inverse(plan));
  put_back(change);
  engine::Change as_before(*store);
  (void)write_moved(as_before.state, change.moved);
  const auto dropped = journal.drop();
  if (!dropped && change.direction == Direction::kRemove)
    error.message += kCarriedOutLater;
  return std::unexpected(std::move(error));
}

}  // namespace berth
