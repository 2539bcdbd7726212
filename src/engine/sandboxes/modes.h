// What the network of a new sandbox consists of: endpoints on networks, or one of the modes that
// stand in the place of a network's name.
//
//   host            the host's own namespace
//   none            a namespace of its own with lo alone
//   container:NAME  the namespace of another sandbox, with its hosts file, host name, resolv.conf
//                   and thereby its ports; a sharer of a sharer shares with the first one
//   ns:PATH         a namespace that somebody else made; nothing in it is changed or removed
//
// Who shares is not in the way of an owner's own end: its endpoints and addresses go with its
// process, and the sharers stay in a namespace with lo alone, as in Docker. But nobody stops or
// removes an owner under its sharers without naming them in the same request.
//
// Sources: the options that conflict are those of moby runconfig/hostconfig_unix.go and
// daemon/container_operations.go, where a host network drops published ports with a warning that
// berth makes a refusal.
#pragma once

#include <string>

#include "berth/engine.h"
#include "engine/state/state.h"
#include "kernel/netns/netns.h"

namespace berth::engine {

struct Mode {
  NetworkMode mode = NetworkMode::kNetworks;
  std::optional<Sandbox> owner;  ///< of kContainer
  std::string path;              ///< of kPath
};

/// The mode that `run` asks for; refuses options that it leaves no place for. Reads the store
/// alone.
[[nodiscard]] Result<Mode> mode_of(State& state, const RunProcess& request);

/// What opens the namespace that a running sandbox is in. Of a process that is its own, whatever
/// namespace has the path by now that it was started with.
[[nodiscard]] std::string own_netns_path(const Sandbox& sandbox);

/// Refuses to connect `sandbox` to a network, or to disconnect it, if it has no endpoints by its
/// mode. `attached`: with addresses that somebody else has chosen, as a private one is attached
/// too.
[[nodiscard]] Status check_takes_endpoints(State& state, const Sandbox& sandbox,
                                           const Network& network, bool attached);

/// The namespace that a new sandbox of that mode joins; none: it gets one of its own.
[[nodiscard]] Result<std::optional<kernel::Netns>> namespace_to_join(State& state,
                                                                     const Mode& mode);

}  // namespace berth::engine
