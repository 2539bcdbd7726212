// Instances that share this network namespace share berth's table, and see each other there: every
// element ends with the tag of the instance that it belongs to.

#include "engine/networks/other_instances.h"

#include <algorithm>

#include "base/result.h"
#include "engine/instance.h"
#include "firewall/intents.h"
#include "firewall/table.h"

namespace berth::engine {
namespace {

Result<std::vector<nft::Element>> table_elements(Instance& instance, std::string_view set) {
  const auto& sets = firewall::table().sets;
  const auto spec = std::ranges::find(sets, set, &nft::SetSpec::name);
  auto listed = TRY(instance.kernel.nft())->list_elements(std::string(firewall::kTable), *spec);
  if (listed) return listed;
  // Who may not look may still have a plan printed.
  const bool may_not_look =
      instance.config.only_plan && listed.error().kind == ErrorKind::kPermission;
  if (may_not_look || listed.error().kind == ErrorKind::kNotFound)
    return std::vector<nft::Element>{};
  return listed;
}

}  // namespace

Result<std::vector<nft::Element>> others_elements(Instance& instance, std::string_view set) {
  auto others = TRY(table_elements(instance, set));
  std::erase_if(others, [&](const nft::Element& element) {
    return element.comment.ends_with(" " + instance.tag);
  });
  return others;
}

Result<bool> others_have_networks(Instance& instance) {
  const auto others =
      TRY(others_elements(instance, firewall::kBridges));  // without a comment: a person's
  return !std::ranges::all_of(others, [](const auto& each) { return each.comment.empty(); });
}

Result<std::vector<nft::Element>> others_ports(Instance& instance) {
  std::vector<nft::Element> ports;
  const auto several = firewall::shared_element(firewall::kSharedInstances);
  const auto there = TRY(instance.kernel.nft())->contains(std::string(firewall::kTable), several);
  const bool may_not_look =
      !there && instance.config.only_plan && there.error().kind == ErrorKind::kPermission;
  if (may_not_look || !TRY(there)) return ports;
  for (const auto& set : firewall::table().sets) {
    if (!set.name.starts_with("publish")) continue;
    auto others = TRY(others_elements(instance, set.name));
    std::ranges::move(others, std::back_inserter(ports));
  }
  return ports;
}

Result<std::optional<nft::Element>> shared_element_of(Instance& instance, std::string_view what) {
  const auto key = firewall::shared_element(what).key;
  for (auto& element : TRY(table_elements(instance, firewall::kShared)))
    if (element.key == key) return std::move(element);
  return std::nullopt;
}

}  // namespace berth::engine
