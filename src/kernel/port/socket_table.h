// The kernel's tables of sockets as text: /proc/net/tcp, tcp6, udp and udp6 (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "berth/address.h"

namespace berth::kernel {

struct SocketEntry {
  Ip address;  ///< the local one, IPv4 where IPv6 only wraps it; unspecified: every address
  Port port = 0;
  std::uint8_t state = 0;  ///< as include/net/tcp_states.h numbers them
  ino_t inode = 0;         ///< 0: owned by no process (TIME_WAIT)
};
inline constexpr std::uint8_t kSocketListening = 0x0A;  // TCP_LISTEN

/// Reads a whole table; lines that are not of its form (the heading) are passed over.
[[nodiscard]] std::vector<SocketEntry> parse_socket_table(std::string_view text);

}  // namespace berth::kernel
