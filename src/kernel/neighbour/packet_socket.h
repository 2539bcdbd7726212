// A packet socket on one interface of the calling thread's namespace: frames of one Ethernet
// protocol, without their headers (packet(7)). Needs CAP_NET_RAW to be opened.
#pragma once

#include <chrono>
#include <optional>

#include "base/unique_fd.h"
#include "berth/ifname.h"
#include "kernel/neighbour/packets.h"

namespace berth::kernel {

class PacketSocket {
 public:
  [[nodiscard]] static Result<PacketSocket> open(const IfName& link, std::uint16_t protocol);

  /// Takes multicast frames too, of groups that the interface has not joined.
  [[nodiscard]] Status take_all_multicast();

  [[nodiscard]] const Mac& mac() const { return mac_; }  ///< the interface's, at open()
  /// Readable: there is a frame. In error: the interface is down or gone.
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Errors are passed over: where nothing can be sent (no carrier) nobody is there to hear it.
  void send(const Packet& packet, std::uint16_t protocol, const Mac& to) const;

  struct Received {
    Packet packet;  ///< its first 256 bytes
    Mac from;
  };
  /// The next frame from somebody else; none if none has come by `deadline`, or the interface is
  /// gone.
  [[nodiscard]] std::optional<Received> receive(
      std::chrono::steady_clock::time_point deadline) const;

 private:
  UniqueFd fd_;
  int index_ = 0;
  Mac mac_;
};

}  // namespace berth::kernel
