// What happens to networks and sandboxes, for whoever watches an engine.
//
// Names follow Docker's events (docs.docker.com, "docker system events"). An event is told after
// its change is recorded, in the order of the changes that this engine made; a change that failed
// tells none. Changes of other processes are not told here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace berth {

struct Event {
  enum class Action {
    kNetworkCreate,
    kNetworkUpdate,
    kNetworkConnect,
    kNetworkDisconnect,
    kNetworkDestroy,
    kSandboxCreate,
    kSandboxStart,
    kSandboxDie,
    kSandboxDestroy,
  };
  Action action;
  std::int64_t time = 0;                 ///< nanoseconds since the Unix epoch, when it was recorded
  std::string network_id, network_name;  ///< of what concerns a network
  std::string sandbox_id, sandbox_name;  ///< of what concerns a sandbox
  int exit_code = 0;                     ///< of kSandboxDie
};

/// "network create", "container die" and so on.
[[nodiscard]] std::string_view name(Event::Action action);

}  // namespace berth
