// Removing everything that the instance made, whatever state its store is in.
//
// Records that cannot be read are told of and passed over. What they described is found by what is
// known without them: an endpoint's veth, the files of its DHCP client, a network's devices and a
// namespace's file are named after their ids, which are in the keys; the rest is found as what is
// left of an instance whose store is lost (leftovers.h).

#include <filesystem>
#include <map>
#include <set>

#include "base/result.h"
#include "engine/change/change.h"
#include "engine/change/commit.h"
#include "engine/change/lock.h"
#include "engine/change/orphan_links.h"
#include "engine/change/recovery.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/networks/claim.h"
#include "engine/networks/networks.h"
#include "engine/repair/leftovers.h"
#include "engine/repair/repair.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "model/json.h"
#include "plan/whose.h"

namespace berth::engine {
namespace {

// What a reset has to pass over because its record cannot be read.
struct Damage {
  std::vector<Error> told;  // one for each record
  plan::Plan leftovers;     // removes what can be known without the record
};

std::string_view id_in(std::string_view key) {
  return key.substr(key.rfind('/') + 1);
}

// The documents that can be read, by id. Calls `damaged` with the others' keys and why.
template <typename T, typename Damaged>
std::map<std::string, T> readable(const std::vector<std::pair<std::string, std::string>>& documents,
                                  Result<T> (*parse)(std::string_view), Damaged damaged) {
  std::map<std::string, T> all;
  for (const auto& [key, text] : documents) {
    auto read = parse(text);
    if (read && read->id != id_in(key))
      read = fail(ErrorKind::kCorrupt, "it says it is '{}'", read->id);
    if (read)
      all.emplace(read->id, *std::move(read));
    else
      damaged(std::string(key), read.error());
  }
  return all;
}

Result<Damage> drop_damaged(Instance& instance) {
  Damage damage;
  Draft draft(*instance.store);
  const auto passed_over = [&](const std::string& key, const Error& why, std::string_view more) {
    damage.told.push_back(
        {ErrorKind::kCorrupt, fmt::format("{} was passed over: {}{}", key, why.message, more), 0});
    draft.transaction.erase(key);
  };
  const auto delete_link = [&](const std::string& name, const char* kind) {
    if (const auto link = IfName::parse(name))
      damage.leftovers.push_back(plan::DeleteLink{.name = *link, .kind = kind});
  };
  const auto parts_of = [&](std::string_view endpoint_id) {
    // Before its interface goes: the client gives its lease back.
    damage.leftovers.push_back(
        plan::StopDhcp{instance.run_path(fmt::format("dhcp/{}", endpoint_id))});
    delete_link(fmt::format("veth{}", endpoint_id.substr(0, 7)), "veth");
  };

  for (const auto& [key, text] : TRY(unreadable_entries(instance)))
    passed_over(key, {ErrorKind::kCorrupt, "the journal's entry cannot be read", 0}, "");
  const auto networks = readable(
      TRY(list_documents(instance, "network/")), &model::network_from_json,
      [&](const auto& key, const Error& why) {
        passed_over(key, why, "");
        for (const auto& [prefix, kind] :
             {std::pair{"br-", "bridge"}, std::pair{"mv-", "macvlan"}, std::pair{"iv-", "ipvlan"},
              std::pair{"dm-", "dummy"}, std::pair{"di-", "dummy"}})
          delete_link(prefix + short_id(std::string(id_in(key))), kind);
      });
  auto endpoints = readable(TRY(list_documents(instance, "endpoint/")), &model::endpoint_from_json,
                            [&](const auto& key, const Error& why) {
                              passed_over(key, why, "");
                              parts_of(id_in(key));
                            });
  auto sandboxes = readable(TRY(list_documents(instance, "sandbox/")), &model::sandbox_from_json,
                            [&](const auto& key, const Error& why) {
                              passed_over(key, why, "; if it has a process, that was not ended");
                              damage.leftovers.push_back(plan::DeleteNetns{
                                  instance.run_path("netns/" + short_id(std::string(id_in(key))))});
                            });

  // What hangs on it.
  std::erase_if(endpoints, [&](const auto& each) {
    const auto& endpoint = each.second;
    if (sandboxes.contains(endpoint.sandbox_id)) return false;
    parts_of(endpoint.id);
    draft.transaction.erase("endpoint/" + endpoint.id);
    return true;
  });
  for (auto& [id, sandbox] : sandboxes)
    if (std::erase_if(sandbox.endpoints,
                      [&](const auto& each) { return !endpoints.contains(each); }))
      draft.state.put(sandbox);
  for (const auto& [key, text] : TRY(list_documents(instance, "user/")))
    if (!endpoints.contains(std::string(id_in(key)))) draft.transaction.erase(key);
  for (const auto& [id, network] : networks)
    if (const auto realised = draft.state.realised(network); !realised) {
      passed_over("realised/" + id, realised.error(), "");
      draft.state.put_realised(network, {});  // as far as its end goes, that is all there is to say
    }
  TRY(instance.store->commit(draft.transaction.writes(), store::Durability::kNormal));
  return damage;
}

// What is berth's in this network namespace, unless an instance with another root has it; of a store
// that is lost, also what names tell.
Result<plan::Plan> leftovers(Instance& instance, StoreIs store_is) {
  const auto claim = TRY(read_claim(instance));
  const auto own = own_claim(instance);
  const bool is_own = claim && (claim->root == own.root || claim->instance == own.instance);
  plan::Plan plan;
  if (store_is == StoreIs::kLost || (is_own && claim->instance != own.instance))
    plan = TRY(removal_by_name(instance.kernel, instance.config.run,
                               [](std::string_view) { return false; }));
  if (!claim || is_own) plan::append(plan, TRY(removal_by_table(instance.kernel)));
  return plan;
}

// Refuses where the instance that has claimed the network namespace is still there.
Status check_lost(const Claim& claim) {
  std::error_code error;
  const auto path = claim.root + "/berth.db";
  if (!std::filesystem::exists(path, error)) return {};
  auto store = store::open_sqlite(path);
  if (!store && store.error().kind != ErrorKind::kCorrupt)
    return std::unexpected(std::move(store).error());
  const auto tag = store ? (*store)->get("meta/instance") : std::unexpected(store.error());
  if (!tag || *tag != claim.instance) return {};
  return fail(ErrorKind::kInUse,
              "the instance in {}, which has this network namespace, is not lost: reset it with "
              "--root {}",
              claim.root, claim.root);
}

Result<plan::Plan> foreign_removal(Instance& instance) {
  std::set<std::string, std::less<>> known;
  for (const auto* kind : {"network/", "endpoint/", "sandbox/"})
    for (const auto& [key, text] : TRY(list_documents(instance, kind)))
      known.insert({std::string(id_in(key)), short_id(std::string(id_in(key)))});
  auto plan = TRY(removal_by_name(instance.kernel, instance.config.run,
                                  [&](std::string_view id) { return known.contains(id); }));
  const auto claim = TRY(read_claim(instance));
  if (!claim || claim->instance == instance.tag) return plan;
  TRY(check_lost(*claim));
  plan::append(plan, TRY(removal_by_table(instance.kernel)));
  return plan;
}

}  // namespace

Status prepare(Instance& instance, Draft& draft, const Reset& request) {
  draft.direction = Direction::kRemove;
  draft.verb = "reset";
  if (request.foreign) {
    draft.plan = TRY(foreign_removal(instance));
    return {};
  }
  RemoveSandboxes all{{}, true};
  for (const auto& sandbox : TRY(draft.state.sandboxes())) all.targets.push_back(sandbox.id);
  TRY(prepare(instance, draft, all));
  return plan_removal(instance, draft, TRY(draft.state.networks()));
}

Status reset_foreign(Instance& instance) {
  const auto held = TRY(lock_instance(instance));
  Draft draft(*instance.store);
  TRY(prepare(instance, draft, Reset{.foreign = true}));
  draft.force = true;
  return commit(instance, draft);
}

std::vector<Error> reset_without_store(Instance& instance, const Config& config, const Error& why) {
  if (auto opened = open_without_store(instance, config); !opened)
    return {std::move(opened).error()};
  auto errors = reset_instance(instance, StoreIs::kLost);
  errors.insert(errors.begin(),
                {ErrorKind::kCorrupt,
                 fmt::format("{}; it was passed over: processes of sandboxes were not ended, and "
                             "forwarding is as it was",
                             why.message),
                 0});
  return errors;
}

std::vector<Error> reset_instance(Instance& instance, StoreIs store_is) {
  std::vector<Error> errors, told;
  // What is somebody else's by now (plan/whose.h) is only to be told of.
  const auto note = [&](Status status) {
    if (status) return;
    auto& to = status.error().kind == ErrorKind::kExists ? told : errors;
    to.push_back(std::move(status).error());
  };
  const auto look_for_damage = [&]() -> Result<Damage> {
    const auto held = TRY(lock_instance(instance));
    return drop_damaged(instance);
  };
  const auto damage = look_for_damage();
  if (!damage && damage.error().kind == ErrorKind::kCorrupt && store_is == StoreIs::kReadable)
    return reset_without_store(instance, instance.config, damage.error());
  if (!damage) return {damage.error()};
  const auto claim = read_claim(instance);
  if (!claim) return {claim.error()};

  // Until the lock is held and nobody has made another sandbox meanwhile.
  InstanceLock::Held held;
  for (bool empty = false; !empty;) {
    held.reset();
    View look(*instance.store);
    const auto sandboxes = look.state.sandboxes();
    if (!sandboxes) return {sandboxes.error()};
    RemoveSandboxes all{{}, true};
    for (const auto& sandbox : *sandboxes) all.targets.push_back(sandbox.id);
    for (auto& outcome : remove_sandboxes(instance, all)) note(std::move(outcome.status));
    auto locked = lock_instance(instance);
    if (!locked) return {locked.error()};
    held = *std::move(locked);
    const auto left = look.state.sandboxes();
    empty = !errors.empty() || (left && left->empty());
  }

  const auto remove_networks = [&]() -> Status {
    Draft draft(*instance.store);
    draft.direction = Direction::kRemove;
    draft.force = true;
    draft.verb = "reset";
    TRY(plan_removal(instance, draft, TRY(draft.state.networks())));
    TRY(commit(instance, draft));
    return {};
  };
  note(remove_networks());
  const auto remove_the_rest = [&]() -> Status {
    auto rest = damage->leftovers;
    Draft left(*instance.store);
    plan::append(rest, TRY(orphan_links(instance, left.transaction)));
    plan::append(rest, TRY(leftovers(instance, store_is)));
    for (auto& spared : plan::spare_others(instance.kernel, rest))
      told.push_back(std::move(spared));
    for (auto& error : plan::apply_all(instance.kernel, rest)) errors.push_back(std::move(error));
    return {};
  };
  note(remove_the_rest());
  if (errors.empty())
    note(instance.store->commit({{"meta/instance", std::nullopt}}, store::Durability::kFull));
  const bool emptied = errors.empty();
  errors.insert(errors.begin(), told.begin(), told.end());
  errors.insert(errors.begin(), damage->told.begin(), damage->told.end());
  if (!emptied) return errors;  // what is left in the store leads to what is left elsewhere

  // Still under the lock: who waits for it finds the store gone and says so.
  namespace fs = std::filesystem;
  std::error_code error;
  remove_stray_files(instance, /*youngest=*/std::chrono::seconds(0));
  if (*claim && (*claim)->root == own_claim(instance).root) {
    instance.tag = (*claim)->instance;  // of a store that is lost: its sandboxes' files
    remove_stray_files(instance, /*youngest=*/std::chrono::seconds(0));
  }
  for (const auto* file : {"berth.db", "berth.db-wal", "berth.db-shm", "journal"})
    fs::remove(fs::path(instance.config.root) / file, error);
  // Directories only if nothing else is in them: another instance may share --run. The lock after
  // those that the next instance here makes for itself as soon as it has one.
  for (const auto& path :
       {instance.run_path("netns"), instance.run_path("sandboxes"), instance.run_path("dhcp"),
        instance.run_path("labs"), instance.config.root + "/lock", instance.config.root,
        instance.config.run})
    fs::remove(path, error);
  return errors;
}

}  // namespace berth::engine
