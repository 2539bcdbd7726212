// Programs that the kernel runs on packets: loading one, over bpf(2).
//
// A program here is an array of instructions without maps and relocations, so that nothing has to be
// made or filled in before it is loaded. The kernel's verifier looks at every way through it, and
// says what it does not like in a log, which an error here ends with. A loaded program lives as long
// as a descriptor or something that it is attached to (filter.h).
//
// Capabilities: CAP_BPF and CAP_NET_ADMIN, both in the first user namespace (bpf_capable).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "berth/result.h"

namespace berth::kernel {

/// What identifies a program's instructions: the kernel's digest of them.
using ProgramTag = std::array<std::uint8_t, 8>;

/// Loads `instructions` (eight bytes each) as a classifier of tc. `name`: letters, digits, '_' and
/// '.', at most 15. kPermission without the capabilities; kUnsupported where the kernel has no bpf(2).
[[nodiscard]] Result<UniqueFd> load_classifier(const std::string& name,
                                               std::span<const std::uint64_t> instructions);

[[nodiscard]] Result<ProgramTag> tag_of(const UniqueFd& program);

}  // namespace berth::kernel
