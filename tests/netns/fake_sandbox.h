// A process of the test's as a sandbox of berth's, without a helper: for what shares a network
// namespace or dies without a word.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "engine/ids.h"
#include "engine_fixture.h"
#include "sandbox/process_id.h"

namespace berth::testing {

class FakeSandbox {
 public:
  /// `shares`: the id of the sandbox whose namespace it shares.
  explicit FakeSandbox(Instance& instance, const std::string& name, const std::string& shares = {},
                       bool auto_remove = false)
      : instance_(instance), pid_(fork()) {
    if (pid_ == 0) {
      pause();
      _exit(0);
    }
    const auto process = must(sandbox::identify(pid_));
    record.id = engine::random_id();
    record.name = record.hostname = name;
    record.state = SandboxState::kRunning;
    record.pid = process.pid;
    record.pid_start = process.start_time;
    record.mode = shares.empty() ? NetworkMode::kNetworks : NetworkMode::kContainer;
    record.shares = shares;
    record.netns_path = fmt::format("/proc/{}/ns/net", pid_);
    record.auto_remove = auto_remove;
    engine::Draft change(*instance_.impl().store);
    change.state.put(record);
    must(engine::commit(instance_.impl(), change));
  }
  FakeSandbox(const FakeSandbox&) = delete;
  FakeSandbox& operator=(const FakeSandbox&) = delete;
  ~FakeSandbox() { end(); }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  Sandbox record;

 private:
  Instance& instance_;
  pid_t pid_;
};

}  // namespace berth::testing
