// --link NAME[:ALIAS]: names of other sandboxes in a hosts file.
//
// A link belongs to an endpoint and stands for the linked sandbox's addresses on the same network,
// as long as it has some there. It is kept by name, as "NAME:ALIAS", so that another sandbox of
// that name takes the place of one that was removed. It gives names and opens nothing: what may
// talk to what is the network's.
//
// Source of the line's form: moby daemon/container_operations.go, buildSandboxOptions.
#pragma once

#include <string>
#include <vector>

#include "engine/state/state.h"
#include "sandbox/files.h"

namespace berth::engine {

/// Checks the links that an endpoint of `sandbox` is to have and puts them into the form in which
/// they are kept. The linked sandboxes must be there; they need not be on the network yet.
[[nodiscard]] Status normalise_links(State& state, const Sandbox& sandbox,
                                     std::vector<std::string>& links);

/// The lines of the hosts file that the links of `endpoints` make: "IP\tALIAS HOSTNAME NAME".
[[nodiscard]] Result<std::vector<sandbox::HostEntry>> link_entries(
    State& state, const std::vector<Endpoint>& endpoints);

}  // namespace berth::engine
