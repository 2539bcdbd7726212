#include "plan/whose.h"

#include <algorithm>

#include "base/result.h"
#include "firewall/table.h"
#include "plan/apply.h"

namespace berth::plan {
namespace {

// Whether the other end of `veth`, a link of the host, is in the namespace `ns`.
Result<bool> ends_in(Kernel& kernel, Namespaces& namespaces, const NsRef& ns,
                     const kernel::LinkInfo& veth) {
  return veth.peer_index != 0 && veth.peer_netnsid &&
         veth.peer_netnsid == TRY(netnsid(kernel, namespaces, ns));
}

Result<bool> look(Kernel& kernel, Namespaces& namespaces, const DeleteLink& meant) {
  const auto link =
      TRY(kernel::find_link(*TRY(namespaces.route(kernel, meant.ns)), meant.name));
  if (!link) return false;
  if (!is_alike(*link, meant)) return true;
  if (meant.kind != "veth") return false;
  if (!meant.peer_ns.is_host())
    if (const auto there = ends_in(kernel, namespaces, meant.peer_ns, *link)) return !*there;
  // The sandbox's namespace has ended, and the kernel takes the pair down in its own time: berth's
  // pairs never have both ends here.
  return link->peer_index != 0 && !link->peer_netnsid;
}

}  // namespace

bool is_alike(const kernel::LinkInfo& link, const DeleteLink& meant) {
  return (meant.kind.empty() || link.kind == meant.kind) && (!meant.mac || link.mac == meant.mac);
}

Result<std::optional<int>> netnsid(Kernel& kernel, Namespaces& namespaces, const NsRef& ns) {
  if (ns.is_host()) return std::nullopt;
  return kernel::netns_id(*TRY(namespaces.route(kernel, {})), *TRY(namespaces.open(ns)));
}

bool are_a_pair(const kernel::LinkInfo& one, const kernel::LinkInfo& other,
                std::optional<int> netnsid_of_other) {
  return one.kind == "veth" && other.kind == "veth" && one.peer_index == other.index &&
         other.peer_index == one.index && one.peer_netnsid == netnsid_of_other;
}

bool is_others(Kernel& kernel, Namespaces& namespaces, const DeleteLink& meant) {
  return !meant.kind.empty() && look(kernel, namespaces, meant).value_or(false);
}

std::vector<IfName> others_bridges(Kernel& kernel) {
  const auto& sets = firewall::table().sets;
  const auto spec = std::ranges::find(sets, firewall::kBridges, &nft::SetSpec::name);
  const auto nft = kernel.nft();
  const auto listed = nft ? (*nft)->list_elements(std::string(firewall::kTable), *spec)
                          : std::unexpected(nft.error());
  std::vector<IfName> theirs;
  if (!listed) return theirs;
  for (const auto& element : *listed) {
    const auto* bridge = std::get_if<IfName>(&element.key.front());
    const auto& said = element.comment;  // none: a person's
    if (bridge && !said.empty() && !said.ends_with(" " + kernel.instance)) theirs.push_back(*bridge);
  }
  return theirs;
}

std::vector<Error> spare_others(Kernel& kernel, Plan& plan) {
  std::vector<Error> spared;
  std::optional<std::vector<IfName>> bridges;  // others', once asked for
  bool elements_are_theirs = false;
  const auto is_of_another_instance = [&](const DeleteLink& gone) {
    if (gone.kind != "bridge" || !gone.ns.is_host()) return false;
    if (!bridges) bridges = others_bridges(kernel);
    return std::ranges::find(*bridges, gone.name) != bridges->end();
  };
  std::erase_if(plan, [&](const Op& op) {
    const auto* gone = std::get_if<DeleteLink>(&op);
    Namespaces namespaces;  // for this one: a thousand held open at once would be too many
    if (!gone) return false;
    const bool another_instances = is_of_another_instance(*gone);
    elements_are_theirs = elements_are_theirs || another_instances;
    if (!another_instances && !is_others(kernel, namespaces, *gone)) return false;
    spared.push_back(
        {ErrorKind::kExists,
         fmt::format("interface {}{} is somebody else's by now, not the {} that berth made: it was "
                     "left as it is",
                     gone->name.str(), gone->ns.is_host() ? "" : " in " + gone->ns.path, gone->kind),
         0});
    return true;
  });
  if (elements_are_theirs)
    if (auto rest = still_to_remove(kernel, plan)) plan = *std::move(rest);
  return spared;
}

}  // namespace berth::plan
