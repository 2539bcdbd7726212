// What is to be said of new endpoints to their neighbours.

#include "base/result.h"
#include "engine/endpoints/endpoints.h"
#include "engine/instance.h"
#include "engine/state/draft.h"

namespace berth::engine {

Result<std::vector<Announcement>> announcements_of(Instance& instance,
                                                   std::span<const Endpoint> endpoints) {
  View look(*instance.store);
  std::vector<Announcement> announcements;
  for (const auto& endpoint : endpoints) {
    const auto network = TRY(look.state.network_by_id(endpoint.network_id));
    if (network.link.announcements == 0 || endpoint.on_link) continue;  // l3: there is no ARP
    const auto sandbox = TRY(look.state.sandbox(endpoint.sandbox_id));
    Announcement announcement{
        .netns = sandbox.netns_path,
        .netns_inode = sandbox.netns_inode,
        .link = endpoint.ifname,
        .addresses = {},
        .count = network.link.announcements,
        .interval = std::chrono::milliseconds(network.link.announce_interval_ms)};
    for (const auto& address : addresses_of(endpoint))
      announcement.addresses.push_back(address.ip());
    announcements.push_back(std::move(announcement));
  }
  return announcements;
}

}  // namespace berth::engine
