// Switching the host's forwarding on for networks, and off after the last of them.
#pragma once

#include <optional>
#include <vector>

#include "engine/state/draft.h"
#include "kernel/nft/element.h"
#include "plan/op.h"

namespace berth::engine {

struct Instance;

/// The host's sysctls that are to be switched so that it forwards for the network.
[[nodiscard]] Result<std::vector<plan::SetSysctl>> forwarding_plan(const Network& network);
/// What switches on forwarding of one family; empty if it is on.
[[nodiscard]] Result<std::vector<plan::SetSysctl>> forwarding_plan(Ip::Family family);
/// Adds `sysctls` to the draft, and a record of what they held before.
void start_forwarding(Draft& draft, std::vector<plan::SetSysctl> sysctls);
/// Switches off what no network needs once `networks` are gone.
[[nodiscard]] Status stop_forwarding(Instance& instance, Draft& draft,
                                     const std::vector<Network>& networks);

}  // namespace berth::engine
