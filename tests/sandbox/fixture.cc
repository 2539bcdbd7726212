#include "fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "sandbox/logs.h"

namespace berth::sandbox {

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::string namespace_of(pid_t pid, const std::string& name) {
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + name);
}

std::vector<ProcessId> tree_of(pid_t pid) {
  std::vector<ProcessId> tree{identify(pid).value()};
  const auto number = std::to_string(pid);
  std::ifstream children("/proc/" + number + "/task/" + number + "/children");
  for (pid_t child; children >> child;) {
    const auto below = tree_of(child);
    tree.insert(tree.end(), below.begin(), below.end());
  }
  return tree;
}

void SandboxTest::SetUp() {
  directory_ = testing::TempDir() + "berth-sandbox-XXXXXX";
  ASSERT_NE(mkdtemp(directory_.data()), nullptr);
  write_text(path("hosts"), "10.9.8.7\tweb\n");
  write_text(path("hostname"), "web\n");
  write_text(path("resolv.conf"), "nameserver 10.9.8.1\n");
}

void SandboxTest::TearDown() {
  for (const auto& shim : shims_) {
    if (!alive(shim)) continue;
    EXPECT_TRUE(signal(shim, SIGKILL));
  }
  std::filesystem::remove_all(directory_);
}

StartedProcess SandboxTest::start(const ProcessSpec& spec) {
  auto started = must(must(PendingProcess::spawn(spec)).start());
  shims_.push_back(started.shim());
  return started;
}

ProcessSpec SandboxTest::shell(const std::string& script) const {
  return {.id = "0123456789ab",
          .name = "web",
          .hostname = "web",
          .argv = {"sh", "-c", script},
          .hosts_file = path("hosts"),
          .hostname_file = path("hostname"),
          .resolv_file = path("resolv.conf"),
          .shim = BERTH_SHIM};
}

ProcessSpec SandboxTest::detached_shell(const std::string& script) const {
  auto spec = shell(script);
  spec.detach = true;
  spec.log_file = log();
  return spec;
}

void SandboxTest::stop(const StartedProcess& process) {
  EXPECT_TRUE(signal(process.id(), SIGKILL));
  wait_until_gone(process);
}

void SandboxTest::wait_until_gone(const StartedProcess& process) {
  EXPECT_TRUE(must(wait_gone(std::vector{process.id(), process.shim()}, kPatience)));
}

std::string SandboxTest::await_text(const std::string& file) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto text = read_text(file);
    if (!text.empty()) return text;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ADD_FAILURE() << file << " stayed empty";
  return {};
}

std::string SandboxTest::logged() const {
  const auto out = path("printed-out");
  const auto err = path("printed-err");
  for (const bool is_err : {false, true}) {
    const UniqueFd fd(
        open((is_err ? err : out).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    EXPECT_TRUE(
        print_log(log(), {.stdout_too = !is_err, .stderr_too = is_err}, fd.get(), fd.get()));
  }
  return read_text(out) + read_text(err);
}

}  // namespace berth::sandbox
