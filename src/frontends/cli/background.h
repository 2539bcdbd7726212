// What goes on when the command has said its result and ended.
#pragma once

#include <vector>

#include "berth/engine.h"

namespace berth::cli {

/// Announces the addresses of new endpoints from a process of its own, which holds none of this
/// one's files and ends after the last message. The endpoints are there whether or not their
/// neighbours hear of it: an error is not the command's.
void announce_in_background(Engine& engine, const std::vector<Endpoint>& endpoints);

}  // namespace berth::cli
