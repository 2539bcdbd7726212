// berth/announce.h
#include "berth/announce.h"

#include <net/ethernet.h>
#include <poll.h>

#include <algorithm>
#include <vector>

#include "base/result.h"
#include "kernel/neighbour/packet_socket.h"
#include "kernel/netns/netns.h"

namespace berth {
namespace {

using Clock = std::chrono::steady_clock;

// One announcement under way.
class Speaker {
 public:
  Speaker(const Announcement& announcement, kernel::PacketSocket socket)
      : socket_(std::move(socket)),
        addresses_(announcement.addresses),
        left_(announcement.count),
        interval_(announcement.interval) {}

  [[nodiscard]] bool done() const { return left_ <= 0; }
  [[nodiscard]] Clock::time_point next() const { return next_; }
  [[nodiscard]] int fd() const { return socket_.fd(); }

  void speak() {
    for (const auto& address : addresses_)
      socket_.send(kernel::announcement(address, socket_.mac()),
                   kernel::neighbour_protocol(address.family()),
                   kernel::announcement_goes_to(address.family()));
    --left_;
    next_ += interval_;
  }
  void give_up() { left_ = 0; }

 private:
  kernel::PacketSocket socket_;
  std::vector<Ip> addresses_;
  int left_;
  std::chrono::milliseconds interval_;
  Clock::time_point next_ = Clock::now();
};

Result<Speaker> open(const Announcement& announcement) {
  const auto netns = TRY(kernel::Netns::open(announcement.netns));
  if (netns.inode() != announcement.netns_inode)
    return fail(ErrorKind::kNotFound, "announce on {}: {} is another namespace by now",
                announcement.link.str(), announcement.netns);
  // Of a protocol, because only then the socket is told that its interface goes.
  auto socket = TRY(kernel::run_in(
      netns, [&] { return kernel::PacketSocket::open(announcement.link, ETH_P_ARP); }));
  return Speaker(announcement, std::move(socket));
}

// Whether all interfaces are still there at `due`; those of which one goes before are taken off.
bool all_there_until(Clock::time_point due, std::vector<Speaker>& speakers) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()).count();
  if (left <= 0) return true;
  std::vector<pollfd> gone;
  for (const auto& each : speakers) gone.push_back({each.fd(), 0, 0});
  const int count = ::poll(gone.data(), gone.size(), static_cast<int>(left));
  if (count == 0) return true;
  for (std::size_t i = 0; i < gone.size(); ++i)
    if (gone[i].revents != 0) speakers[i].give_up();
  std::erase_if(speakers, [](const Speaker& each) { return each.done(); });
  return false;
}

}  // namespace

Status announce(std::span<const Announcement> announcements) {
  std::vector<Speaker> speakers;
  for (const auto& each : announcements)
    if (each.count > 0 && !each.addresses.empty()) speakers.push_back(TRY(open(each)));
  while (!speakers.empty()) {
    const auto next = std::ranges::min_element(
        speakers, {}, [](const Speaker& each) { return each.next(); });
    if (!all_there_until(next->next(), speakers)) continue;
    next->speak();
    if (next->done()) speakers.erase(next);
  }
  return {};
}

}  // namespace berth
