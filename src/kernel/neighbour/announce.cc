// berth/announce.h
#include "berth/announce.h"

#include <linux/netlink.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "base/result.h"
#include "kernel/neighbour/packet_socket.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/link.h"
#include "kernel/netns/netns.h"

namespace berth {
namespace {

using Clock = std::chrono::steady_clock;

struct UnderWay {
  const Announcement* announcement;
  int left;
  Clock::time_point due;
};

// Somebody else may have the address a second later.
Result<std::set<Ip>> addresses_of(const IfName& link) {
  auto route = TRY(kernel::Socket::open(NETLINK_ROUTE));
  const auto index = TRY(kernel::link_index(route, link));
  std::set<Ip> addresses;
  if (!index) return addresses;
  for (const auto& each : TRY(kernel::list_addresses(route, *index)))
    addresses.insert(each.address.ip());
  return addresses;
}

// Opens namespace and socket for one message and lets go of both: held between messages, they would
// keep the namespace of a container that has ended, and with it its interfaces on a parent device.
Status say(const Announcement& announcement) {
  const auto netns = TRY(kernel::Netns::open(announcement.netns));
  if (netns.inode() != announcement.netns_inode)
    return fail(ErrorKind::kNotFound, "announce on {}: {} is another namespace by now",
                announcement.link.str(), announcement.netns);
  return kernel::run_in(netns, [&]() -> Status {
    constexpr std::uint16_t kNothing = 0;  // to be received
    const auto socket = TRY(kernel::PacketSocket::open(announcement.link, kNothing));
    const auto there = TRY(addresses_of(announcement.link));
    for (const auto& address : announcement.addresses) {
      if (!there.contains(address))
        return fail(ErrorKind::kNotFound, "announce {}: {} no longer has it", address.str(),
                    announcement.link.str());
      socket.send(kernel::announcement(address, socket.mac()),
                  kernel::neighbour_protocol(address.family()),
                  kernel::announcement_goes_to(address.family()));
    }
    return {};
  });
}

}  // namespace

Status announce(std::span<const Announcement> announcements) {
  Status first_error;
  std::vector<UnderWay> under_way;
  for (const auto& each : announcements)
    if (each.count > 0 && !each.addresses.empty())
      under_way.push_back({&each, each.count, Clock::now()});
  while (!under_way.empty()) {
    const auto next = std::ranges::min_element(under_way, {}, &UnderWay::due);
    std::this_thread::sleep_until(next->due);
    auto said = say(*next->announcement);
    next->due += next->announcement->interval;
    if (--next->left == 0 || !said) under_way.erase(next);
    if (!said && first_error) first_error = std::move(said);
  }
  return first_error;
}

}  // namespace berth
