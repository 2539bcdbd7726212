#include "kernel/neighbour/packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/result.h"

namespace berth::kernel {
namespace {

Mac mac_in(const void* bytes) {
  std::array<std::uint8_t, ETH_ALEN> mac{};
  std::copy_n(static_cast<const std::uint8_t*>(bytes), mac.size(), mac.begin());
  return Mac(mac);
}

}  // namespace

Result<PacketSocket> PacketSocket::open(const IfName& link, std::uint16_t protocol) {
  PacketSocket opened;
  opened.fd_.reset(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int fd = opened.fd();
  const auto failed = [&] { return fail_sys(errno, "open a packet socket on {}", link.str()); };
  if (fd < 0) return failed();
  ifreq request{};
  link.str().copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(fd, SIOCGIFHWADDR, &request) != 0) return failed();
  opened.mac_ = mac_in(request.ifr_hwaddr.sa_data);
  if (::ioctl(fd, SIOCGIFINDEX, &request) != 0) return failed();
  opened.index_ = request.ifr_ifindex;
  sockaddr_ll here{};
  here.sll_family = AF_PACKET;
  here.sll_protocol = htons(protocol);
  here.sll_ifindex = opened.index_;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) return failed();
  return opened;
}

Status PacketSocket::take_all_multicast() {
  packet_mreq groups{};
  groups.mr_ifindex = index_;
  groups.mr_type = PACKET_MR_ALLMULTI;
  if (::setsockopt(fd(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof groups) != 0)
    return fail_sys(errno, "listen for multicast frames");
  return {};
}

void PacketSocket::send(const Packet& packet, std::uint16_t protocol, const Mac& to) const {
  sockaddr_ll there{};
  there.sll_family = AF_PACKET;
  there.sll_protocol = htons(protocol);
  there.sll_ifindex = index_;
  there.sll_halen = ETH_ALEN;
  std::ranges::copy(to.bytes(), there.sll_addr);
  (void)::sendto(fd(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&there),
                 sizeof there);
}

std::optional<PacketSocket::Received> PacketSocket::receive(
    std::chrono::steady_clock::time_point deadline) const {
  using std::chrono::milliseconds;
  for (;;) {
    const auto left =
        std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd ready{fd(), POLLIN, 0};
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) == 0) return std::nullopt;
    Packet packet(256);
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const auto got = ::recvfrom(fd(), packet.data(), packet.size(), MSG_DONTWAIT,
                                reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return std::nullopt;
    }
    packet.resize(static_cast<std::size_t>(got));
    const auto sender = mac_in(from.sll_addr);
    if (from.sll_pkttype != PACKET_OUTGOING && sender != mac_)
      return Received{std::move(packet), sender};
  }
}

}  // namespace berth::kernel
