// Whatever dies, nothing remains; what is to be done at the end is done.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>

#include "fixture.h"

namespace berth::sandbox {
namespace {

using Lifetime = SandboxTest;

TEST_F(Lifetime, APendingProcessThatIsDestroyedLeavesNothing) {
  for (const bool detach : {false, true}) {
    auto spec = detached_shell("exit 0");
    spec.detach = detach;
    std::optional pending(must(PendingProcess::spawn(spec)));
    const std::vector processes{pending->id(), pending->shim()};
    EXPECT_TRUE(alive(processes[0]) && alive(processes[1]));
    pending.reset();
    EXPECT_FALSE(alive(processes[0]) || alive(processes[1]));
  }
}

TEST_F(Lifetime, AnEngineThatDiesBeforeGoLeavesNothing) {
  for (const bool detach : {false, true}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t engine = fork();
    if (engine == 0) {
      auto spec = detached_shell("exit 0");
      spec.detach = detach;
      const auto pending = PendingProcess::spawn(spec);
      if (!pending) _exit(1);
      const ProcessId processes[] = {pending->id(), pending->shim()};
      if (write(ends[1], processes, sizeof processes) != sizeof processes) _exit(1);
      kill(getpid(), SIGKILL);
    }
    std::vector<ProcessId> processes(2);
    ASSERT_EQ(read(ends[0], processes.data(), 2 * sizeof(ProcessId)),
              static_cast<ssize_t>(2 * sizeof(ProcessId)));
    waitpid(engine, nullptr, 0);
    EXPECT_TRUE(must(wait_gone(processes, kPatience)));
    close(ends[0]);
    close(ends[1]);
  }
}

TEST_F(Lifetime, AKilledShimTakesTheWholeTreeWithIt) {
  const auto process = start(detached_shell("sh -c 'sleep 1000 & sleep 1000' & echo up >" +
                                            path("up") + "; setsid sleep 1000 & wait"));
  await_text(path("up"));
  auto tree = tree_of(process.id().pid);
  EXPECT_GE(tree.size(), 2U);
  ASSERT_TRUE(signal(process.shim(), SIGKILL));
  tree.push_back(process.shim());
  EXPECT_TRUE(must(wait_gone(tree, kPatience)));
}

TEST_F(Lifetime, AKilledShimBeforeStartIsAnErrorAndLeavesNothing) {
  auto pending = must(PendingProcess::spawn(shell("exit 0")));
  const auto process = pending.id();
  ASSERT_TRUE(signal(pending.shim(), SIGKILL));
  const auto started = std::move(pending).start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().exit_code, 125);
  EXPECT_TRUE(must(wait_gone(std::vector{process}, kPatience)));
}

TEST_F(Lifetime, AKilledShimIsAnErrorOfWait) {
  auto started = start(shell("sleep 1000"));
  ASSERT_TRUE(signal(started.shim(), SIGKILL));
  EXPECT_FALSE(std::move(started).wait());
}

TEST_F(Lifetime, TheInitTakesTheOthersWithIt) {
  const auto process =
      start(detached_shell("setsid sleep 1000 & echo up >" + path("up") + "; sleep 1000"));
  await_text(path("up"));
  auto tree = tree_of(process.id().pid);
  EXPECT_GE(tree.size(), 2U);
  stop(process);
  EXPECT_TRUE(must(wait_gone(tree, kPatience)));
}

TEST_F(Lifetime, OnExitRunsWithTheCodeBeforeWaitReturns) {
  auto spec = shell("exit 3");
  spec.env = {"SECRET=1"};
  spec.on_exit = {"/bin/sh", "-c", "sleep 0.1; echo $1 $2 $SECRET >" + path("code"), "sh", "word"};
  EXPECT_EQ(run(spec), 3);
  EXPECT_EQ(read_text(path("code")), "word 3\n");
}

TEST_F(Lifetime, OnExitRunsForADetachedProcess) {
  auto spec = detached_shell("sleep 1000");
  spec.on_exit = {"/bin/sh", "-c", "echo $1 >" + path("code"), "sh"};
  stop(start(spec));
  EXPECT_EQ(read_text(path("code")), "137\n");
}

TEST_F(Lifetime, OnExitDoesNotRunForWhatNeverStarted) {
  auto spec = shell("");
  spec.argv = {"/no/such/command"};
  spec.on_exit = {"/bin/sh", "-c", "echo ran >" + path("code")};
  EXPECT_FALSE(must(PendingProcess::spawn(spec)).start());
  EXPECT_EQ(read_text(path("code")), "");
}

// The shim's budget: at most 3 MiB each, and far less when there are many.
TEST_F(Lifetime, AHundredStopAtOnceAndTheirShimsAreSmall) {
  constexpr int kCount = 100;
  auto spec = detached_shell("");
  spec.argv = {"sleep", "1000"};
  std::vector<StartedProcess> started;
  for (int i = 0; i < kCount; ++i) started.push_back(start(spec));

  long total_kib = 0;
  for (const auto& process : started) {
    std::ifstream rollup("/proc/" + std::to_string(process.shim().pid) + "/smaps_rollup");
    for (std::string line; std::getline(rollup, line);) {
      if (line.starts_with("Pss:")) total_kib += std::stol(line.substr(4));
    }
  }
  RecordProperty("shim_pss_kib", static_cast<int>(total_kib / kCount));
  EXPECT_GT(total_kib, 0);
  EXPECT_LT(total_kib / kCount, 512);

  std::vector<ProcessId> all;
  for (const auto& process : started) {
    EXPECT_TRUE(signal(process.id(), SIGKILL));
    all.push_back(process.id());
    all.push_back(process.shim());
  }
  EXPECT_TRUE(must(wait_gone(all, kPatience)));
}

}  // namespace
}  // namespace berth::sandbox
