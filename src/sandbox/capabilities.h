// Capabilities by name (capabilities(7)), and those that a sandbox has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "berth/result.h"

namespace berth::sandbox {

/// Bit N is capability N.
using Capabilities = std::uint64_t;

inline constexpr Capabilities kAllCapabilities = ~Capabilities{0};

/// Docker's default set (moby daemon/pkg/oci/caps/defaults.go) with `drop` taken away and `add`
/// added. A name may have CAP_ before it, in any case. ALL in `drop` leaves what is added, ALL in
/// `add` all that is not dropped, as in Docker.
[[nodiscard]] Result<Capabilities> capabilities_of(const std::vector<std::string>& add,
                                                   const std::vector<std::string>& drop);

}  // namespace berth::sandbox
