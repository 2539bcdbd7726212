// berth-shim's command line, which `ps` shows: the settings of one sandbox's process.
//
// Everything points into argv, so it costs no memory. The process's environment is the shim's own:
// an argument would show it to every user of the machine.
#pragma once

#include <cstddef>

namespace berth::shim {

/// Words of the on-exit command, the exit code and the closing null included.
inline constexpr std::size_t kMaxOnExitWords = 64;

struct Options {
  const char* id = nullptr;    ///< for `ps` only
  const char* name = nullptr;  ///< for `ps` only
  const char* hostname = nullptr;
  const char* domainname = nullptr;  ///< null: the kernel's, "(none)"
  const char* rootfs = nullptr;  ///< null: the host's file system
  const char* hosts_file = nullptr;
  const char* hostname_file = nullptr;
  const char* resolv_file = nullptr;
  const char* log_file = nullptr;  ///< for a detached process
  const char* workdir = nullptr;   ///< null: /
  int sync_fd = -1;
  int netns_fd = -1;  ///< the network namespace to join; -1: a new one
  bool detach = false;
  bool tty = false;
  bool open_stdin = false;
  char* on_exit[kMaxOnExitWords] = {};  ///< null-ended; empty: none
  std::size_t on_exit_words = 0;
  char** command = nullptr;  ///< null-ended, at least one word
};

/// Reads the command line, or says what is wrong with it on standard error and returns false.
[[nodiscard]] bool parse_options(int argc, char* argv[], Options& options);

}  // namespace berth::shim
