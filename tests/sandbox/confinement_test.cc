// What a sandbox's process may do, and the init that --init puts before it.
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include "fixture.h"
#include "sandbox/own_files.h"

namespace berth::sandbox {
namespace {

class Confinement : public SandboxTest {
 protected:
  // What `spec` prints.
  std::string output_of(ProcessSpec spec) {
    spec.detach = true;
    spec.log_file = log();
    wait_until_gone(start(spec));
    auto text = logged();
    std::filesystem::remove(log());
    return text;
  }
};

TEST_F(Confinement, CapabilitiesAreThoseThatItIsGiven) {
  auto spec = shell("grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2 | uniq");
  spec.capabilities = capabilities_of({}, {}).value();
  EXPECT_EQ(output_of(spec), "0000000000000000\n00000000a80425fb\n0000000000000000\n");
  spec.capabilities = 0;
  EXPECT_EQ(output_of(spec), "0000000000000000\n");
}

TEST_F(Confinement, AnotherUserHasNoneAndStillDiesWithItsHelper) {
  if (getuid() != 0 || must(identify(getpid())).pid == 0) GTEST_SKIP() << "needs other users";
  auto spec = shell("id -u; id -g; id -G; grep CapEff /proc/self/status; echo x >/dev/stdout");
  spec.user = User{.uid = 1234, .gid = 99, .groups = {7, 8}};
  spec.capabilities = capabilities_of({}, {}).value();
  EXPECT_EQ(output_of(spec), "1234\n99\n99 7 8\nCapEff:\t0000000000000000\nx\n");
  spec.detach = true;
  spec.log_file = log();
  spec.argv = {"sleep", "1000"};
  const auto process = start(spec);
  ASSERT_TRUE(signal(process.shim(), SIGKILL));
  wait_until_gone(process);
}

TEST_F(Confinement, SeesWhatIsMountedForIt) {
  std::filesystem::create_directory(path("data"));
  std::filesystem::create_directories(path("place/below"));
  write_text(path("data/file"), "the host's\n");
  auto spec = shell("cat " + path("place/file") + "; echo new >" + path("place/new") + "; touch " +
                    path("place/below") + " 2>&1; cat " + path("hostname"));
  spec.binds = {{path("data"), path("place"), false}, {path("data/file"), path("hostname"), true}};
  EXPECT_EQ(output_of(spec).substr(0, 11), "the host's\n");
  EXPECT_EQ(read_text(path("data/new")), "new\n");
  spec = shell("touch " + path("place/x") + " 2>/dev/null || echo refused");
  spec.binds = {{path("data"), path("place"), true}};
  EXPECT_EQ(output_of(spec), "refused\n");
  spec.binds = {{path("data"), path("nowhere"), true}};
  const auto started = must(PendingProcess::spawn(spec)).start();
  ASSERT_FALSE(started);
  EXPECT_TRUE(started.error().error.message.contains("mount on " + path("nowhere")));
}

TEST_F(Confinement, AReadOnlyRootHasItsOwnFilesWritable) {
  auto spec = shell("touch " + path("x") +
                    " 2>/dev/null || echo refused; echo line >>/etc/hosts; "
                    "echo x >/dev/null; touch /dev/shm/x && echo made");
  spec.read_only = true;
  EXPECT_EQ(output_of(spec), "refused\nmade\n");
  EXPECT_EQ(read_text(path("hosts")), "10.9.8.7\tweb\nline\n");
}

TEST_F(Confinement, SettingsAreItsOwnAndThenReadOnly) {
  auto spec = shell(
      "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax; "
      "for f in /proc/sys/net/ipv4/ip_forward /proc/sysrq-trigger /sys/x; do "
      "echo 0 2>/dev/null >$f || echo refused; done; wc -c </proc/interrupts");
  spec.sysctls = {"net.ipv4.ip_forward=1", "kernel.msgmax=1234"};
  spec.protect = true;
  EXPECT_EQ(output_of(spec), "1\n1234\nrefused\nrefused\nrefused\n0\n");
  spec.sysctls = {"net.ipv4.nothing=1"};
  const auto started = must(PendingProcess::spawn(spec)).start();
  ASSERT_FALSE(started);
  EXPECT_TRUE(started.error().error.message.contains("set net.ipv4.nothing=1"));
}

TEST_F(Confinement, AnInitPassesSignalsOnAndEndsWithTheCommandsCode) {
  auto spec = shell("cat /proc/1/comm; exit 3");
  spec.init = true;
  EXPECT_EQ(output_of(spec), "berth-init\n");
  EXPECT_EQ(run(spec), 3);

  spec = detached_shell("");
  spec.argv = {"sleep", "1000"};
  spec.init = true;
  spec.on_exit = {"/bin/sh", "-c", "echo $1 >" + path("code"), "sh"};
  const auto process = start(spec);
  EXPECT_EQ(must(restore_own_files(process.id(), path("."))), std::vector<std::string>{});
  ASSERT_TRUE(signal(process.id(), SIGTERM));
  wait_until_gone(process);
  EXPECT_EQ(read_text(path("code")), std::to_string(128 + SIGTERM) + "\n");
}

TEST_F(Confinement, AnInitReapsWhatOthersLeave) {
  auto spec = shell(
      "sh -c 'sleep 0.01 & sleep 0.01 & exit' ; sleep 0.2; "
      "grep -l 'State:.*Z' /proc/[0-9]*/status || echo none");
  spec.init = true;
  EXPECT_EQ(output_of(spec), "none\n");
}

TEST_F(Confinement, ACommandThatCannotRunUnderAnInitIsTold) {
  auto spec = shell("");
  spec.argv = {"/no/such/command"};
  spec.init = true;
  const auto started = must(PendingProcess::spawn(spec)).start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().exit_code, 127);
}

}  // namespace
}  // namespace berth::sandbox
