// Telling the neighbours of an interface whose its addresses are now.
//
// Who has talked to an earlier holder of an address keeps that one's MAC address for a while
// (ARP and neighbour caches, switches' forwarding tables), and would send into the void. So the new
// holder says so unasked: for IPv4 an ARP announcement (RFC 5227, 2.3), for IPv6 an unsolicited
// neighbour advertisement (RFC 4861, 7.2.6); some times over, because nobody confirms it. Docker
// sends three, a second apart (com.docker.network.advertise_addr_nmsgs and _ms), and so does berth.
//
// Nothing of this holds up an attach: the engine says what is to be announced, and the caller lets
// it happen where waiting is no harm, in a thread or in a process of its own. Users of the library
// who do not call announce() have no announcements.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/result.h"

namespace berth {

/// The addresses of one interface. With no addresses or a `count` of 0 there is nothing to say.
struct Announcement {
  std::string netns;              ///< path of the namespace's file
  std::uint64_t netns_inode = 0;  ///< which the file must still be
  IfName link;
  std::vector<Ip> addresses;
  int count = 3;
  std::chrono::milliseconds interval{1000};
};

/// Sends them all, each as often as it says, and returns after the last message. Holds no namespace
/// between messages; whose interface or namespace goes meanwhile is left out, and the first error
/// is returned at the end. Needs CAP_SYS_ADMIN and CAP_NET_RAW.
[[nodiscard]] Status announce(std::span<const Announcement> announcements);

}  // namespace berth
