// Giving out a subnet's addresses: always the lowest free one, so that results can be foretold.
//
// Theory of operation: there is no bitmap to load and save. Leases are ordered keys in the store,
// and the allocator walks the taken addresses upwards from where the first gap can be; the walk
// ends at the gap. `hint` keeps the run of taken addresses before the gap from being walked every
// time: keep it with the leases, after an allocation set it to the address given out, and at a
// release lower it to the released address where that is lower. Then filling a subnet of any size
// takes one or two visits an address.
//
// Pure: see ipam/subnet.h. Two allocations must be kept from running at once by the caller (the
// instance lock), from reading the leases until the new one is stored.
#pragma once

#include <functional>
#include <optional>

#include "berth/address.h"
#include "berth/result.h"
#include "ipam/subnet.h"

namespace berth::ipam {

/// Visits the subnet's taken addresses that are not less than `from`, in ascending order, until
/// visit returns false. Addresses that are reserved or outside the range may be among them.
using TakenFrom =
    std::function<Status(const Ip& from, const std::function<bool(const Ip& taken)>& visit)>;

/// The lowest address of the range (or of the subnet) that is a host's and not the gateway's, an
/// auxiliary one or taken. `hint` is an address of the subnet below which all are taken or
/// reserved.
Result<Ip> first_free(const Subnet& subnet, std::optional<Ip> hint, const TakenFrom& taken_from);

/// Whether a container may have `ip` because its user says so (--ip). As with Docker it may lie
/// outside the range, but not outside the subnet. Says nothing about leases.
Status check_static(const Subnet& subnet, const Ip& ip);

/// How many addresses first_free() gives out when none is taken.
Uint128 usable_addresses(const Subnet& subnet);

}  // namespace berth::ipam
