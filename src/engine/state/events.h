// Events in the making: a use case adds them to its draft, and the commit tells them.
#pragma once

#include "berth/event.h"
#include "berth/network.h"

namespace berth::engine {

[[nodiscard]] Event event_of(Event::Action action, const Network& network);
[[nodiscard]] Event event_of(Event::Action action, const Sandbox& sandbox);
/// Of connect and disconnect.
[[nodiscard]] Event event_of(Event::Action action, const Endpoint& endpoint,
                             const Sandbox& sandbox);

}  // namespace berth::engine
