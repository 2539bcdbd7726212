// Networks on a bridge that was there before them.
//
// Theory of operation: an unmanaged network (mode=unmanaged) puts ports into the bridge and touches
// nothing else. An adopted one (--adopt) is a network like any other, whose bridge is not berth's:
// of what the network consists of, what is missing is made, and Realised keeps what takes exactly
// that away again. So the administrator's own addresses, VLANs and state stay as they were.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "berth/engine.h"
#include "berth/network.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/socket.h"
#include "plan/op.h"

namespace berth::engine {

/// In the comments of an adopted bridge's elements, before the instance: what is found by them is
/// not to be deleted.
inline constexpr std::string_view kAdoptedMark = "adopted ";

[[nodiscard]] bool on_existing_bridge(const Network& network);

/// Notes the bridge of `--adopt`, and refuses options that contradict one another.
[[nodiscard]] Status read_adoption(Network& network, const std::string& adopt);

/// One bridge belongs to one network; but beside the one that adopted it, or on a bridge that no
/// network has, there may be any number of unmanaged ones.
[[nodiscard]] Status check_sharing(const Network& network, const std::vector<Network>& others);

/// The network's bridge, if it is one and keeps VLANs apart where the network needs that.
[[nodiscard]] Result<kernel::LinkInfo> find_existing_bridge(kernel::Socket& route,
                                                            const Network& network);

/// What the network's bridge, which was there before it, is called by now, if nothing has its name:
/// the bridge that has one of the network's gateway addresses.
[[nodiscard]] Result<std::optional<IfName>> new_name_of_existing(kernel::Socket& route,
                                                                 const Network& network);
/// What `plan` does to the bridge `from`, done to `to`.
[[nodiscard]] plan::Plan under_its_new_name(plan::Plan plan, const IfName& from, const IfName& to);

/// Refuses a network that has been made and whose bridge is gone since.
[[nodiscard]] Status check_bridge_still_there(kernel::Socket& route, const Network& network);

/// Subnets and gateways that are not asked for are those of the bridge's addresses. Link-local ones
/// do not count. `ipv6_unsaid`: nobody said whether the network is to have IPv6; an address of the
/// bridge says so.
[[nodiscard]] Status complete_from_bridge(kernel::Socket& route, Network& network, bool ipv6_unsaid,
                                          std::vector<SubnetRequest>& subnets);

/// Refuses a VRF that is not there, or that the kernel knows nothing of.
[[nodiscard]] Status check_vrf(kernel::Socket& route, const Network& network);

}  // namespace berth::engine
