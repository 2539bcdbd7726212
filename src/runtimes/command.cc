#include "runtimes/command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"

extern char** environ;

namespace berth::runtimes {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_sys(errno, "make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// posix_spawn's actions, freed at the end of their scope.
struct Actions {
  Actions() { ::posix_spawn_file_actions_init(&value); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() { ::posix_spawn_file_actions_destroy(&value); }
  posix_spawn_file_actions_t value;
};

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Reads both pipes until the program has closed them; why it did not come to that, else.
std::optional<std::string> read_both(UniqueFd& out, UniqueFd& err, Output& into,
                                     std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  std::array<std::pair<UniqueFd*, std::string*>, 2> streams{{{&out, &into.out}, {&err, &into.err}}};
  while (out || err) {
    std::array<pollfd, 2> polled{{{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return "does not answer";
    if (::poll(polled.data(), polled.size(), static_cast<int>(left.count())) < 0) continue;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      char bytes[4096];
      const auto count = ::read(polled[i].fd, bytes, sizeof bytes);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        streams[i].first->reset();
        continue;
      }
      streams[i].second->append(bytes, static_cast<std::size_t>(count));
      if (streams[i].second->size() > kMaxBytes) return "prints too much";
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Output> output_of(const std::vector<std::string>& argv, std::chrono::milliseconds limit) {
  auto out = TRY(make_pipe());
  auto err = TRY(make_pipe());
  Actions actions;
  ::posix_spawn_file_actions_addopen(&actions.value, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions.value, out.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions.value, err.write.get(), STDERR_FILENO);
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = 0;
  const int refused =
      ::posix_spawnp(&pid, words[0], &actions.value, nullptr, words.data(), environ);
  if (refused != 0) return fail_sys(refused, "run {}", argv[0]);
  out.write.reset();
  err.write.reset();
  Output output;
  const auto trouble = read_both(out.read, err.read, output, limit);
  if (trouble) ::kill(pid, SIGKILL);
  output.exit_code = wait_for(pid);
  if (trouble) return fail(ErrorKind::kIo, "{} {}", argv[0], *trouble);
  return output;
}

}  // namespace berth::runtimes
