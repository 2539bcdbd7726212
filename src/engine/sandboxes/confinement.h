// What a sandbox's process may do: checked when it is asked for, and handed to what starts it.
#pragma once

#include "berth/network.h"
#include "berth/result.h"
#include "sandbox/process.h"

namespace berth::engine {

/// The confinement as it is kept: what it names is there and allowed for a sandbox of `mode` with
/// the root directory `rootfs`; paths of the host are resolved.
[[nodiscard]] Result<Confinement> check_confinement(Confinement asked, NetworkMode mode,
                                                    const std::string& rootfs);

/// Fills in what `spec` has of it, and HOME if the environment has none.
[[nodiscard]] Status confine(sandbox::ProcessSpec& spec, const Sandbox& sandbox);

}  // namespace berth::engine
