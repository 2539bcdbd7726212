// Published ports: asked for by `run -p`, `connect -p` and publish, and where they lead.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "berth/engine.h"
#include "engine/ports/publish.h"
#include "engine/ports/roaming.h"
#include "engine/state/draft.h"
#include "plan/op.h"

namespace berth::engine {

struct Instance;

[[nodiscard]] Result<Endpoint> prepare(Instance& instance, Draft& draft, const Publish& request);
[[nodiscard]] Result<Endpoint> prepare(Instance& instance, Draft& draft, const Unpublish& request);

/// The ports that a sandbox on several networks is started with: each has its number from the first
/// endpoint of `ids`, by their rank as a way out, that can carry it. An error if none can.
[[nodiscard]] Result<std::vector<PortMapping>> choose_ports(Instance& instance, Draft& draft,
                                                            const std::vector<std::string>& ids,
                                                            const std::vector<PortSpec>& specs);

/// What happens to a port that is to be published again when another has taken it meanwhile.
enum class IfTaken { kRefuse, kWait };
/// Publishes the ports that the sandbox was started with by the endpoints that they now belong to,
/// which the state has all of. Those of `joining`, an id, come with its own plan, and they alone are
/// refused if it is given.
[[nodiscard]] Status reassign_ports(Instance& instance, Draft& draft, const Sandbox& sandbox,
                                    IfTaken if_taken, std::string_view joining = {});

// The translator: ports on IPv6 for the IPv4 addresses of containers (src/translator).

/// Whether the translator leads to the endpoint's IPv4 address for these ports; adds it to the draft
/// if it is needed and not there. Where there can be none, an error if a port cannot do without;
/// else the ports are published on IPv4 alone.
[[nodiscard]] Result<bool> use_translator(Instance& instance, Draft& draft, const Network& network,
                                          const Endpoint& endpoint,
                                          const std::vector<PortSpec>& specs);
/// Adds the translator to the draft, unless it is there; an error if there can be none.
[[nodiscard]] Status add_translator(Instance& instance, Draft& draft);
/// Whether the translator is there, and a network is left that may need it.
[[nodiscard]] Result<bool> translator_needed_without(Instance& instance, State& state,
                                                     const std::vector<Network>& networks);
/// What of the translator is missing, if a port needs it.
[[nodiscard]] Result<plan::Plan> translator_repairs(Instance& instance, State& state);

}  // namespace berth::engine
