#include "sandbox/shim/options.h"

#include <getopt.h>

#include <cstdio>
#include <cstdlib>

namespace berth::shim {
namespace {

bool add_on_exit(Options& options, char* word) {
  if (options.on_exit_words + 2 >= kMaxOnExitWords) {  // room for the code and the null
    std::fprintf(stderr, "berth-shim: --on-exit-arg %s: at most %zu words are allowed\n", word,
                 kMaxOnExitWords - 2);
    return false;
  }
  options.on_exit[options.on_exit_words++] = word;
  return true;
}

bool add_bind(Options& options, const char* source, bool read_only) {
  if (options.bind_count == kMaxBinds) {
    std::fprintf(stderr, "berth-shim: at most %zu bind mounts are allowed\n", kMaxBinds);
    return false;
  }
  options.binds[options.bind_count++] = {
      .source = source, .target = source, .read_only = read_only};
  return true;
}

bool add_sysctl(Options& options, char* setting) {
  if (options.sysctl_count == kMaxSysctls) {
    std::fprintf(stderr, "berth-shim: at most %zu sysctls are allowed\n", kMaxSysctls);
    return false;
  }
  options.sysctls[options.sysctl_count++] = setting;
  return true;
}

// "UID GID GROUP GROUP ..."
bool read_user(Options& options, char* text) {
  Privileges& privileges = options.privileges;
  char* end = text;
  privileges.has_user = true;
  privileges.uid = static_cast<uid_t>(std::strtoul(end, &end, 10));
  privileges.gid = static_cast<gid_t>(std::strtoul(end, &end, 10));
  while (*end != '\0' && privileges.group_count < kMaxGroups) {
    options.groups[privileges.group_count++] = static_cast<gid_t>(std::strtoul(end, &end, 10));
  }
  privileges.groups = options.groups;
  if (*end == '\0') return true;
  std::fprintf(stderr, "berth-shim: at most %zu supplementary groups are allowed\n", kMaxGroups);
  return false;
}

}  // namespace

bool parse_options(int argc, char* argv[], Options& options) {
  enum Key {
    kId = 1,
    kName,
    kHostname,
    kDomainname,
    kRootfs,
    kHosts,
    kHostnameFile,
    kResolv,
    kLog,
    kWorkdir,
    kSyncFd,
    kNetnsFd,
    kDetach,
    kTty,
    kStdin,
    kInit,
    kReadOnly,
    kProtect,
    kBind,
    kBindReadOnly,
    kBindTarget,
    kSysctl,
    kUser,
    kCapabilities,
    kNoNewPrivileges,
    kOnExit,
    kOnExitArg
  };
  constexpr option kKnown[] = {{"id", required_argument, nullptr, kId},
                               {"name", required_argument, nullptr, kName},
                               {"hostname", required_argument, nullptr, kHostname},
                               {"domainname", required_argument, nullptr, kDomainname},
                               {"rootfs", required_argument, nullptr, kRootfs},
                               {"hosts", required_argument, nullptr, kHosts},
                               {"hostname-file", required_argument, nullptr, kHostnameFile},
                               {"resolv", required_argument, nullptr, kResolv},
                               {"log", required_argument, nullptr, kLog},
                               {"workdir", required_argument, nullptr, kWorkdir},
                               {"sync-fd", required_argument, nullptr, kSyncFd},
                               {"netns-fd", required_argument, nullptr, kNetnsFd},
                               {"detach", no_argument, nullptr, kDetach},
                               {"tty", no_argument, nullptr, kTty},
                               {"stdin", no_argument, nullptr, kStdin},
                               {"init", no_argument, nullptr, kInit},
                               {"read-only", no_argument, nullptr, kReadOnly},
                               {"protect", no_argument, nullptr, kProtect},
                               {"bind", required_argument, nullptr, kBind},
                               {"bind-ro", required_argument, nullptr, kBindReadOnly},
                               {"on", required_argument, nullptr, kBindTarget},
                               {"sysctl", required_argument, nullptr, kSysctl},
                               {"user", required_argument, nullptr, kUser},
                               {"capabilities", required_argument, nullptr, kCapabilities},
                               {"no-new-privileges", no_argument, nullptr, kNoNewPrivileges},
                               {"on-exit", required_argument, nullptr, kOnExit},
                               {"on-exit-arg", required_argument, nullptr, kOnExitArg},
                               {nullptr, 0, nullptr, 0}};
  for (int key; (key = getopt_long(argc, argv, "+", kKnown, nullptr)) != -1;) {
    switch (key) {
      case kId:
        options.id = optarg;
        break;
      case kName:
        options.name = optarg;
        break;
      case kHostname:
        options.hostname = optarg;
        break;
      case kDomainname:
        options.domainname = optarg;
        break;
      case kRootfs:
        options.rootfs = optarg;
        break;
      case kHosts:
        options.hosts_file = optarg;
        break;
      case kHostnameFile:
        options.hostname_file = optarg;
        break;
      case kResolv:
        options.resolv_file = optarg;
        break;
      case kLog:
        options.log_file = optarg;
        break;
      case kWorkdir:
        options.workdir = optarg;
        break;
      case kSyncFd:
        options.sync_fd = std::atoi(optarg);
        break;
      case kNetnsFd:
        options.netns_fd = std::atoi(optarg);
        break;
      case kDetach:
        options.detach = true;
        break;
      case kTty:
        options.tty = true;
        break;
      case kStdin:
        options.open_stdin = true;
        break;
      case kInit:
        options.init = true;
        break;
      case kReadOnly:
        options.read_only = true;
        break;
      case kProtect:
        options.protect = true;
        break;
      case kBind:
      case kBindReadOnly:
        if (!add_bind(options, optarg, key == kBindReadOnly)) return false;
        break;
      case kBindTarget:
        if (options.bind_count > 0) options.binds[options.bind_count - 1].target = optarg;
        break;
      case kSysctl:
        if (!add_sysctl(options, optarg)) return false;
        break;
      case kUser:
        if (!read_user(options, optarg)) return false;
        break;
      case kCapabilities:
        options.privileges.capabilities = std::strtoull(optarg, nullptr, 16);
        break;
      case kNoNewPrivileges:
        options.privileges.no_new_privileges = true;
        break;
      case kOnExit:
      case kOnExitArg:
        if (!add_on_exit(options, optarg)) return false;
        break;
      default:
        return false;  // getopt_long has said why
    }
  }
  options.command = argv + optind;
  if (options.sync_fd < 3 || options.hostname == nullptr || optind == argc) {
    std::fputs(
        "berth-shim is started by berth, with --hostname NAME --sync-fd N (3 or more) and "
        "-- COMMAND at least\n",
        stderr);
    return false;
  }
  if (options.detach && options.log_file == nullptr) {
    std::fputs("berth-shim: --detach needs --log FILE\n", stderr);
    return false;
  }
  return true;
}

}  // namespace berth::shim
