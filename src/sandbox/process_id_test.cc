#include "sandbox/process_id.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

namespace berth::sandbox {
namespace {

using std::chrono::milliseconds;

// A process that sleeps until it is killed; reaped at the end of the test.
class Sleeper {
 public:
  explicit Sleeper(const char* name = "sleeper") : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, name);
    while (true) pause();
  }
  Sleeper(Sleeper&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  ~Sleeper() {
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

TEST(ProcessId, OfALiveProcess) {
  const Sleeper sleeper;
  const auto process = identify(sleeper.pid());
  ASSERT_TRUE(process);
  EXPECT_TRUE(alive(*process));
  EXPECT_TRUE(open_process(*process));
}

TEST(ProcessId, ReadsPastACommandNameWithParentheses) {
  prctl(PR_SET_NAME, "a) b (1 2");
  const auto with_name = identify(getpid());
  prctl(PR_SET_NAME, "plain");
  const auto plain = identify(getpid());
  ASSERT_TRUE(with_name && plain);
  EXPECT_GT(plain->start_time, 0U);
  EXPECT_EQ(*with_name, *plain);
}

TEST(ProcessId, ARecycledPidIsAnotherProcess) {
  const Sleeper sleeper;
  auto process = *identify(sleeper.pid());
  process.start_time -= 1;  // what had the pid before
  EXPECT_FALSE(alive(process));
  const auto status = signal(process, SIGKILL);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(alive(*identify(sleeper.pid())));
  EXPECT_TRUE(*wait_gone(std::vector{process}, milliseconds(0)));
}

TEST(ProcessId, AZombieIsGone) {
  const Sleeper sleeper;
  const auto process = *identify(sleeper.pid());
  ASSERT_TRUE(signal(process, SIGKILL));
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, sleeper.pid(), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(alive(process));
  EXPECT_FALSE(identify(sleeper.pid()));
}

TEST(ProcessId, WaitGoneWaitsForAllOrTheTimeout) {
  std::vector<Sleeper> sleepers(3);
  std::vector<ProcessId> processes;
  for (const auto& sleeper : sleepers) processes.push_back(*identify(sleeper.pid()));
  ASSERT_TRUE(signal(processes[0], SIGKILL));
  ASSERT_TRUE(signal(processes[2], SIGKILL));
  EXPECT_FALSE(*wait_gone(processes, milliseconds(50)));
  ASSERT_TRUE(signal(processes[1], SIGKILL));
  EXPECT_TRUE(*wait_gone(processes, milliseconds(5000)));
}

TEST(Signals, NamesAndNumbers) {
  EXPECT_EQ(parse_signal("SIGTERM"), SIGTERM);
  EXPECT_EQ(parse_signal("kill"), SIGKILL);
  EXPECT_EQ(parse_signal("SigUsr1"), SIGUSR1);
  EXPECT_EQ(parse_signal("15"), SIGTERM);
  EXPECT_EQ(parse_signal("SIGRTMIN+3"), SIGRTMIN + 3);
  EXPECT_EQ(parse_signal("RTMAX-1"), SIGRTMAX - 1);
  for (const auto* text : {"", "SIG", "0", "65", "-9", "9x", "TERMINATE", "RTMIN+99", "RTMAX+1"}) {
    const auto number = parse_signal(text);
    ASSERT_FALSE(number) << text;
    EXPECT_EQ(number.error().kind, ErrorKind::kInvalid);
  }
}

}  // namespace
}  // namespace berth::sandbox
