// berth exec
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "frontends/cli/output.h"
#include "frontends/cli/run_options.h"
#include "frontends/cli/verbs.h"
#include "sandbox/exec.h"

extern char** environ;

namespace berth::cli {
namespace {

// The environment that the sandbox's process was started with: proc(5), entries ended by NUL.
std::vector<std::string> environment_of(const Sandbox& sandbox) {
  std::ifstream file(fmt::format("/proc/{}/environ", sandbox.pid), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> env;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto end = std::min(bytes.find('\0', at), bytes.size());
    env.push_back(bytes.substr(at, end - at));
    at = end + 1;
  }
  return env;
}

// A namespace without a process of berth's: everything but the network is the caller's.
std::vector<std::string> own_environment() {
  std::vector<std::string> env;
  for (char** entry = environ; *entry != nullptr; ++entry) env.emplace_back(*entry);
  return env;
}

struct Options {
  std::string target, user;
  sandbox::ExecSpec spec;
  std::vector<std::string> env;
  bool privileged = false;
};

// Gives the command what the sandbox's own process has.
Status confine(sandbox::ExecSpec& spec, const Confinement& confinement) {
  spec.no_new_privileges = confinement.no_new_privileges;
  if (confinement.privileged) return {};
  spec.capabilities = TRY(sandbox::capabilities_of(confinement.cap_add, confinement.cap_drop));
  return {};
}

std::expected<int, sandbox::StartError> exec_in(const Sandbox& sandbox, const Options& options,
                                                std::vector<std::string> command) {
  const bool has_process = sandbox.kind == SandboxKind::kProcess;
  if (has_process && sandbox.state != SandboxState::kRunning)
    return std::unexpected(
        fail(ErrorKind::kInvalid, "sandbox {} is not running", sandbox.name).error());
  auto spec = options.spec;
  spec.argv = std::move(command);
  spec.sandbox = sandbox.name;
  spec.env = has_process ? environment_of(sandbox) : own_environment();
  if (spec.env.empty()) spec.env = default_environment(spec.tty);
  const auto& user = options.user.empty() ? sandbox.confinement.user : options.user;
  if (!user.empty()) {
    const auto root = has_process ? fmt::format("/proc/{}/root", sandbox.pid) : "/";
    spec.user = TRY(sandbox::find_user_in(root, user));
    TRY(add_environment(spec.env, std::array{"HOME=" + spec.user->home}));
  }
  TRY(add_environment(spec.env, options.env));
  if (has_process && !spec.user) spec.user = sandbox::User{};  // none of the caller's groups
  if (has_process && !options.privileged) TRY(confine(spec, sandbox.confinement));
  if (has_process) return sandbox::exec_in({sandbox.pid, sandbox.pid_start}, spec);
  const UniqueFd netns(::open(sandbox.netns_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!netns)
    return std::unexpected(system_error(errno, fmt::format("opening {}", sandbox.netns_path)));
  return sandbox::exec_in_netns(netns.get(), spec);
}

Action build_exec(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto& spec = options->spec;
  add_argument(
      app, "TARGET", options->target,
      "A sandbox's name or id, netns:PATH, pid:N, docker:NAME, podman:NAME, oci:ID, oci:FILE or "
      "oci:- with the container's state on standard input");
  add_flag(app, "-d,--detach", spec.detach, "Go on in the background");
  add_flag(app, "-i,--interactive", spec.open_stdin, "Keep standard input open");
  add_flag(app, "-t,--tty", spec.tty, "Give the command a terminal");
  add_text(app, "-u,--user", "USER[:GROUP]", options->user,
           "Run as this user, by name or number, of the sandbox's /etc/passwd and /etc/group; else "
           "as the one that the sandbox runs as");
  add_flag(app, "--privileged", options->privileged, "Give the command all capabilities");
  add_list(app, "-e,--env", "KEY=VALUE", options->env,
           "Set an environment variable; KEY alone takes this shell's");
  add_text(app, "-w,--workdir", "DIR", spec.workdir, "Working directory in the sandbox [/]");
  return [options](Context& context) -> Result<int> {
    const auto sandbox = [&]() -> Result<Sandbox> {
      auto engine = TRY(context.open());
      return engine.sandbox(options->target);
    }();  // the engine is closed before the command runs
    const auto exit_code = exec_in(TRY(sandbox), *options, context.command);
    if (exit_code) return *exit_code;
    complain(exit_code.error().error.message);
    return exit_code.error().exit_code;
  };
}

}  // namespace

constinit const Verb kExecVerb = {
    .name = "exec",
    .summary = "Run a command in a sandbox that is there",
    .details =
        "The exit code is the command's; 125 when berth refuses, 126 when the command cannot "
        "be executed, 127 when it is not found.",
    .examples =
        "berth exec server ip addr\n"
        "berth exec -it server bash\n"
        "berth exec -e DEBUG=1 -w /tmp -u www-data server -- env\n"
        "berth exec netns:/run/netns/blue ping -c1 192.168.100.1\n",
    .build = build_exec,
    .command_after = 1,
    .refused = kExitRun,
    .usage = kExitRun,
};

}  // namespace berth::cli
