// berth-shim's command line, which `ps` shows: the settings of one sandbox's process.
//
// Everything points into argv, so it costs no memory. The process's environment is the shim's own:
// an argument would show it to every user of the machine.
#pragma once

#include <cstddef>

#include "sandbox/shim/mounts.h"
#include "sandbox/shim/privileges.h"

namespace berth::shim {

/// Words of the on-exit command, the exit code and the closing null included.
inline constexpr std::size_t kMaxOnExitWords = 64;

/// Settings of the kernel and supplementary groups at most.
inline constexpr std::size_t kMaxSysctls = 64;
inline constexpr std::size_t kMaxGroups = 64;

struct Options {
  const char* id = nullptr;    ///< for `ps` only
  const char* name = nullptr;  ///< for `ps` only
  const char* hostname = nullptr;
  const char* domainname = nullptr;  ///< null: the kernel's, "(none)"
  const char* rootfs = nullptr;      ///< null: the host's file system
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
  bool init = false;       ///< an init of berth's is the first process, and the command its child
  bool read_only = false;  ///< the root file system
  bool protect = false;    ///< the kernel's files cannot be written, and some not be read
  Bind binds[kMaxBinds] = {};
  std::size_t bind_count = 0;
  char* sysctls[kMaxSysctls] = {};  ///< "net.ipv4.ip_forward=1"
  std::size_t sysctl_count = 0;
  Privileges privileges;
  gid_t groups[kMaxGroups] = {};
  char* on_exit[kMaxOnExitWords] = {};  ///< null-ended; empty: none
  std::size_t on_exit_words = 0;
  char** command = nullptr;  ///< null-ended, at least one word
};

/// Reads the command line, or says what is wrong with it on standard error and returns false.
[[nodiscard]] bool parse_options(int argc, char* argv[], Options& options);

}  // namespace berth::shim
