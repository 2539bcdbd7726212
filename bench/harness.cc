#include "harness.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kernel/netlink/link.h"
#include "kernel/netns/netns.h"

namespace berth::bench {
namespace fs = std::filesystem;

void die(std::string_view message) {
  fmt::print(stderr, "bench: {}\n", message);
  std::exit(1);
}

double Samples::quantile(double fraction) const {
  if (values_.empty()) return 0;
  auto sorted = values_;
  std::ranges::sort(sorted);
  const auto rank = std::ceil(fraction * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

Json Samples::json() const {
  const auto rounded = [](double value) { return std::round(value * 1000) / 1000; };
  return {{"median_ms", rounded(median())},
          {"p99_ms", rounded(quantile(0.99))},
          {"count", values_.size()}};
}

double ratio(const Samples& slow, const Samples& fast) {
  return fast.median() == 0 ? 0 : std::round(slow.median() / fast.median() * 100) / 100;
}

Options parse_options(int argc, char** argv) {
  Options options;
  const std::vector<std::string> words(argv + 1, argv + argc);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "--quick")
      options.quick = true;
    else if (words[i] == "--json" && has_value)
      options.json = words[++i];
    else if (words[i] == "--berth" && has_value)
      options.berth = words[++i];
    else
      die(fmt::format("'{}': allowed are [--quick] [--json FILE] [--berth PROGRAM]", words[i]));
  }
  if (options.berth.empty())
    options.berth = fs::read_symlink("/proc/self/exe").parent_path() / "berth";
  return options;
}

void write_results(const Options& options, const Json& results) {
  if (options.json.empty()) return;
  std::ofstream file(options.json);
  file << results.dump(2) << '\n';
  if (!file.flush()) die(fmt::format("cannot write the results to {}", options.json));
}

std::string run_dir() {
  return "/run/netns/bench";
}

// ---- namespaces ---------------------------------------------------------------------------------

void enter_private_namespaces() {
  if (geteuid() != 0) die("root is needed to make network namespaces");
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    die(fmt::format("cannot make private namespaces: {}", std::strerror(errno)));
  fs::create_directories("/run/netns");
  if (mount("netns", "/run/netns", "tmpfs", 0, nullptr) != 0)
    die(fmt::format("cannot mount a private /run/netns: {}", std::strerror(errno)));
  fs::create_directories(run_dir());
  auto socket = must(kernel::Socket::open(NETLINK_ROUTE));
  must(socket.request(kernel::set_link_up(*IfName::parse("lo"), true)));
}

const std::string& scratch_dir() {
  struct Directory {
    Directory() {
      path = (fs::temp_directory_path() / "berth-bench-XXXXXX").string();
      if (mkdtemp(path.data()) == nullptr) die("cannot make a temporary directory");
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
      std::error_code ignored;
      if (getpid() == maker) fs::remove_all(path, ignored);
    }
    std::string path;
    pid_t maker = getpid();
  };
  static const Directory directory;
  return directory.path;
}

std::string make_netns(const std::string& name) {
  const auto path = "/run/netns/" + name;
  const auto netns = must(kernel::Netns::create(path));
  auto socket = must(kernel::open_socket_in(netns, NETLINK_ROUTE));
  must(socket.request(kernel::set_link_up(*IfName::parse("lo"), true)));
  return path;
}

void remove_netns(const std::string& path) {
  must(kernel::Netns::remove(path));
}

// ---- processes ----------------------------------------------------------------------------------

namespace {

// A temporary file that `text` can be read from.
UniqueFd file_with(const std::string& text) {
  UniqueFd fd(open(scratch_dir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd || write(fd.get(), text.data(), text.size()) < 0 || lseek(fd.get(), 0, SEEK_SET) != 0)
    die(fmt::format("cannot keep the input of a command: {}", std::strerror(errno)));
  return fd;
}

pid_t start_with(const Command& command, int out) {
  const auto input = command.input.empty() ? UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC))
                                           : file_with(command.input);
  std::vector<char*> argv;
  for (const auto& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> env;
  for (char** each = environ; *each != nullptr; ++each) env.push_back(*each);
  for (const auto& each : command.env) env.push_back(const_cast<char*>(each.c_str()));
  env.push_back(nullptr);

  const pid_t child = vfork();
  if (child < 0) die(fmt::format("cannot start {}: {}", command.argv[0], std::strerror(errno)));
  if (child == 0) {
    dup2(input.get(), STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (!command.root.empty() && (chroot(command.root.c_str()) != 0 || chdir("/") != 0)) _exit(127);
    execve(argv[0], argv.data(), env.data());
    _exit(127);
  }
  return child;
}

}  // namespace

pid_t start(const Command& command) {
  static const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  return start_with(command, null.get());
}

bool succeeds(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) die("waitpid failed");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void run(const Command& command) {
  if (!succeeds(start(command))) die(fmt::format("'{}' failed", fmt::join(command.argv, " ")));
}

std::string output_of(const Command& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) die("cannot make a pipe");
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const auto child = start_with(command, out.get());
  out = UniqueFd();
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = read(in.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  if (!succeeds(child)) die(fmt::format("'{}' failed", fmt::join(command.argv, " ")));
  return text;
}

// ---- berth --------------------------------------------------------------------------------------

Berth::Berth(std::string program) : program_(std::move(program)) {
  if (access(program_.c_str(), X_OK) != 0)
    die(fmt::format("the program {} is not there: build it, or say --berth PROGRAM", program_));
  (*this)({"network", "create", "--subnet", "10.99.0.0/16", "--opt",
           "com.docker.network.bridge.name=bench0", "bench"});
}

Command Berth::command(std::vector<std::string> words) const {
  Command command{.argv = {program_, "--root", scratch_dir() + "/root", "--run", run_dir()}};
  std::ranges::move(words, std::back_inserter(command.argv));
  return command;
}

}  // namespace berth::bench
