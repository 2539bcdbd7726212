#include "kernel/neighbour/who_has.h"

#include <chrono>

#include "base/result.h"
#include "kernel/neighbour/packet_socket.h"

namespace berth::kernel {
namespace {

constexpr int kQuestions = 2;
constexpr auto kInterval = std::chrono::milliseconds(100);

}  // namespace

Result<std::optional<Mac>> who_has(const IfName& link, const Ip& address) {
  const auto protocol = neighbour_protocol(address.family());
  auto socket = TRY(PacketSocket::open(link, protocol));
  // Advertisements go to all nodes, a group that a link without IPv6 has not joined.
  TRY(socket.take_all_multicast());
  for (int i = 0; i < kQuestions; ++i) {
    socket.send(question(address, socket.mac()), protocol, question_goes_to(address));
    const auto deadline = std::chrono::steady_clock::now() + kInterval;
    while (const auto received = socket.receive(deadline))
      if (claims(received->packet, address)) return received->from;
  }
  return std::nullopt;
}

}  // namespace berth::kernel
