// The way from IPv6 to containers that have IPv4 alone, without a process: a translator of headers.
//
// Theory of operation. Ports are published by the firewall's DNAT, and the kernel translates
// addresses within a family only. So a port that is published on IPv6 leads to an IPv6 address that
// stands for the container, 64:ff9b:1::A.B.C.D, and what goes there takes a way round through a
// veth pair, both ends on the host:
//
//   client -- DNAT to 64:ff9b:1::A.B.C.D, masqueraded --> berth64 = berth46 --> bridge, container
//                                                     IPv6 |  ^   | IPv4 from 192.0.0.4
//                                                             two programs of tc, translate.bpf.c
//
// The programs rewrite each packet by itself (stateless, RFC 7915). All that must be remembered the
// connection tracking of both families has: that of IPv6 knows the client, and because everything
// is masqueraded as 64:ff9b:1:ffff::1 on its way into berth64, it chooses a port that is unique; so
// nobody has to choose one for IPv4, where every connection comes from 192.0.0.4. From there to the
// container it is masqueraded once more, as 127.0.0.1 is: the container answers the bridge's address,
// which it needs no default route for.
//
// The addresses: 64:ff9b:1::/48 is for translators of one site (RFC 8215), 192.0.0.0/29 for those of
// one host (RFC 7335). Neither is anybody's on the Internet.
//
// The devices do not ask for neighbours (NOARP), and have the same hardware address: a device takes
// its own address for that of its neighbours then (ndisc_constructor, arp_constructor), and what is
// sent to it is for the other end. Their MTU is the largest there is, so that an IPv4 packet may
// become 20 bytes longer, and large TCP packets that a device will cut (GSO) stay whole. TCP's
// segments fit the way they take, because MSS is agreed upon end to end, and who sends too much is
// told: ICMP's "too big" is translated as well. A UDP packet from the container that is larger than
// the MTU towards a client on another host is lost: IPv4 would have it fragmented on its way, and
// IPv6 does not.
//
// ::1 of the host: its answers come in by berth64. A route to ::1 counts only if it is one of the
// device that the packet came in by (firewall/table.h), hence the local route by berth64, whose
// metric is worse than lo's.
//
// What may enter the pair, and where to what leaves it may go, the firewall says (chain forward):
// only connections to published ports, and only to berth's bridges.
//
// One translator serves all networks of all instances in a namespace, like the table. It costs
// nothing while there is no such port. Kernels: bpf_skb_change_proto does all kinds of GSO since
// 5.13; tested on 6.18.
#pragma once

#include <string>
#include <vector>

#include "berth/result.h"
#include "kernel/netlink/socket.h"
#include "translator/names.h"

namespace berth::translator {

/// Whether there is a translator: a look for the device and no more, cheap enough for each attach.
[[nodiscard]] Result<bool> is_there(const kernel::Socket& route);

/// Whether it is whole: devices, addresses, routes, and this berth's programs.
[[nodiscard]] Result<bool> intact(kernel::Socket& route);

/// Makes it, or what is missing of it. The links' requests are of `route`'s namespace.
[[nodiscard]] Status ensure(kernel::Socket& route);

/// Removes it; gone already is fine.
[[nodiscard]] Status remove(kernel::Socket& route);

/// Whether this kernel, and who asks, can make one: makes it in a namespace for trial. The error
/// says what is missing.
[[nodiscard]] Status possible();

/// What ensure() does, as commands of `ip` and `tc`.
[[nodiscard]] std::vector<std::string> commands();

}  // namespace berth::translator
