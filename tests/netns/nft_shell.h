// Running commands from tests: what they print and how they end.
#pragma once

#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

#include "private_ns.h"

namespace berth::testing {

struct Finished {
  int status = -1;     ///< exit status
  std::string output;  ///< of stdout and stderr
};

/// Runs `command` with sh in the calling thread's namespaces.
inline Finished shell(const std::string& command) {
  Finished finished;
  FILE* pipe = popen(("{ " + command + "\n} 2>&1").c_str(), "re");
  if (pipe == nullptr) return finished;
  std::array<char, 4096> buffer;
  while (const auto size = fread(buffer.data(), 1, buffer.size(), pipe)) {
    finished.output.append(buffer.data(), size);
  }
  const int status = pclose(pipe);
  finished.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return finished;
}

/// Has `nft` carry out `text`.
inline Finished load_nft(const std::string& text) {
  const std::string path = scratch_dir() + "/ruleset.nft";
  std::ofstream(path) << text;
  return shell("nft -f " + path);
}

}  // namespace berth::testing
