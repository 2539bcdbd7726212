// A plan as the commands a person would type: ip(8), bridge(8), nft(8), sysctl(8), nsenter(1).
// Run in order in a fresh namespace they leave the kernel as the engine would (the differential
// test in tests/netns does that); consecutive nft operations become one `nft -f`, one transaction.
#pragma once

#include <string>
#include <vector>

#include "plan/op.h"

namespace berth::plan {

/// One shell command an entry; a here-document's lines stay in one entry. Every word that comes
/// from outside is quoted for a POSIX shell where it needs to be.
[[nodiscard]] std::vector<std::string> render(const Plan& plan);

}  // namespace berth::plan
