#include "sandbox/capabilities.h"

#include <linux/capability.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace berth::sandbox {
namespace {

// By number: linux/capability.h.
constexpr std::string_view kNames[] = {"CHOWN",
                                       "DAC_OVERRIDE",
                                       "DAC_READ_SEARCH",
                                       "FOWNER",
                                       "FSETID",
                                       "KILL",
                                       "SETGID",
                                       "SETUID",
                                       "SETPCAP",
                                       "LINUX_IMMUTABLE",
                                       "NET_BIND_SERVICE",
                                       "NET_BROADCAST",
                                       "NET_ADMIN",
                                       "NET_RAW",
                                       "IPC_LOCK",
                                       "IPC_OWNER",
                                       "SYS_MODULE",
                                       "SYS_RAWIO",
                                       "SYS_CHROOT",
                                       "SYS_PTRACE",
                                       "SYS_PACCT",
                                       "SYS_ADMIN",
                                       "SYS_BOOT",
                                       "SYS_NICE",
                                       "SYS_RESOURCE",
                                       "SYS_TIME",
                                       "SYS_TTY_CONFIG",
                                       "MKNOD",
                                       "LEASE",
                                       "AUDIT_WRITE",
                                       "AUDIT_CONTROL",
                                       "SETFCAP",
                                       "MAC_OVERRIDE",
                                       "MAC_ADMIN",
                                       "SYSLOG",
                                       "WAKE_ALARM",
                                       "BLOCK_SUSPEND",
                                       "AUDIT_READ",
                                       "PERFMON",
                                       "BPF",
                                       "CHECKPOINT_RESTORE"};
static_assert(std::size(kNames) == CAP_LAST_CAP + 1 && kNames[CAP_NET_ADMIN] == "NET_ADMIN");

constexpr Capabilities bit(int number) {
  return Capabilities{1} << number;
}

constexpr Capabilities kDefault =
    bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FSETID) | bit(CAP_FOWNER) | bit(CAP_MKNOD) |
    bit(CAP_NET_RAW) | bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETFCAP) | bit(CAP_SETPCAP) |
    bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_CHROOT) | bit(CAP_KILL) | bit(CAP_AUDIT_WRITE);

Result<Capabilities> parse(std::string_view option, std::string_view text) {
  std::string name(text);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
  if (name == "ALL") return kAllCapabilities;
  const auto bare = std::string_view(name).substr(name.starts_with("CAP_") ? 4 : 0);
  const auto* const found = std::ranges::find(kNames, bare);
  if (found != std::end(kNames)) return bit(static_cast<int>(found - std::begin(kNames)));
  return fail(ErrorKind::kInvalid,
              "{} '{}': there is no such capability; give a name of capabilities(7), like "
              "NET_ADMIN, or ALL",
              option, text);
}

Result<Capabilities> parse_all(std::string_view option, const std::vector<std::string>& names) {
  Capabilities all = 0;
  for (const auto& name : names) all |= TRY(parse(option, name));
  return all;
}

}  // namespace

Result<Capabilities> capabilities_of(const std::vector<std::string>& add,
                                     const std::vector<std::string>& drop) {
  const auto added = TRY(parse_all("--cap-add", add));
  const auto dropped = TRY(parse_all("--cap-drop", drop));
  if (dropped == kAllCapabilities) return added;
  if (added == kAllCapabilities) return kAllCapabilities & ~dropped;
  return (kDefault & ~dropped) | added;
}

}  // namespace berth::sandbox
