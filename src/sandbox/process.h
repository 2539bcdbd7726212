// Making a sandbox's process: the library's side of berth-shim.
//
// Theory of operation: spawn() starts a shim (apps/berth_shim.cc), which makes the process in new
// mount, UTS, IPC and PID namespaces and in a new network namespace or the one it is given, and
// holds it. The engine then attaches networks to pid()'s namespace, and start() lets the process
// become its command:
//
//   PendingProcess  --start()-->  StartedProcess  --wait()-->  exit code
//        |                             |
//        destroyed: nothing remains    destroyed: the process goes on
//
// The three files must exist when spawn() is called; their content may still change until start()
// (written in place, see files.h), since they are bind mounts of the same files.
//
// Threading: spawn() and start() may be called from any thread. wait() changes the signal mask and
// is for a single-threaded program in the foreground. Ownership: a PendingProcess owns the shim and
// the process; a StartedProcess owns neither. Debugging: the shim's settings are in `ps`; strace -f
// shows what its process could not do.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "berth/result.h"
#include "sandbox/capabilities.h"
#include "sandbox/process_id.h"
#include "sandbox/start_error.h"
#include "sandbox/terminal.h"
#include "sandbox/users.h"

namespace berth::sandbox {

struct BindSpec {
  std::string source;  ///< both are absolute paths; the target is the sandbox's
  std::string target;
  bool read_only = false;
};

struct ProcessSpec {
  std::string id;
  std::string name;
  std::string hostname;
  std::string domainname;  ///< NIS's, setdomainname(2); empty: none
  int netns = -1;          ///< descriptor of the network namespace to join; -1: a new one
  std::vector<std::string> argv;
  std::vector<std::string> env;       ///< "K=V", all of it; PATH is added if it has none
  std::optional<std::string> rootfs;  ///< a directory, absolute; nullopt: the host's file system
  std::string hosts_file;             ///< this and the next two: absolute paths, or empty for none
  std::string hostname_file;
  std::string resolv_file;
  std::string log_file;  ///< written only when detached; appended to
  bool detach = false;
  bool tty = false;  ///< a pseudo-terminal of its own: the caller's window to it, or the log's
  bool open_stdin = false;
  bool init = false;       ///< an init of berth's with the command as its child (shim/init.h)
  bool read_only = false;  ///< the root file system
  bool protect = false;    ///< files of the kernel that are no namespace's (protect_kernel())
  std::vector<BindSpec> binds;
  std::vector<std::string> sysctls;  ///< "net.ipv4.ip_forward=1"
  std::optional<User> user;          ///< nullopt: the caller's
  Capabilities capabilities = kAllCapabilities;
  bool no_new_privileges = false;
  std::string workdir;  ///< empty: /; a relative path begins there
  std::string shim;     ///< path of berth-shim
  std::vector<std::string>
      on_exit;  ///< program (absolute) and arguments; the exit code is appended
};

class StartedProcess;

class PendingProcess {
 public:
  [[nodiscard]] static Result<PendingProcess> spawn(const ProcessSpec& spec);
  PendingProcess(PendingProcess&&) noexcept = default;
  PendingProcess& operator=(PendingProcess&&) = delete;
  /// Kills the process and the shim and waits until both are gone, if it was not started.
  ~PendingProcess();

  [[nodiscard]] const ProcessId& id() const { return process_; }
  [[nodiscard]] const ProcessId& shim() const { return shim_; }
  [[nodiscard]] pid_t pid() const { return process_.pid; }
  [[nodiscard]] pid_t shim_pid() const { return shim_.pid; }

  /// Lets the process become its command. After an error nothing of it remains, and the on-exit
  /// program does not run.
  [[nodiscard]] std::expected<StartedProcess, StartError> start() &&;

 private:
  friend class StartedProcess;
  PendingProcess() = default;
  void abandon();

  ProcessId process_;
  ProcessId shim_;
  UniqueFd sync_;  // valid: not started yet
  UniqueFd shim_fd_;
  UniqueFd process_fd_;
  std::string name_;
  std::string command_;
  bool detach_ = false;
  std::optional<Terminal> terminal_;
};

class StartedProcess {
 public:
  StartedProcess(StartedProcess&&) noexcept = default;
  StartedProcess& operator=(StartedProcess&&) = delete;

  [[nodiscard]] const ProcessId& id() const { return process_; }
  [[nodiscard]] const ProcessId& shim() const { return shim_; }

  /// Waits in the foreground, passing on signals and its terminal's text (foreground.h), until the
  /// process has ended and the on-exit program is done. Returns the exit code: 0-255, or 128 + the
  /// signal that ended it.
  [[nodiscard]] Result<int> wait() &&;

 private:
  friend class PendingProcess;
  explicit StartedProcess(PendingProcess&& from);

  ProcessId process_;
  ProcessId shim_;
  UniqueFd sync_;
  UniqueFd process_fd_;
  std::string name_;
  bool detach_ = false;
  std::optional<Terminal> terminal_;
};

}  // namespace berth::sandbox
