// Detached sandboxes: logs, terminals, standard input.
#include <unistd.h>
#include <algorithm>

#include "fixture.h"

namespace berth::sandbox {
namespace {

using Detached = SandboxTest;

TEST_F(Detached, LogsBothStreamsAndWhatIsLeftAtTheEnd) {
  const auto process =
      start(detached_shell("echo one; echo oops >&2; printf tw; sleep 0.1; "
                           "echo o; printf 'no newline'"));
  wait_until_gone(process);
  EXPECT_EQ(logged(), "one\ntwo\nno newlineoops\n");
  EXPECT_NE(read_text(log()).find(" stderr F oops\n"), std::string::npos);
  EXPECT_NE(read_text(log()).find(" stdout P tw\n"), std::string::npos);
}

TEST_F(Detached, LogsMoreThanAPipeHolds) {
  const auto process = start(detached_shell("seq 1 50000"));
  wait_until_gone(process);
  const auto text = logged();
  EXPECT_EQ(std::ranges::count(text, '\n'), 50000);
  EXPECT_TRUE(text.ends_with("\n49999\n50000\n"));
}

TEST_F(Detached, IsAppendedToTheLog) {
  wait_until_gone(start(detached_shell("echo one")));
  wait_until_gone(start(detached_shell("echo two")));
  EXPECT_EQ(logged(), "one\ntwo\n");
}

TEST_F(Detached, IsNoChildOfItsStarterAndInAnotherSession) {
  const auto process = start(detached_shell("sleep 1000"));
  EXPECT_NE(getpgid(process.shim().pid), getpgrp());
  EXPECT_EQ(getsid(process.shim().pid), process.shim().pid);
  const auto status = read_text("/proc/" + std::to_string(process.shim().pid) + "/status");
  EXPECT_EQ(status.find("PPid:\t" + std::to_string(getpid()) + "\n"), std::string::npos);
  stop(process);
}

TEST_F(Detached, StandardInputIsEmptyOrStaysOpen) {
  auto spec = detached_shell("cat; echo end");
  wait_until_gone(start(spec));
  EXPECT_EQ(logged(), "end\n");
  spec.open_stdin = true;
  const auto process = start(spec);
  EXPECT_FALSE(must(wait_gone(std::vector{process.id()}, std::chrono::milliseconds(200))));
  stop(process);
}

TEST_F(Detached, AShellWithATerminalStaysAlive) {
  auto spec = detached_shell("");
  spec.argv = {"sh", "-c", "tty; echo $(ps -o tty= -p 1) >" + path("seen") + "; exec sh -i"};
  spec.tty = true;
  const auto process = start(spec);
  const auto terminal = await_text(path("seen"));
  EXPECT_TRUE(terminal.starts_with("pts/")) << terminal;
  EXPECT_FALSE(must(wait_gone(std::vector{process.id()}, std::chrono::milliseconds(200))));
  EXPECT_TRUE(logged().starts_with("/dev/" + terminal.substr(0, terminal.size() - 1))) << logged();
  stop(process);
}

TEST_F(Detached, ATerminalThatTheProcessClosesDoesNotBusyTheShim) {
  auto spec = detached_shell(
      "echo before; exec >/dev/null 2>&1 </dev/null; sleep 0.3; "
      "echo after >/dev/tty");
  spec.tty = true;
  wait_until_gone(start(spec));
  EXPECT_EQ(logged(), "before\r\nafter\r\n");
}

TEST_F(Detached, ALogThatCannotBeOpenedIsSaidAtOnce) {
  auto spec = detached_shell("exit 0");
  spec.log_file = path("missing/log");
  const auto pending = PendingProcess::spawn(spec);
  ASSERT_FALSE(pending);
  EXPECT_NE(pending.error().message.find(spec.log_file), std::string::npos);
}

}  // namespace
}  // namespace berth::sandbox
