// Interfaces on a segment that berth does not have to itself: a parent's, or that of a bridge which was
// there before the network. Pure.
#pragma once

#include "berth/network.h"
#include "drivers/interface.h"
#include "plan/op.h"

namespace berth::drivers {

/// configure() on a segment with others' machines on it: an address that was asked for is given to
/// the interface only if nobody has it.
[[nodiscard]] plan::Plan configure_among_others(const Network& network, const Endpoint& endpoint,
                                                const plan::NsRef& sandbox, const Facts& facts);

}  // namespace berth::drivers
