// What looks like the translator (translator.h) and is not.
#pragma once

#include "berth/result.h"
#include "kernel/netlink/socket.h"

namespace berth::translator {

/// An error if somebody else's device has the name of one of the translator's: remove() leaves it, and
/// ensure() cannot make its own.
[[nodiscard]] Status check_names(kernel::Socket& route);

}  // namespace berth::translator
