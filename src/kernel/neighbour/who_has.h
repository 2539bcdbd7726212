// Asking the neighbours of an interface whether one of them has an address already.
//
// Theory of operation: an address that is about to be taken by hand may be somebody's already, and
// two machines with one address lose each other's packets. So the link asks without naming an
// address of its own, as a host does that has none yet: an ARP probe (RFC 5227, 2.1.1), or a
// neighbour solicitation from the unspecified address (RFC 4862, 5.4.2). Whoever has the address
// answers, and so does who is probing for it at the same moment. Two questions 100 ms apart instead
// of RFC 5227's three over some seconds: a container is not to wait that long, and on a wired
// segment an answer comes within a millisecond.
//
// Needs CAP_NET_RAW in the user namespace of the calling thread's network namespace.
#pragma once

#include <optional>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/result.h"

namespace berth::kernel {

/// The MAC address of a neighbour on `link`, which is up and of the calling thread's namespace,
/// that has `address`; none if nobody has answered after 200 ms, or nobody can be reached.
[[nodiscard]] Result<std::optional<Mac>> who_has(const IfName& link, const Ip& address);

}  // namespace berth::kernel
