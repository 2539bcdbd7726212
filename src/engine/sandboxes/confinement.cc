#include "engine/sandboxes/confinement.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "sandbox/capabilities.h"
#include "sandbox/users.h"

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

Status check_mount(BindMount& mount) {
  if (!mount.target.starts_with('/') || mount.target == "/")
    return fail(ErrorKind::kInvalid,
                "-v {}:{}: give the absolute path of a place in the sandbox, not /", mount.source,
                mount.target);
  std::error_code error;
  const auto source = fs::canonical(mount.source, error);
  if (error) return fail_sys(error.value(), "-v {}:{}", mount.source, mount.target);
  mount.source = source;
  return {};
}

// Those that a namespace of the sandbox's own has (moby opts/opts.go, ValidateSysctl; runc
// libcontainer/configs/validate). All others are the host's.
Status check_sysctl(const std::string& key, const std::string& value, NetworkMode mode) {
  constexpr std::array<std::string_view, 8> kOfIpc = {
      "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
      "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};
  const auto refused = [&](std::string_view why) {
    return fail(ErrorKind::kInvalid, "--sysctl {}={}: {}", key, value, why);
  };
  const bool is_clean = std::ranges::all_of(key, [](unsigned char byte) {
    return std::isalnum(byte) != 0 || byte == '.' || byte == '/' || byte == '_' || byte == '-';
  });
  if (!is_clean || key.find("..") != key.npos || key.find("//") != key.npos)
    return refused("that is no name of a setting");
  if (std::ranges::find(kOfIpc, key) != kOfIpc.end() || key.starts_with("fs.mqueue.")) return {};
  if (!key.starts_with("net."))
    return refused(
        "give one of net., fs.mqueue., kernel.msg*, kernel.sem and kernel.shm*; others "
        "are the whole machine's");
  if (mode == NetworkMode::kNetworks || mode == NetworkMode::kNone) return {};
  return refused("the sandbox has no network namespace of its own");
}

}  // namespace

Result<Confinement> check_confinement(Confinement asked, NetworkMode mode,
                                      const std::string& rootfs) {
  TRY(sandbox::capabilities_of(asked.cap_add, asked.cap_drop));
  if (!asked.user.empty()) TRY(sandbox::find_user_in(rootfs.empty() ? "/" : rootfs, asked.user));
  for (auto& mount : asked.mounts) TRY(check_mount(mount));
  for (const auto& [key, value] : asked.sysctls) TRY(check_sysctl(key, value, mode));
  return asked;
}

Status confine(sandbox::ProcessSpec& spec, const Sandbox& sandbox) {
  const auto& given = sandbox.confinement;
  const auto root = sandbox.rootfs.empty() ? "/" : sandbox.rootfs;
  // Root without -u, and none of the caller's supplementary groups.
  spec.user = given.user.empty() ? sandbox::User{.home = "/root"}
                                 : TRY(sandbox::find_user_in(root, given.user));
  if (!given.privileged)
    spec.capabilities = TRY(sandbox::capabilities_of(given.cap_add, given.cap_drop));
  spec.protect = !given.privileged;
  spec.no_new_privileges = given.no_new_privileges;
  spec.read_only = given.read_only;
  spec.init = given.init;
  for (const auto& mount : given.mounts)
    spec.binds.push_back({mount.source, mount.target, mount.read_only});
  // As in Docker, any user may listen on any port of a network namespace that is the sandbox's own.
  const bool has_netns =
      sandbox.mode == NetworkMode::kNetworks || sandbox.mode == NetworkMode::kNone;
  constexpr const char* kAnyPort = "net.ipv4.ip_unprivileged_port_start";
  if (has_netns && !given.sysctls.contains(kAnyPort))
    spec.sysctls.push_back(std::string(kAnyPort) + "=0");
  for (const auto& [key, value] : given.sysctls) spec.sysctls.push_back(key + "=" + value);
  const auto is_home = [](const std::string& entry) { return entry.starts_with("HOME="); };
  if (std::ranges::none_of(spec.env, is_home)) spec.env.push_back("HOME=" + spec.user->home);
  return {};
}

}  // namespace berth::engine
