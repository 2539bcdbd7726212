#include "engine/renamed.h"

#include <algorithm>

#include "base/result.h"
#include "drivers/bridge/bridge.h"
#include "engine/given_bridge.h"
#include "kernel/netlink/link.h"
#include "kernel/netns/netns.h"

namespace berth::engine {
namespace {

bool is_there(plan::Kernel& kernel, const IfName& device) {
  const auto route = kernel.route();
  const auto index = route ? kernel::link_index(**route, device) : std::unexpected(route.error());
  return !index || *index;
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
  if (is_veth && is_there(kernel, endpoint.host_ifname)) return std::nullopt;
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

Result<std::optional<IfName>> renamed_bridge(plan::Kernel& kernel, const Network& network) {
  if (network.driver != Driver::kBridge || on_given_bridge(network)) return std::nullopt;
  if (is_there(kernel, network.bridge.device)) return std::nullopt;
  const auto mac = drivers::bridge::mac_of(network);
  for (const auto& link : TRY(kernel::list_links(*TRY(kernel.route()))))
    if (link.kind == "bridge" && link.mac == mac) return link.name;
  return std::nullopt;
}

Status check_not_renamed(plan::Kernel& kernel, const Network& network) {
  const auto name = TRY(renamed_bridge(kernel, network));
  if (!name) return {};
  const auto& device = network.bridge.device.str();
  return fail(ErrorKind::kNotFound,
              "network {}: its bridge {} is called {} now: give it its name back (ip link set {} "
              "name {}), or remove the network",
              network.name, device, name->str(), name->str(), device);
}

}  // namespace berth::engine
