// What another program prints.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "berth/result.h"

namespace berth::runtimes {

struct Output {
  int exit_code = 0;  ///< 128 + N when signal N killed it
  std::string out, err;
};

/// Runs `argv` (found in PATH, no shell, no input) until it ends, and kills it after `limit`.
/// kNotFound where there is no such program; kIo when it takes too long or prints too much.
[[nodiscard]] Result<Output> output_of(const std::vector<std::string>& argv,
                                       std::chrono::milliseconds limit);

}  // namespace berth::runtimes
