// Further commands in a sandbox that runs, and in a network namespace without a process.
#include "sandbox/exec.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "fixture.h"

namespace berth::sandbox {
namespace {

class Exec : public SandboxTest {
 protected:
  static ExecSpec command(const std::string& script) { return {.argv = {"sh", "-c", script}}; }
};

TEST_F(Exec, SeesTheSandboxsNamespaces) {
  const auto process = start(detached_shell("sleep 1000"));
  const auto seen = path("seen");
  EXPECT_EQ(must(exec_in(process.id(), command("cd /proc/self/ns; for n in net mnt uts ipc pid; do "
                                               "readlink $n; done >" +
                                               seen + "; hostname >>" + seen))),
            0);
  std::string expected;
  for (const auto* name : {"net", "mnt", "uts", "ipc", "pid"}) {
    expected += namespace_of(process.id().pid, name) + "\n";
  }
  EXPECT_EQ(read_text(seen), expected + "web\n");
  stop(process);
}

TEST_F(Exec, ExitCodesAreThoseOfRun) {
  const auto process = start(detached_shell("sleep 1000"));
  EXPECT_EQ(must(exec_in(process.id(), command("exit 4"))), 4);
  EXPECT_EQ(must(exec_in(process.id(), command("kill -9 $$"))), 137);
  EXPECT_EQ(exec_in(process.id(), {.argv = {"berth-no-such-command"}}).error().exit_code, 127);
  EXPECT_EQ(exec_in(process.id(), {.argv = {"/tmp"}}).error().exit_code, 126);
  EXPECT_EQ(exec_in(process.id(), {.sandbox = "web", .argv = {"berth-no-such-command"}})
                .error()
                .error.message,
            "exec in web: run \"berth-no-such-command\": executable file not found in PATH");
  EXPECT_EQ(exec_in(process.id(), {.argv = {"sh"}, .workdir = "/no/such"}).error().exit_code, 125);
  EXPECT_EQ(exec_in(process.id(), {}).error().error.kind, ErrorKind::kInvalid);
  stop(process);
  EXPECT_EQ(exec_in(process.id(), command("exit 0")).error().error.kind, ErrorKind::kNotFound);
}

TEST_F(Exec, EnvironmentAndWorkdir) {
  const auto process = start(detached_shell("sleep 1000"));
  auto spec = command("echo $COLOR $PWD >" + path("seen"));
  spec.env = {"COLOR=blue"};
  spec.workdir = "/usr";
  EXPECT_EQ(must(exec_in(process.id(), spec)), 0);
  EXPECT_EQ(read_text(path("seen")), "blue /usr\n");
  stop(process);
}

TEST_F(Exec, AsAnotherUser) {
  if (read_text("/proc/self/setgroups") == "deny\n") {
    GTEST_SKIP() << "this user namespace has one user only and allows no setgroups";
  }
  const auto process = start(detached_shell("sleep 1000"));
  auto spec = command("test \"$(id -u):$(id -g):$(id -G)\" = 7:8:8");
  spec.user = User{7, 8};
  EXPECT_EQ(must(exec_in(process.id(), spec)), 0);
  stop(process);
}

TEST_F(Exec, DetachedReturnsAtOnceAndEndsWithTheSandbox) {
  const auto process = start(detached_shell("exec sleep 1000"));
  auto spec = command("echo up >" + path("up") + "; exec sleep 1000");
  spec.detach = true;
  EXPECT_EQ(must(exec_in(process.id(), spec)), 0);
  await_text(path("up"));
  const auto tree = tree_of(process.id().pid);
  EXPECT_EQ(tree.size(), 2U);  // it is the init's child
  stop(process);
  EXPECT_TRUE(must(wait_gone(tree, kPatience)));
}

TEST_F(Exec, DetachedSaysWhyItCannotRun) {
  const auto process = start(detached_shell("sleep 1000"));
  ExecSpec spec{.argv = {"berth-no-such-command"}, .detach = true};
  EXPECT_EQ(exec_in(process.id(), spec).error().exit_code, 127);
  stop(process);
}

TEST_F(Exec, InANetworkNamespaceWithoutAProcess) {
  UniqueFd netns;
  {
    const auto pending = must(PendingProcess::spawn(shell("exit 0")));
    netns = UniqueFd(
        open(("/proc/" + std::to_string(pending.pid()) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (must(exec_in_netns(netns.get(), command("ip link add vethA type veth peer vethB"))) != 0) {
    GTEST_SKIP() << "the kernel has no veth, or there is no ip(8)";
  }
  EXPECT_EQ(must(exec_in_netns(netns.get(), command("ls /sys/class/net >" + path("seen") +
                                                    "; ls -d /sys/fs/cgroup >>" + path("seen")))),
            0);
  EXPECT_EQ(read_text(path("seen")), "lo\nvethA\nvethB\n/sys/fs/cgroup\n");
  EXPECT_NE(access("/sys/class/net/vethA", F_OK), 0);
}

}  // namespace
}  // namespace berth::sandbox
