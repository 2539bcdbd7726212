// Kernel settings under /proc/sys.
//
// A key is written with dots ("net.ipv4.ip_forward") or with slashes. The first separator decides,
// as in sysctl(8): after a slash, dots are part of the names, so that an interface with a dot in
// its name can be said ("net/ipv4/conf/eth0.100/rp_filter").
//
// Keys under net/ are those of the calling thread's network namespace; the functions ending in _in
// enter another for a moment, as open_socket_in() of netns.h does.
#pragma once

#include <string>
#include <string_view>

#include "berth/result.h"
#include "kernel/netns/netns.h"

namespace berth::kernel {

/// The file of a key: "/proc/sys/net/ipv4/ip_forward". kInvalid if it has an empty or "." or ".."
/// part.
[[nodiscard]] Result<std::string> sysctl_path(std::string_view key);

/// The value without the line's end.
[[nodiscard]] Result<std::string> read_sysctl(std::string_view key);
/// kNotFound if the kernel has no such key, kInvalid if it refuses the value, kPermission if
/// /proc/sys is mounted read-only (as most containers have it) or may not be written and the value
/// is another one: what is right already needs no permission.
[[nodiscard]] Status write_sysctl(std::string_view key, std::string_view value);

/// The same for a key under net/ of another namespace.
[[nodiscard]] Result<std::string> read_sysctl_in(const Netns& netns, std::string_view key);

}  // namespace berth::kernel
