#include "dhcp/client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/directories.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace berth::dhcp {
namespace {

namespace fs = std::filesystem;

// A server on the segment answers within milliseconds; one behind a relay in a second or so.
constexpr int kDiscoveries = 4;
constexpr int kSecondsBetween = 1;
constexpr auto kReleaseTime = std::chrono::seconds(2);

constexpr std::array kClients = {"/usr/sbin/udhcpc", "/sbin/udhcpc", "/usr/bin/udhcpc",
                                 "/bin/udhcpc"};
constexpr std::array kBusyboxes = {"/usr/bin/busybox", "/bin/busybox", "/usr/sbin/busybox"};
constexpr std::string_view kAttended = "attended";
constexpr std::array kNoted = {"ip", "mask", "subnet", "router", "serverid", "lease"};

std::string file(const std::string& directory, std::string_view name) {
  return directory + "/" + std::string(name);
}

// How the client is called: its own program, or BusyBox's applet.
Result<std::vector<std::string>> client_command() {
  const auto runnable = [](const char* path) { return ::access(path, X_OK) == 0; };
  if (const auto found = std::ranges::find_if(kClients, runnable); found != kClients.end())
    return std::vector<std::string>{*found};
  if (const auto found = std::ranges::find_if(kBusyboxes, runnable); found != kBusyboxes.end())
    return std::vector<std::string>{*found, "udhcpc"};
  return fail(ErrorKind::kUnsupported,
              "no DHCP client: install udhcpc (Debian's package udhcpc or busybox)");
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (auto& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

// Runs a program in the calling thread's network namespace until it ends or goes to the background.
// Its exit code.
Result<int> run(std::vector<std::string> argv, std::vector<std::string> env, int host_netns) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; ++fd)
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, host_netns, kHostNetnsFd);
  // It lives for hours: what its starter has open would stay open, and locked.
  for (int fd = 3; fd < kHostNetnsFd; ++fd) posix_spawn_file_actions_addclose(&actions, fd);
  posix_spawn_file_actions_addclosefrom_np(&actions, kHostNetnsFd + 1);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  // Nor are its starter's blocked and ignored signals its own: stop() ends it by one.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, argv[0].c_str(), &actions, &attributes,
                                 pointers(argv).data(), pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return fail_sys(failed, "start {}", argv[0]);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return fail_sys(errno, "wait for {}", argv[0]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The client's process, held by a pidfd; none if it is gone. The pid may be another process's by
// now: the client's command line has its directory in it.
UniqueFd process_of(const std::string& directory) {
  pid_t pid = 0;
  std::ifstream(file(directory, "pid")) >> pid;
  if (pid <= 0) return {};
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  std::string command;
  std::getline(std::ifstream(fmt::format("/proc/{}/cmdline", pid)), command);
  if (!process || command.find(directory) == command.npos) return {};
  return process;
}

Status make_directory(const Spec& spec) {
  TRY(make_directories(spec.directory, 0700));
  const auto link = file(spec.directory, kEventProgram);
  if (::symlink(spec.program.c_str(), link.c_str()) != 0 && errno != EEXIST)
    return fail_sys(errno, "make {}", link);
  return {};
}

Result<Lease> wait_for_lease(const kernel::Netns& netns, const Spec& spec) {
  auto argv = TRY(client_command());
  const auto host = TRY(kernel::Netns::current());
  argv.insert(argv.end(), {"-i", spec.link.str(), "-n", "-R", "-t", std::to_string(kDiscoveries),
                           "-T", std::to_string(kSecondsBetween), "-s",
                           file(spec.directory, kEventProgram), "-p", file(spec.directory, "pid")});
  if (!spec.hostname.empty()) {
    argv.emplace_back("-x");
    argv.push_back("hostname:" + spec.hostname);
  }
  auto env = spec.env;
  env.push_back(fmt::format("{}={}", kDirectoryVariable, spec.directory));
  const int code =
      TRY(kernel::run_in(netns, [&] { return run(std::move(argv), std::move(env), host.fd()); }));
  const auto lease = TRY(lease_in(spec.directory));
  if (code == 0 && lease) return *lease;
  return fail(ErrorKind::kNotFound,
              "no address by DHCP on {}: no server has offered one in {} seconds", spec.link.str(),
              kDiscoveries * kSecondsBetween);
}

}  // namespace

Status check_client() {
  TRY(client_command());
  return {};
}

bool is_attended(const std::string& directory) {
  return ::access(file(directory, kAttended).c_str(), F_OK) == 0;
}

Result<Lease> start(const kernel::Netns& netns, const Spec& spec) {
  TRY(make_directory(spec));
  std::ofstream{file(spec.directory, kAttended)};
  auto lease = wait_for_lease(netns, spec);
  ::unlink(file(spec.directory, kAttended).c_str());
  if (!lease) (void)stop(spec.directory);
  return lease;
}

Status stop(const std::string& directory) {
  if (const auto process = process_of(directory)) {
    std::ofstream{file(directory, kAttended)};
    pollfd gone{process.get(), POLLIN, 0};
    const auto ends_by = [&](int signal) {
      (void)::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
      return ::poll(&gone, 1, static_cast<int>(std::chrono::milliseconds(kReleaseTime).count())) >
             0;
    };
    if (!ends_by(SIGTERM)) ends_by(SIGKILL);
  }
  std::error_code error;
  fs::remove_all(directory, error);
  if (error) return fail_sys(error.value(), "remove {}", directory);
  return {};
}

bool is_client(const std::string& process) {
  std::ifstream environment(process + "/environ");  // proc_pid_environ(5): each ends in a zero byte
  const auto variable = std::string(kDirectoryVariable) + "=";
  for (std::string each; std::getline(environment, each, '\0');)
    if (each.starts_with(variable)) return true;
  return false;
}

bool running(const std::string& directory) {
  return static_cast<bool>(process_of(directory));
}

Result<std::optional<Lease>> lease_in(const std::string& directory) {
  std::ifstream in(file(directory, "lease"));
  std::map<std::string, std::string> noted;
  for (std::string line; std::getline(in, line);)
    if (const auto equals = line.find('='); equals != line.npos)
      noted[line.substr(0, equals)] = line.substr(equals + 1);
  if (noted.empty()) return std::nullopt;
  const auto damaged = [&](std::string_view what) {
    return fail(ErrorKind::kInvalid, "the DHCP server's answer has the {} '{}'", what,
                noted[std::string(what)]);
  };
  const auto ip = Ip::parse(noted["ip"]);
  if (!ip || !ip->is_v4()) return damaged("ip");
  int prefix = 0;
  const auto& mask = noted["mask"];  // udhcpc has turned the netmask into a length
  const auto [end, error] = std::from_chars(mask.data(), mask.data() + mask.size(), prefix);
  if (error != std::errc{} || end != mask.data() + mask.size() || prefix < 1 || prefix > 32)
    return damaged("mask");
  Lease lease{Cidr(*ip, prefix), std::nullopt};
  const auto& routers = noted["router"];  // the first one is preferred (RFC 2132, 3.5)
  if (const auto first = routers.substr(0, routers.find(' ')); !first.empty()) {
    const auto router = Ip::parse(first);
    if (!router || !router->is_v4()) return damaged("router");
    lease.router = *router;
  }
  return lease;
}

bool is_deconfigured(const std::string& directory) {
  std::error_code error;
  const auto size = fs::file_size(file(directory, "lease"), error);
  return !error && size == 0;
}

Status note(const std::string& directory, std::string_view event) {
  const auto path = file(directory, "lease");
  if (event != "bound" && event != "renew") {
    if (event == "deconfig") std::ofstream{path};
    return {};
  }
  const auto next = path + ".new";
  std::ofstream out(next);
  for (const auto* key : kNoted) {
    const auto* value = std::getenv(key);
    if (value != nullptr && std::string_view(value).find('\n') == std::string_view::npos)
      out << key << '=' << value << '\n';
  }
  out.close();
  if (!out || ::rename(next.c_str(), path.c_str()) != 0) return fail_sys(errno, "write {}", path);
  return {};
}

}  // namespace berth::dhcp
