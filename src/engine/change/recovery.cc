#include "engine/change/recovery.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/json_writer.h"
#include "base/result.h"
#include "engine/change/change.h"
#include "engine/change/commit.h"
#include "engine/change/lock.h"
#include "engine/change/snapshot.h"
#include "engine/instance.h"
#include "kernel/netlink/link.h"
#include "plan/json.h"
#include "plan/whose.h"
#include "store/disk.h"

namespace berth::engine {
namespace {

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

// Before the key of what was set aside because it cannot be read.
constexpr std::string_view kUnreadable = "unreadable/";

// Carries a dead process's change to its end, or takes it back.
Status settle(plan::Kernel& kernel, const Entry& entry) {
  auto plan = entry.remove ? entry.plan : TRY(plan::rollback(kernel, entry.plan));
  // Since its owner died others may have made links of these names.
  (void)plan::spare_others(kernel, plan);
  // What cannot be taken back (a namespace that is gone, say) was gone with its owner; but who may
  // not do it leaves it to somebody who may.
  for (auto& error : plan::apply_all(kernel, plan))
    if (error.kind == ErrorKind::kPermission) return std::unexpected(std::move(error));
  return {};
}

Status recover_journal(Instance& instance) {
  // Nobody ever will read it: it must not keep everybody from everything.
  const auto set_aside = [&](std::string_view id, std::string text) -> Status {
    TRY(instance.store->commit({{fmt::format("{}journal/{}", kUnreadable, id), std::move(text)}},
                               store::Durability::kNormal));
    return instance.journal.drop();
  };
  auto found = instance.journal.read();
  if (!found && found.error().kind == ErrorKind::kCorrupt)
    return set_aside("damaged", found.error().message);
  if (!found) return std::unexpected(std::move(found).error());
  if (!*found) return {};
  auto& [id, text] = **found;
  if (TRY(instance.store->get(kLastChange)) == id)
    return instance.journal.drop();  // all else was done
  auto entry = read_entry("journal/" + id, text);
  if (!entry) return set_aside(id, std::move(text));
  if (auto settled = settle(instance.kernel, *entry); !settled)
    return std::unexpected(
        in_context(settled.error(), "settle what an earlier command left half-done"));
  TRY(instance.store->commit(entry->writes, store::Durability::kNormal));
  TRY(instance.journal.drop());
  if (instance.recovered) instance.recovered();
  return {};
}

}  // namespace

Result<InstanceLock::Held> take_lock(Instance& instance, int how) {
  if (instance.config.only_plan)
    return InstanceLock::Held();  // nothing changes: nobody is to be kept out
  TRY(may_change(instance));
  auto held = TRY(instance.lock.take(instance.config.root, how));
  // A reset removes the store's file, and this process would go on writing to what nobody reads.
  struct stat info;
  const auto database = instance.config.root + "/berth.db";
  if (::stat(database.c_str(), &info) != 0 || info.st_ino != instance.store_file)
    return fail(ErrorKind::kNotFound, "the instance in {} was reset meanwhile: ask again",
                instance.config.root);
  return held;
}

Result<InstanceLock::Held> lock_instance(Instance& instance) {
  auto held = TRY(take_lock(instance));
  TRY(recover_journal(instance));
  return held;
}

Status recover_abandoned(Instance& instance) {
  if (TRY(instance.journal.empty())) return {};
  const auto held = TRY(take_lock(instance, LOCK_NB));
  return recover_journal(instance);
}

Result<Documents> unreadable_entries(Instance& instance) {
  return list_documents(instance, std::string(kUnreadable) + "journal/");
}

Result<Documents> list_documents(Instance& instance, std::string_view prefix) {
  Documents found;
  TRY(instance.store->scan(prefix, [&](std::string_view key, std::string_view text) {
    found.emplace_back(key, text);
    return true;
  }));
  return found;
}

}  // namespace berth::engine
