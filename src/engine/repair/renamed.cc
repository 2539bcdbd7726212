#include "engine/repair/renamed.h"

#include <algorithm>

#include "base/result.h"
#include "drivers/bridge/bridge.h"
#include "drivers/driver.h"
#include "engine/networks/existing_bridge.h"
#include "kernel/netlink/link.h"
#include "kernel/netns/netns.h"
#include "plan/whose.h"

namespace berth::engine {
namespace {

// Is what has the name of the endpoint's host end that one? Somebody else's can have a name that
// was asked for, not one of berth's own.
bool has_its_name(plan::Kernel& kernel, const plan::NsRef& sandbox, const Endpoint& endpoint) {
  const auto& name = endpoint.host_ifname;
  const auto route = kernel.route();
  const auto index = route ? kernel::link_index(**route, name) : std::unexpected(route.error());
  if (index && !*index) return false;
  plan::Namespaces namespaces;
  return endpoint.asked.host_ifname.empty() ||
         !plan::is_others(kernel, namespaces, {.name = name, .kind = "veth", .peer_ns = sandbox});
}

Result<std::vector<kernel::LinkInfo>> links_of(plan::Kernel& kernel, const plan::NsRef& sandbox) {
  plan::Namespaces namespaces;
  return kernel::list_links(*TRY(namespaces.route(kernel, sandbox)));
}

}  // namespace

std::optional<IfName> under_another_name(plan::Kernel& kernel, const plan::NsRef& sandbox,
                                         const Endpoint& endpoint,
                                         std::span<const Endpoint> endpoints) {
  const bool is_veth = !endpoint.host_ifname.empty();
  if (is_veth && has_its_name(kernel, sandbox, endpoint)) return std::nullopt;
  const auto links = links_of(kernel, sandbox);
  if (!links) return std::nullopt;
  if (!is_veth &&
      std::ranges::find(*links, endpoint.ifname, &kernel::LinkInfo::name) != links->end())
    return std::nullopt;
  // An ipvlan device has its parent's MAC address, as others have: there it tells nothing.
  const std::string_view kind = is_veth ? "veth" : "macvlan";
  const auto is_it = [&](const kernel::LinkInfo& link) {
    const bool anothers = std::ranges::any_of(endpoints, [&](const Endpoint& each) {
      return each.id != endpoint.id && each.ifname == link.name;
    });
    return link.mac == endpoint.mac && link.kind == kind && !anothers;
  };
  const auto found = std::ranges::find_if(*links, is_it);
  if (found == links->end()) return std::nullopt;
  return found->name;
}

Result<std::optional<IfName>> new_name_of(plan::Kernel& kernel, const plan::DeleteLink& made) {
  auto& route = *TRY(kernel.route());
  if (!made.mac) return std::nullopt;
  const auto named = TRY(kernel::find_link(route, made.name));
  if (named && plan::is_alike(*named, made)) return std::nullopt;
  for (const auto& link : TRY(kernel::list_links(route)))
    if (plan::is_alike(link, made)) return link.name;
  return std::nullopt;
}

Status check_not_renamed(plan::Kernel& kernel, const Network& network) {
  if (network.driver == Driver::kBridge) {  // on the path of every attach
    if (on_existing_bridge(network)) return {};
    const auto mac = TRY(kernel::link_mac(*TRY(kernel.route()), network.bridge.device));
    if (mac == drivers::bridge::mac_of(network)) return {};
  }
  const std::string_view role = network.driver == Driver::kBridge ? "bridge" : "interface";
  for (const auto& op : drivers::remove(network)) {
    const auto& made = std::get<plan::DeleteLink>(op);
    const auto& device = made.name.str();
    if (const auto name = TRY(new_name_of(kernel, made)))
      return fail(ErrorKind::kNotFound,
                  "network {}: its {} {} is called {} now: give it its name back (ip link set {} "
                  "name {}), or remove the network",
                  network.name, role, device, name->str(), name->str(), device);
    const auto named = TRY(kernel::find_link(*TRY(kernel.route()), made.name));
    if (named && !plan::is_alike(*named, made))
      return fail(
          ErrorKind::kExists,
          "network {}: interface {} is somebody else's by now, not the {} that was made for "
          "the network: remove it or give it another name, or remove the network",
          network.name, device, made.kind);
  }
  return {};
}

}  // namespace berth::engine
