// What a sandbox's process sees, and how its end is told.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "fixture.h"

namespace berth::sandbox {
namespace {

using Process = SandboxTest;

TEST_F(Process, ExitCodes) {
  EXPECT_EQ(run(shell("exit 0")), 0);
  EXPECT_EQ(run(shell("exit 3")), 3);
}

TEST_F(Process, DeathBySignalIs128AndTheSignal) {
  auto pending = must(PendingProcess::spawn(shell("sleep 1000; exit 0")));
  auto started = must(std::move(pending).start());
  EXPECT_TRUE(signal(started.id(), SIGKILL));
  EXPECT_EQ(must(std::move(started).wait()), 128 + SIGKILL);
}

StartError start_failure(ProcessSpec spec) {
  auto pending = must(PendingProcess::spawn(spec));
  const auto shim = pending.shim();
  const auto process = pending.id();
  auto started = std::move(pending).start();
  EXPECT_FALSE(alive(shim) || alive(process));
  if (started) return Error{ErrorKind::kIo, "it started"};
  return started.error();
}

TEST_F(Process, CommandThatDoesNotExistIs127) {
  auto spec = shell("");
  for (const auto* command : {"berth-no-such-command", "/no/such/command", "/etc/passwd/x"}) {
    spec.argv = {command};
    const auto error = start_failure(spec);
    EXPECT_EQ(error.exit_code, 127) << command;
    EXPECT_NE(error.error.message.find(command), std::string::npos) << error.error.message;
  }
}

TEST_F(Process, CommandThatCannotRunIs126) {
  write_text(path("plain"), "text");
  auto spec = shell("");
  for (const auto& command : {path("plain"), std::string("/tmp")}) {
    spec.argv = {command};
    EXPECT_EQ(start_failure(spec).exit_code, 126) << command;
  }
}

TEST_F(Process, SandboxThatCannotBeMadeIs125) {
  auto spec = shell("exit 0");
  spec.workdir = "/no/such/directory";
  auto error = start_failure(spec);
  EXPECT_EQ(error.exit_code, 125);
  EXPECT_NE(error.error.message.find("/no/such/directory"), std::string::npos)
      << error.error.message;
  spec = shell("exit 0");
  spec.hosts_file = path("missing");
  error = start_failure(spec);
  EXPECT_EQ(error.exit_code, 125);
  EXPECT_NE(error.error.message.find(path("missing")), std::string::npos) << error.error.message;
}

TEST_F(Process, WhatCannotBeAskedForIsRefusedAtOnce) {
  auto spec = shell("");
  spec.argv.clear();
  EXPECT_EQ(PendingProcess::spawn(spec).error().kind, ErrorKind::kInvalid);
  spec = shell("");
  spec.rootfs = "relative";
  EXPECT_EQ(PendingProcess::spawn(spec).error().kind, ErrorKind::kInvalid);
  spec = shell("");
  spec.detach = true;  // without a log
  EXPECT_EQ(PendingProcess::spawn(spec).error().kind, ErrorKind::kInvalid);
  spec = shell("");
  spec.shim = "/no/such/shim";
  EXPECT_EQ(PendingProcess::spawn(spec).error().kind, ErrorKind::kNotFound);
}

TEST_F(Process, HasFiveNamespacesOfItsOwnBeforeItStarts) {
  const auto pending = must(PendingProcess::spawn(shell("exit 0")));
  for (const auto* name : {"net", "mnt", "uts", "ipc", "pid"}) {
    EXPECT_NE(namespace_of(pending.pid(), name), namespace_of(getpid(), name)) << name;
  }
  EXPECT_EQ(namespace_of(pending.pid(), "user"), namespace_of(getpid(), "user"));
}

TEST_F(Process, SeesItsOwnFilesAndTheHostKeepsIts) {
  const std::vector<std::string> files{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};
  std::vector<std::string> before;
  for (const auto& file : files) before.push_back(read_text(file));

  EXPECT_EQ(run(shell("{ cat /etc/hosts /etc/hostname /etc/resolv.conf; hostname; echo $$; "
                      "ls /sys/class/net; ls /dev/shm; } >" +
                      path("seen"))),
            0);
  EXPECT_EQ(read_text(path("seen")), "10.9.8.7\tweb\nweb\nnameserver 10.9.8.1\nweb\n1\nlo\n");
  for (std::size_t i = 0; i < files.size(); ++i) EXPECT_EQ(read_text(files[i]), before[i]);
}

TEST_F(Process, SeesWhatIsWrittenInPlaceAfterSpawn) {
  auto pending = must(PendingProcess::spawn(shell("cat /etc/hosts >" + path("seen"))));
  write_text(path("hosts"), "10.1.1.1\tlater\n");
  EXPECT_EQ(must(must(std::move(pending).start()).wait()), 0);
  EXPECT_EQ(read_text(path("seen")), "10.1.1.1\tlater\n");
}

// An /etc that this test may change.
class OnAnotherEtc : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    ASSERT_EQ(mount("tmpfs", "/etc", "tmpfs", 0, nullptr), 0);
    write_text("/etc/hosts", "127.0.0.1 localhost\n");
  }
  void TearDown() override {
    SandboxTest::TearDown();
    EXPECT_EQ(umount2("/etc", MNT_DETACH), 0);
  }
  // What `script` prints in a sandbox that has waited until `change` was made.
  std::string seen_after(const std::function<void()>& change, const std::string& script) {
    const auto process =
        start(detached_shell("echo up >" + path("up") + "; until [ -e " + path("changed") +
                             " ]; do sleep 0.01; done; " + script));
    await_text(path("up"));
    change();
    write_text(path("changed"), "");
    wait_until_gone(process);
    return logged();
  }
};

// No hostname, and a resolv.conf whose resolver does not run.
TEST_F(OnAnotherEtc, ItsFilesAreThereWhateverTheHostHas) {
  ASSERT_EQ(symlink("/berth-no-such-dir/resolv.conf", "/etc/resolv.conf"), 0);
  EXPECT_EQ(run(shell("{ cat /etc/hosts /etc/resolv.conf; ls /etc; } >" + path("seen"))), 0);
  EXPECT_EQ(read_text(path("seen")),
            "10.9.8.7\tweb\nnameserver 10.9.8.1\nhostname\nhosts\nresolv.conf\n");
  EXPECT_FALSE(std::filesystem::exists("/etc/hostname"));
  EXPECT_TRUE(std::filesystem::is_symlink("/etc/resolv.conf"));
  EXPECT_FALSE(std::filesystem::exists("/berth-no-such-dir"));
}

// As editors and resolvers replace them, and as systemd-resolved's resolv.conf is one in /run.
TEST_F(OnAnotherEtc, ItsFilesStayWhenTheHostReplacesOrRemovesItsOwn) {
  std::filesystem::create_directory(path("resolved"));
  write_text(path("resolved/stub"), "nameserver 127.0.0.53\n");
  ASSERT_EQ(symlink(path("resolved/stub").c_str(), "/etc/resolv.conf"), 0);
  write_text("/etc/hostname", "host\n");
  const auto replace_all = [&] {
    for (const auto& file : {std::string("/etc/hosts"), path("resolved/stub")}) {
      write_text(file + ".new", "the host's\n");
      std::filesystem::rename(file + ".new", file);
    }
    std::filesystem::remove("/etc/hostname");
  };
  EXPECT_EQ(seen_after(replace_all, "cat /etc/hosts /etc/hostname /etc/resolv.conf"),
            "10.9.8.7\tweb\nweb\nnameserver 10.9.8.1\n");
}

TEST_F(OnAnotherEtc, TheOtherEntriesAreTheHostsAsTheyChange) {
  std::filesystem::create_directories("/etc/dir/sub");
  write_text("/etc/dir/file", "in a directory\n");
  write_text("/etc/passwd", "old\n");
  ASSERT_EQ(symlink("dir/file", "/etc/link"), 0);
  const auto replace = [] {
    write_text("/etc/passwd.new", "new\n");
    std::filesystem::rename("/etc/passwd.new", "/etc/passwd");
    write_text("/etc/dir/sub/later", "later\n");
  };
  EXPECT_EQ(seen_after(replace,
                       "cat /etc/link /etc/passwd /etc/dir/sub/later; cd /etc/dir/../dir; "
                       "cat file; echo written >/etc/passwd; ls -A /etc"),
            "in a directory\nnew\nlater\nin a directory\n"
            ".berth\ndir\nhostname\nhosts\nlink\npasswd\nresolv.conf\n");
  EXPECT_EQ(read_text("/etc/passwd"), "written\n");
}

// What would be lost with the sandbox is refused.
TEST_F(OnAnotherEtc, NoEntryCanBeMadeInIt) {
  EXPECT_EQ(run(shell("touch /etc/new 2>/dev/null || echo refused >" + path("seen"))), 0);
  EXPECT_EQ(read_text(path("seen")), "refused\n");
  EXPECT_EQ(run(shell("echo 10.1.1.1 db >>/etc/hosts")), 0);
  EXPECT_EQ(read_text(path("hosts")), "10.9.8.7\tweb\n10.1.1.1 db\n");
}

TEST_F(Process, BeginsInTheRootWhereverItsStarterIs) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(path("."));
  auto spec = shell("pwd >" + path("seen"));
  EXPECT_EQ(run(spec), 0);
  EXPECT_EQ(read_text(path("seen")), "/\n");
  spec.workdir = "usr";
  EXPECT_EQ(run(spec), 0);
  std::filesystem::current_path(before);
  EXPECT_EQ(read_text(path("seen")), "/usr\n");
}

// In the foreground too: its helper holds no directory of the starter's.
TEST_F(Process, KeepsNoDirectoryBusy) {
  const auto before = std::filesystem::current_path();
  std::filesystem::create_directory(path("here"));
  std::filesystem::current_path(path("here"));
  const auto process = start(shell("sleep 1000"));
  std::filesystem::current_path(before);
  for (const auto& each : {process.id(), process.shim()}) {
    const auto pid = std::to_string(each.pid);
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + pid + "/cwd"), "/");
  }
  stop(process);
}

// What happens to the standard streams of a program that was started without them.
TEST_F(Process, IsStartedWithStreamsClosed) {
  const pid_t child = fork();
  if (child == 0) {
    for (const int stream : {0, 1, 2}) close(stream);
    auto spec = shell("echo out; echo err >&2; readlink /proc/self/fd/1 >" + path("seen"));
    const bool ran = run(spec) == 0;
    spec.tty = true;
    _exit(ran && run(spec) == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Process, ItsExitCodeIsToldWhereTheStarterIgnoresItsChildren) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  auto spec = shell("exit 3");
  spec.on_exit = {"/bin/sh", "-c", "echo $1 >" + path("code"), "sh"};
  EXPECT_EQ(run(spec), 3);
  std::signal(SIGCHLD, before);
  EXPECT_EQ(read_text(path("code")), "3\n");
}

TEST_F(Process, EnvironmentWorkdirAndSignals) {
  auto spec = shell(
      "{ echo $PATH $COLOR; pwd; umask; grep -E 'Sig(Blk|Ign)' /proc/self/status; "
      "ls /proc/self/fd | wc -l; } >" +
      path("seen"));
  spec.env = {"COLOR=blue"};
  spec.workdir = "/usr";
  const auto before = ::signal(SIGUSR1, SIG_IGN);
  EXPECT_EQ(run(spec), 0);
  ::signal(SIGUSR1, before);
  EXPECT_EQ(read_text(path("seen")),
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin blue\n/usr\n0022\n"
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
            "4\n");  // three streams and what ls reads
}

TEST_F(Process, SignalsArePassedOnInTheForeground) {
  sigset_t usr1;
  sigset_t before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &usr1, &before);  // it may come before wait() is there
  auto started = start(
      shell("trap 'exit 7' USR1; echo ready >" + path("ready") + "; while :; do sleep 0.05; done"));
  await_text(path("ready"));
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(must(std::move(started).wait()), 7);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

// What a foreground process ends with that gets `number` again and again.
class Interrupted : public SandboxTest {
 protected:
  int exit_code_after(ProcessSpec spec, int number, const std::string& await = {}) {
    spec.on_exit = {"/bin/sh", "-c", "echo $1 >" + path("code"), "sh"};
    sigset_t signals;
    sigset_t before;
    sigemptyset(&signals);
    sigaddset(&signals, number);
    sigprocmask(SIG_BLOCK, &signals, &before);
    auto started = start(spec);
    if (!await.empty()) await_text(await);
    const pid_t sender = fork();
    if (sender == 0) {
      for (int i = 0; i < 50; ++i) {  // more than three: pending ones are merged
        usleep(20'000);
        kill(getppid(), number);
      }
      _exit(0);
    }
    const int code = must(std::move(started).wait());
    kill(sender, SIGKILL);
    waitpid(sender, nullptr, 0);
    const timespec at_once{};
    sigtimedwait(&signals, nullptr, &at_once);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(read_text(path("code")), std::to_string(code) + "\n");  // so it is recorded
    return code;
  }
};

TEST_F(Interrupted, EndsAsOutsideOfASandboxThoughItIsAnInit) {
  auto spec = shell("");
  spec.argv = {"sleep", "1000"};
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1})
    EXPECT_EQ(exit_code_after(spec, number), 128 + number);
}

TEST_F(Interrupted, HasItsOwnExitCodeWhereItHandlesTheSignal) {
  EXPECT_EQ(exit_code_after(shell("trap 'exit 7' INT; echo up >" + path("up") +
                                  "; while :; do sleep 0.05; done"),
                            SIGINT, path("up")),
            7);
}

TEST_F(Interrupted, TheThirdTimeKillsWhatDoesNotListen) {
  EXPECT_EQ(exit_code_after(
                shell("trap '' INT; echo up >" + path("up") + "; while :; do sleep 0.05; done"),
                SIGINT, path("up")),
            128 + SIGINT);
}

// A terminal sends its signal to the whole group, the helper included.
TEST_F(Interrupted, TheEndIsRecordedThoughTheHelperGetsTheSignalToo) {
  auto spec = shell("sleep 0.2; exit 5");
  spec.on_exit = {"/bin/sh", "-c", "sleep 0.2; echo $1 >" + path("code"), "sh"};
  auto started = start(spec);
  ASSERT_TRUE(signal(started.shim(), SIGINT));
  EXPECT_EQ(must(std::move(started).wait()), 5);
  EXPECT_EQ(read_text(path("code")), "5\n");
}

TEST_F(Interrupted, IsNotEndedByASignalThatItIgnores) {
  auto spec = shell("trap '' HUP; echo up >" + path("up") + "; sleep 0.3; exit 5");
  EXPECT_EQ(exit_code_after(spec, SIGHUP, path("up")), 5);
}

TEST_F(Process, ForegroundStandardInputOnlyWhenAskedFor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "hello", 5), 5);
  close(ends[1]);
  const int before = dup(STDIN_FILENO);
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  auto spec = shell("cat >" + path("seen"));
  EXPECT_EQ(run(spec), 0);
  EXPECT_EQ(read_text(path("seen")), "");
  spec.open_stdin = true;
  EXPECT_EQ(run(spec), 0);
  EXPECT_EQ(read_text(path("seen")), "hello");
  spec.tty = true;
  EXPECT_EQ(PendingProcess::spawn(spec).error().kind, ErrorKind::kInvalid);
  dup2(before, STDIN_FILENO);
  close(before);
}

TEST_F(Process, JoinsANetworkNamespaceThatItIsGiven) {
  const UniqueFd mine(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  auto spec = shell("readlink /proc/self/ns/net >" + path("seen") +
                    "; cat /proc/sys/kernel/domainname >>" + path("seen") + "; ls /sys/class/net");
  spec.netns = mine.get();
  spec.domainname = "example.org";
  EXPECT_EQ(run(spec), 0);
  EXPECT_EQ(read_text(path("seen")), namespace_of(getpid(), "net") + "\nexample.org\n");
  spec.argv = {"sleep", "1000"};
  const auto started = start(spec);
  EXPECT_EQ(namespace_of(started.id().pid, "net"), namespace_of(getpid(), "net"));
  EXPECT_NE(namespace_of(started.id().pid, "uts"), namespace_of(getpid(), "uts"));
  // The helper keeps no descriptor of it, nor of anything but its streams and the sync socket.
  std::size_t open_files = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(
           "/proc/" + std::to_string(started.shim().pid) + "/fdinfo"))
    ++open_files;
  spec.netns = -1;
  const auto plain = start(spec);
  std::size_t plain_files = 0;
  for ([[maybe_unused]] const auto& each :
       std::filesystem::directory_iterator("/proc/" + std::to_string(plain.shim().pid) + "/fdinfo"))
    ++plain_files;
  EXPECT_EQ(open_files, plain_files);
}

TEST_F(Process, ANamespaceThatCannotBeJoinedIs125) {
  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  auto spec = shell("exit 0");
  spec.netns = file.get();
  const auto error = start_failure(spec);
  EXPECT_EQ(error.exit_code, 125);
  EXPECT_NE(error.error.message.find("network namespace"), std::string::npos)
      << error.error.message;
}

}  // namespace
}  // namespace berth::sandbox
