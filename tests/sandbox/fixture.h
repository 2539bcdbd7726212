// What the sandbox tests share: a scratch directory, a ready ProcessSpec, and looking at processes.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "sandbox/process.h"

namespace berth::sandbox {

[[nodiscard]] std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);

/// What /proc/PID/ns/NAME leads to ("net:[4026532181]").
[[nodiscard]] std::string namespace_of(pid_t pid, const std::string& name);

/// The process and all its descendants.
[[nodiscard]] std::vector<ProcessId> tree_of(pid_t pid);

/// The value of a Result, or the end of this test with its error.
template <typename T>
T must(std::expected<T, Error> result) {
  if (!result) ADD_FAILURE() << result.error().message;
  return std::move(result).value();
}
template <typename T>
T must(std::expected<T, StartError> result) {
  if (!result) ADD_FAILURE() << result.error().error.message;
  return std::move(result).value();
}

inline constexpr std::chrono::milliseconds kPatience{10'000};

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// A sandbox "web" in the foreground, on the host's file system, that runs `sh -c script`.
  [[nodiscard]] ProcessSpec shell(const std::string& script) const;
  /// The same detached, with its log at log().
  [[nodiscard]] ProcessSpec detached_shell(const std::string& script) const;

  /// Runs it in the foreground to its end.
  int run(const ProcessSpec& spec) {
    return must(must(must(PendingProcess::spawn(spec)).start()).wait());
  }
  /// Starts it; what is still there when the test ends is killed.
  StartedProcess start(const ProcessSpec& spec);
  /// Kills it and waits until its shim is gone too.
  void stop(const StartedProcess& process);
  void wait_until_gone(const StartedProcess& process);
  /// Waits until `path` has text in it, and returns it.
  std::string await_text(const std::string& path);

  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] std::string log() const { return path("log"); }
  /// The log as `berth logs` prints it, standard error after standard output.
  [[nodiscard]] std::string logged() const;

 private:
  std::string directory_;
  std::vector<ProcessId> shims_;
};

}  // namespace berth::sandbox
