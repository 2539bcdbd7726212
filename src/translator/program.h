// The instructions that translate.bpf.c was compiled to.
#pragma once

#include <cstdint>
#include <span>

namespace berth::translator {

[[nodiscard]] std::span<const std::uint64_t> to4();  ///< for berth46's ingress
[[nodiscard]] std::span<const std::uint64_t> to6();  ///< for its egress

}  // namespace berth::translator
