// Removing everything that the instance made, whatever state its store is in.
//
// Records that cannot be read are told of and passed over. What they described is found by what is
// known without them: an endpoint's veth, the files of its DHCP client, a network's devices and a
// namespace's file are named after their ids, which are in the keys, and the firewall's elements and
// the bridges carry the instance's tag in the table.

#include <filesystem>
#include <map>

#include "base/result.h"
#include "engine/given_bridge.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "firewall/table.h"
#include "kernel/netlink/link.h"
#include "model/json.h"
#include "plan/whose.h"

namespace berth {
namespace {

using engine::Change;

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

}  // namespace

Status Engine::Impl::prepare(Change& change, const Reset&) {
  RemoveSandboxes all{{}, true};
  for (const auto& sandbox : TRY(change.state.sandboxes())) all.targets.push_back(sandbox.id);
  TRY(prepare(change, all));
  return remove(change, TRY(change.state.networks()));
}

Result<Engine::Impl::Damage> Engine::Impl::drop_damaged() {
  Damage damage;
  Change change(*store);
  const auto passed_over = [&](const std::string& key, const Error& why, std::string_view more) {
    damage.told.push_back(
        {ErrorKind::kCorrupt, fmt::format("{} was passed over: {}{}", key, why.message, more), 0});
    change.transaction.erase(key);
  };
  const auto delete_link = [&](const std::string& name, const char* kind) {
    if (const auto link = IfName::parse(name))
      damage.leftovers.push_back(plan::DeleteLink{.name = *link, .kind = kind});
  };
  const auto parts_of = [&](std::string_view endpoint_id) {
    // Before its interface goes: the client gives its lease back.
    damage.leftovers.push_back(plan::StopDhcp{run_path(fmt::format("dhcp/{}", endpoint_id))});
    delete_link(fmt::format("veth{}", endpoint_id.substr(0, 7)), "veth");
  };

  for (const auto& [key, text] : TRY(unreadable_entries()))
    passed_over(key, {ErrorKind::kCorrupt, "the journal's entry cannot be read", 0}, "");
  const auto networks = readable(TRY(documents("network/")), &model::network_from_json,
                                 [&](const auto& key, const Error& why) {
    passed_over(key, why, "");
    for (const auto& [prefix, kind] : {std::pair{"br-", "bridge"}, std::pair{"mv-", "macvlan"},
                                       std::pair{"iv-", "ipvlan"}, std::pair{"dm-", "dummy"},
                                       std::pair{"di-", "dummy"}})
      delete_link(prefix + engine::short_id(std::string(id_in(key))), kind);
  });
  auto endpoints = readable(TRY(documents("endpoint/")), &model::endpoint_from_json,
                            [&](const auto& key, const Error& why) {
    passed_over(key, why, "");
    parts_of(id_in(key));
  });
  auto sandboxes = readable(TRY(documents("sandbox/")), &model::sandbox_from_json,
                            [&](const auto& key, const Error& why) {
    passed_over(key, why, "; if it has a process, that was not ended");
    damage.leftovers.push_back(plan::DeleteNetns{
        run_path("netns/" + engine::short_id(std::string(id_in(key))))});
  });

  // What hangs on it.
  std::erase_if(endpoints, [&](const auto& each) {
    const auto& endpoint = each.second;
    if (sandboxes.contains(endpoint.sandbox_id)) return false;
    parts_of(endpoint.id);
    change.transaction.erase("endpoint/" + endpoint.id);
    return true;
  });
  for (auto& [id, sandbox] : sandboxes)
    if (std::erase_if(sandbox.endpoints, [&](const auto& each) { return !endpoints.contains(each); }))
      change.state.put(sandbox);
  for (const auto& [key, text] : TRY(documents("user/")))
    if (!endpoints.contains(std::string(id_in(key)))) change.transaction.erase(key);
  for (const auto& [id, network] : networks)
    if (const auto realised = change.state.realised(network); !realised) {
      passed_over("realised/" + id, realised.error(), "");
      change.state.put_realised(network, {});  // as far as its end goes, that is all there is to say
    }
  TRY(store->commit(change.transaction.writes(), store::Durability::kNormal));
  return damage;
}

Result<plan::Plan> Engine::Impl::removal_by_tag() {
  plan::Plan elements, links;
  for (const auto& set : firewall::table().sets) {
    const auto listed = TRY(kernel.nft())->list_elements(std::string(firewall::kTable), set);
    if (!listed && listed.error().kind == ErrorKind::kNotFound) continue;
    for (const auto& element : TRY(listed)) {
      if (!element.comment.ends_with(" " + instance)) continue;
      elements.push_back(plan::DeleteElement{element});
      const auto* bridge = std::get_if<IfName>(&element.key.front());
      if (set.name != firewall::kBridges || !bridge) continue;
      if (element.comment.ends_with(fmt::format(" {}{}", engine::kAdoptedMark, instance))) continue;
      const auto link = TRY(kernel::find_link(*TRY(kernel.route()), *bridge));
      if (link && link->kind == "bridge") links.push_back(plan::DeleteLink{*bridge});
    }
  }
  elements.push_back(plan::DeleteTableIfUnused{});
  plan::append(elements, std::move(links));
  return elements;
}

std::vector<Error> Engine::Impl::reset() {
  std::vector<Error> errors, told;
  // What is somebody else's by now (plan/whose.h) is only to be told of.
  const auto note = [&](Status status) {
    if (status) return;
    auto& to = status.error().kind == ErrorKind::kExists ? told : errors;
    to.push_back(std::move(status).error());
  };
  const auto look_for_damage = [&]() -> Result<Damage> {
    const auto held = TRY(lock());
    return drop_damaged();
  };
  const auto damage = look_for_damage();
  if (!damage) return {damage.error()};

  // Until the lock is held and nobody has made another sandbox meanwhile.
  engine::InstanceLock::Held held;
  for (bool empty = false; !empty;) {
    held.reset();
    Change look(*store);
    const auto sandboxes = look.state.sandboxes();
    if (!sandboxes) return {sandboxes.error()};
    RemoveSandboxes all{{}, true};
    for (const auto& sandbox : *sandboxes) all.targets.push_back(sandbox.id);
    for (auto& outcome : remove_all(all)) note(std::move(outcome.status));
    auto locked = lock();
    if (!locked) return {locked.error()};
    held = *std::move(locked);
    const auto left = look.state.sandboxes();
    empty = !errors.empty() || (left && left->empty());
  }

  const auto remove_networks = [&]() -> Status {
    Change change(*store);
    change.direction = engine::Direction::kRemove;
    change.force = true;
    change.verb = "reset";
    TRY(remove(change, TRY(change.state.networks())));
    TRY(commit(change));
    return {};
  };
  note(remove_networks());
  const auto remove_the_rest = [&]() -> Status {
    auto rest = damage->leftovers;
    Change left(*store);
    plan::append(rest, TRY(links_left(left.transaction)));
    plan::append(rest, TRY(removal_by_tag()));
    for (auto& spared : plan::spare_others(kernel, rest)) told.push_back(std::move(spared));
    for (auto& error : plan::apply_all(kernel, rest)) errors.push_back(std::move(error));
    return {};
  };
  note(remove_the_rest());
  if (errors.empty())
    note(store->commit({{"meta/instance", std::nullopt}}, store::Durability::kFull));
  const bool emptied = errors.empty();
  errors.insert(errors.begin(), told.begin(), told.end());
  errors.insert(errors.begin(), damage->told.begin(), damage->told.end());
  if (!emptied) return errors;  // what is left in the store leads to what is left elsewhere

  // Still under the lock: who waits for it finds the store gone and says so.
  namespace fs = std::filesystem;
  std::error_code error;
  remove_stray_files(/*youngest=*/std::chrono::seconds(0));
  for (const auto* file : {"berth.db", "berth.db-wal", "berth.db-shm", "journal"})
    fs::remove(fs::path(config.root) / file, error);
  // Directories only if nothing else is in them: another instance may share --run. The lock after
  // those that the next instance here makes for itself as soon as it has one.
  for (const auto& path :
       {run_path("netns"), run_path("sandboxes"), run_path("dhcp"), run_path("labs"),
        config.root + "/lock", config.root, config.run})
    fs::remove(path, error);
  return errors;
}

}  // namespace berth
