// Whether a port of the host is free to be published, asked by trying to bind it.
//
// Theory of operation: a published port is forwarded before it reaches the host's own sockets, so
// one that a program of the host listens on would be taken away from it unnoticed. A bind without
// listen finds that out without ever accepting a connection.
//   TCP: with SO_REUSEADDR, which lets connections that linger (TIME_WAIT) pass and listening
//   sockets not (inet_csk_bind_conflict in net/ipv4/inet_connection_sock.c). Those that were made
//   without that option still conflict, so a refusal is checked against the socket table. UDP and
//   SCTP: without it; whoever has the port bound receives on it.
// The answer is of the moment: nothing reserves the port.
//
// All of it is about the calling thread's network namespace. `address` is one of the host's, or
// none for all of them, IPv4 and IPv6. 0.0.0.0 stands for all of IPv4 alone, :: for all of IPv6
// alone.
//
// An address that the host is about to get can be asked about as well (Absent::kAllowed): a socket
// with IP_FREEBIND may be bound to it before (ip(7)), and conflicts with the same others.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "berth/address.h"
#include "berth/result.h"

namespace berth::kernel {

/// Whether `address` must be one that the host has by now.
enum class Absent { kRefused, kAllowed };

/// kNotFound if the host has no such address, kPermission if the port is privileged and this
/// process lacks CAP_NET_BIND_SERVICE.
[[nodiscard]] Result<bool> port_free(Protocol protocol, const std::optional<Ip>& address, Port port,
                                     Absent absent = Absent::kRefused);

/// A port that is free now, of the range net.ipv4.ip_local_port_range.
[[nodiscard]] Result<Port> any_free_port(Protocol protocol, const std::optional<Ip>& address);
/// One that is free on each of `addresses` (one or more, none of which includes another) and that
/// `is_right` takes: drawn at random, and where that finds none, the lowest one. kExhausted if there
/// is none.
[[nodiscard]] Result<Port> any_free_port_on(
    Protocol protocol, std::span<const Ip> addresses,
    const std::function<bool(Port)>& is_right = [](Port) { return true; },
    Absent absent = Absent::kRefused);

/// "<pid>/<program>" of a process that receives on the port, as far as this process may see: for
/// the text of an error only. SCTP sockets are not looked up.
[[nodiscard]] std::optional<std::string> listener_owner(Protocol protocol,
                                                        const std::optional<Ip>& address,
                                                        Port port);

}  // namespace berth::kernel
