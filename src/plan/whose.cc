#include "plan/whose.h"

#include <algorithm>

#include "base/result.h"
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
  const auto link = TRY(kernel::find_link(*TRY(namespaces.route(kernel, meant.ns)), meant.name));
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

std::vector<Error> spare_others(Kernel& kernel, Plan& plan) {
  std::vector<Error> spared;
  std::erase_if(plan, [&](const Op& op) {
    const auto* gone = std::get_if<DeleteLink>(&op);
    Namespaces namespaces;  // for this one: a thousand held open at once would be too many
    if (!gone || !is_others(kernel, namespaces, *gone)) return false;
    spared.push_back(
        {ErrorKind::kExists,
         fmt::format("interface {}{} is somebody else's by now, not the {} that berth made: it was "
                     "left as it is",
                     gone->name.str(), gone->ns.is_host() ? "" : " in " + gone->ns.path,
                     gone->kind),
         0});
    return true;
  });
  return spared;
}

}  // namespace berth::plan
