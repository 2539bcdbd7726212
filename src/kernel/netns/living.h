// Telling a network namespace from all that were and will be, and whether it is still there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "berth/result.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

/// The number of the socket's network namespace that no other one gets until the machine restarts
/// (SO_NETNS_COOKIE in net/core/sock.c); 0 before Linux 5.14, which does not tell.
[[nodiscard]] std::uint64_t netns_cookie(const Socket& socket);

/// A path by which the namespace with that inode and cookie can be opened: of a process that is in
/// it, or where it is mounted. None if no process in /proc and no mount seen from here has it. An
/// inode number is used again once its namespace is gone, so the cookie is compared, if it is known.
[[nodiscard]] std::optional<std::string> find_netns(ino_t inode, std::uint64_t cookie);

}  // namespace berth::kernel
