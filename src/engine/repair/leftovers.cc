#include "engine/repair/leftovers.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "base/result.h"
#include "engine/networks/existing_bridge.h"
#include "firewall/table.h"
#include "kernel/netlink/link.h"
#include "translator/translator.h"

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShortId = 12;

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// "<network> <id> <instance>", with kAdoptedMark before the instance on a bridge that stays.
bool is_adopted(const nft::Element& bridge) {
  const auto& said = bridge.comment;
  const auto instance = said.rfind(' ') + 1;
  return std::string_view(said).substr(0, instance).ends_with(kAdoptedMark);
}

// An adopted bridge has ports of others too: there the name is to be one that berth gives.
bool is_endpoints(const kernel::LinkInfo& port, bool adopted) {
  return port.kind == "veth" && (!adopted || (port.name.str().starts_with("veth") &&
                                              is_hex(port.name.str().substr(4), 7)));
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    names.push_back(entry.path().filename());
  return names;
}

}  // namespace

Result<plan::Plan> removal_by_table(plan::Kernel& kernel) {
  plan::Plan plan;
  std::map<IfName, bool> bridges;  // whether it is adopted
  for (const auto& set : firewall::table().sets) {
    const auto listed = TRY(kernel.nft())->list_elements(std::string(firewall::kTable), set);
    if (!listed && listed.error().kind == ErrorKind::kNotFound) continue;
    for (const auto& element : TRY(listed)) {
      if (element.comment.empty()) continue;  // a person's
      const auto* bridge = std::get_if<IfName>(&element.key.front());
      if (set.name == firewall::kBridges && bridge) bridges.emplace(*bridge, is_adopted(element));
      plan.push_back(plan::DeleteElement{element});
    }
  }
  if (TRY(translator::is_there(*TRY(kernel.route()))))
    plan.push_back(plan::DeleteTranslatorIfUnused{});
  plan.push_back(plan::DeleteTableIfUnused{});
  if (bridges.empty()) return plan;
  const auto links = TRY(kernel::list_links(*TRY(kernel.route())));
  for (const auto& bridge : links) {
    const auto ours = bridges.find(bridge.name);
    if (ours == bridges.end() || bridge.kind != "bridge") continue;
    for (const auto& port : links)
      if (port.master == bridge.index && is_endpoints(port, ours->second))
        plan.push_back(plan::DeleteLink{.name = port.name, .kind = "veth"});
    if (!ours->second) plan.push_back(plan::DeleteLink{.name = bridge.name, .kind = "bridge"});
  }
  return plan;
}

Result<plan::Plan> removal_by_name(plan::Kernel& kernel, const std::string& run,
                                   const std::function<bool(std::string_view id)>& is_known) {
  plan::Plan plan;
  for (const auto& id :
       names_in(run + "/dhcp"))  // its interface goes later: it gives the lease back
    if (!is_known(id)) plan.push_back(plan::StopDhcp{run + "/dhcp/" + id});
  for (const auto& id : names_in(run + "/netns"))
    if (is_hex(id, kShortId) && !is_known(id))
      plan.push_back(plan::DeleteNetns{run + "/netns/" + id});
  constexpr std::array kNames{std::pair{"mv-", "macvlan"}, std::pair{"iv-", "ipvlan"},
                              std::pair{"dm-", "dummy"}, std::pair{"di-", "dummy"}};
  for (const auto& link : TRY(kernel::list_links(*TRY(kernel.route()))))
    for (const auto& [prefix, kind] : kNames) {
      const std::string_view name = link.name.str();
      if (!name.starts_with(prefix) || link.kind != kind) continue;
      const auto id = name.substr(std::string_view(prefix).size());
      if (is_hex(id, kShortId) && !is_known(id))
        plan.push_back(plan::DeleteLink{.name = link.name, .kind = kind});
    }
  return plan;
}

}  // namespace berth::engine
