#include "lab/processes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "sandbox/process_id.h"

namespace berth::lab {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using sandbox::ProcessId;

constexpr auto kGrace = 1s;         // from SIGTERM to SIGKILL
constexpr auto kKilledWithin = 5s;  // a process may be stuck in the kernel for a while
constexpr int kRounds = 10;  // a process that was just being forked is found in the next round

// /proc/PID's PID; 0 for anything else.
pid_t pid_of(const fs::path& entry) {
  const auto name = entry.filename().string();
  pid_t pid = 0;
  const auto* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, pid);
  return error == std::errc{} && stop == end ? pid : 0;
}

Status send_all(const std::vector<ProcessId>& processes, int number) {
  for (const auto& process : processes) {
    auto sent = sandbox::signal(process, number);
    if (!sent && sent.error().kind != ErrorKind::kNotFound) return sent;
  }
  return {};
}

}  // namespace

Result<std::vector<ProcessId>> processes_in(const std::set<ino_t>& inodes) {
  std::vector<ProcessId> found;
  std::error_code error;
  fs::directory_iterator entry("/proc", error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto pid = pid_of(entry->path());
    struct stat netns;
    if (pid == 0 || pid == ::getpid() || ::stat((entry->path() / "ns/net").c_str(), &netns) != 0 ||
        !inodes.contains(netns.st_ino))
      continue;
    if (auto process = sandbox::identify(pid)) found.push_back(*process);
  }
  if (error) return fail_sys(error.value(), "read the directory /proc");
  return found;
}

Status end_processes_in(const std::set<ino_t>& inodes) {
  for (int round = 0; round < kRounds; ++round) {
    const auto processes = TRY(processes_in(inodes));
    if (processes.empty()) return {};
    TRY(send_all(processes, SIGTERM));
    if (TRY(sandbox::wait_gone(processes, kGrace))) continue;
    TRY(send_all(processes, SIGKILL));
    if (!TRY(sandbox::wait_gone(processes, kKilledWithin)))
      return fail(ErrorKind::kInUse, "processes in the lab do not end, not even when killed");
  }
  return fail(ErrorKind::kInUse, "processes in the lab start others faster than they can be ended");
}

}  // namespace berth::lab
