#include "engine/state/events.h"

namespace berth {

std::string_view name(Event::Action action) {
  using enum Event::Action;
  switch (action) {
    case kNetworkCreate:
      return "network create";
    case kNetworkUpdate:
      return "network update";
    case kNetworkConnect:
      return "network connect";
    case kNetworkDisconnect:
      return "network disconnect";
    case kNetworkDestroy:
      return "network destroy";
    case kSandboxCreate:
      return "container create";
    case kSandboxStart:
      return "container start";
    case kSandboxDie:
      return "container die";
    case kSandboxDestroy:
      return "container destroy";
  }
  return "";
}

}  // namespace berth

namespace berth::engine {

Event event_of(Event::Action action, const Network& network) {
  return {.action = action, .network_id = network.id, .network_name = network.name};
}

Event event_of(Event::Action action, const Sandbox& sandbox) {
  return {.action = action,
          .sandbox_id = sandbox.id,
          .sandbox_name = sandbox.name,
          .exit_code = sandbox.exit_code};
}

Event event_of(Event::Action action, const Endpoint& endpoint, const Sandbox& sandbox) {
  return {.action = action,
          .network_id = endpoint.network_id,
          .network_name = endpoint.network_name,
          .sandbox_id = sandbox.id,
          .sandbox_name = sandbox.name};
}

}  // namespace berth::engine
