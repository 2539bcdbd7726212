// Running a further command in a sandbox that is there: `berth exec`.
//
// Theory of operation: a child joins the namespaces with one setns(2) on the process's pidfd (a
// pidfd cannot come to mean another process) and makes the command's process, because a PID
// namespace is joined by one's children only. In the foreground that process is the caller's own
// child (CLONE_PARENT), so nothing stays between; detached it belongs to the sandbox's init.
// exec.cc is the only file of this module that calls setns, and only in a child made for it.
//
// Standard streams: the caller's in the foreground (standard input with open_stdin only, else
// /dev/null), or a pseudo-terminal of the sandbox's own (terminal.h) with tty; /dev/null all three
// when detached.
//
// For single-threaded programs: the child runs library code between fork and exec.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/capabilities.h"
#include "sandbox/process_id.h"
#include "sandbox/start_error.h"
#include "sandbox/users.h"

namespace berth::sandbox {

struct ExecSpec {
  std::string sandbox;  ///< what the caller calls it, for errors
  std::vector<std::string> argv;
  std::vector<std::string> env;  ///< "K=V", all of it; PATH is added if it has none
  std::string workdir;       ///< empty: /, but in a namespace without a process the caller's, if
                             ///< not detached
  std::optional<User> user;  ///< nullopt: the caller's
  Capabilities capabilities = kAllCapabilities;
  bool no_new_privileges = false;
  bool detach = false;
  bool tty = false;  ///< a pseudo-terminal for it; nothing when detached
  bool open_stdin = false;
};

/// Runs a command in the network, mount, UTS, IPC and PID namespaces of `target`. Returns its exit
/// code (0-255, 128 + signal); 0 as soon as it has exec'ed if detached.
[[nodiscard]] std::expected<int, StartError> exec_in(const ProcessId& target, const ExecSpec& spec);

/// The same in a network namespace that has no process, given by a descriptor of it: with a
/// matching /sys in a private mount namespace, and else everything of the caller's.
[[nodiscard]] std::expected<int, StartError> exec_in_netns(int netns, const ExecSpec& spec);

}  // namespace berth::sandbox
