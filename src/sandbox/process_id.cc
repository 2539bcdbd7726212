#include "sandbox/process_id.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/pidfd.h"

namespace berth::sandbox {
namespace {

std::unexpected<Error> gone(pid_t pid) {
  return fail(ErrorKind::kNotFound, "process {} does not run any more", pid);
}

// Field `number` (from 1, proc(5)) of a stat line, for fields after the command name. The name may
// hold spaces and parentheses; the last ')' ends it.
std::string_view stat_field(std::string_view line, int number) {
  const auto name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return {};
  auto rest = line.substr(name_end + 1);  // " S 1 ...": the state is field 3
  for (int field = 3;; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const auto word = rest.substr(0, rest.find_first_of(" \n"));
    if (field == number || rest.empty()) return word;
    rest.remove_prefix(word.size());
  }
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return result;
}

// -1 if `text` is not all of a decimal number.
int parse_number(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? number : -1;
}

// "RTMIN+3" and "RTMAX-1", as kill(1) has them; -1 for anything else.
int parse_real_time(std::string_view name) {
  if (name == "RTMIN") return SIGRTMIN;
  if (name == "RTMAX") return SIGRTMAX;
  const bool from_first = name.starts_with("RTMIN+");
  if (!from_first && !name.starts_with("RTMAX-")) return -1;
  const int distance = parse_number(name.substr(6));
  if (distance < 0 || distance > SIGRTMAX - SIGRTMIN) return -1;
  return from_first ? SIGRTMIN + distance : SIGRTMAX - distance;
}

}  // namespace

Result<ProcessId> identify(pid_t pid) {
  const auto path = fmt::format("/proc/{}/stat", pid);
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno == ENOENT ? gone(pid) : fail_sys(errno, "open {}", path);
  char text[1024];  // a stat line is 52 numbers and a name of at most 64 bytes
  const auto size = TEMP_FAILURE_RETRY(read(fd.get(), text, sizeof text));
  if (size < 0) return errno == ESRCH ? gone(pid) : fail_sys(errno, "read {}", path);
  const std::string_view line(text, static_cast<std::size_t>(size));
  const auto state = stat_field(line, 3);
  if (state == "Z" || state == "X") return gone(pid);
  const auto start = stat_field(line, 22);
  ProcessId process{pid, 0};
  const auto [end, error] =
      std::from_chars(start.data(), start.data() + start.size(), process.start_time);
  if (error != std::errc{} || end != start.data() + start.size()) {
    return fail(ErrorKind::kCorrupt, "{} has no start time: \"{}\"", path, line);
  }
  return process;
}

bool alive(const ProcessId& process) {
  const auto now = identify(process.pid);
  return now && *now == process;
}

Result<UniqueFd> open_process(const ProcessId& process) {
  UniqueFd fd(pidfd_open(process.pid, 0));
  if (!fd) {
    if (errno == ESRCH || errno == EINVAL) return gone(process.pid);
    return fail_sys(errno, "open process {}", process.pid);
  }
  if (TRY(identify(process.pid)) != process) return gone(process.pid);
  return fd;
}

Status signal(const ProcessId& process, int number) {
  const UniqueFd fd = TRY(open_process(process));
  if (pidfd_send_signal(fd.get(), number, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return gone(process.pid);
  return fail_sys(errno, "send signal {} to process {}", number, process.pid);
}

Result<bool> wait_gone(std::span<const ProcessId> processes, std::chrono::milliseconds timeout) {
  std::vector<UniqueFd> fds;
  std::vector<pollfd> events;
  for (const auto& process : processes) {
    auto fd = open_process(process);
    if (!fd && fd.error().kind == ErrorKind::kNotFound) continue;
    if (!fd) return std::unexpected(std::move(fd).error());
    events.push_back({fd->get(), POLLIN, 0});
    fds.push_back(std::move(*fd));
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!events.empty()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = poll(events.data(), events.size(),
                           static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno != EINTR) return fail_sys(errno, "wait for {} processes", events.size());
    if (ready == 0) return false;
    if (ready > 0) std::erase_if(events, [](const pollfd& event) { return event.revents != 0; });
  }
  return true;
}

Result<int> parse_signal(std::string_view text) {
  auto number = parse_number(text);
  if (number < 1 || number >= NSIG) {
    number = -1;
    const std::string name = upper(text);
    const auto bare = std::string_view(name).substr(name.starts_with("SIG") ? 3 : 0);
    for (int candidate = 1; candidate < NSIG && number < 0; ++candidate) {
      const char* known = sigabbrev_np(candidate);
      if (known != nullptr && bare == known) number = candidate;
    }
    if (number < 0) number = parse_real_time(bare);
  }
  if (number < 0) {
    return fail(
        ErrorKind::kInvalid,
        "invalid signal \"{}\": a name such as SIGTERM or TERM, or a number from 1 to {}, is "
        "allowed",
        text, NSIG - 1);
  }
  return number;
}

}  // namespace berth::sandbox
