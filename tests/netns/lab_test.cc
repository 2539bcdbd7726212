// Labs against the real kernel.
#include "lab/lab.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/result.h"
#include "berth/engine.h"
#include "kernel_test_ns.h"
#include "nft_shell.h"

namespace berth::lab {
namespace {

namespace fs = std::filesystem;
using kernel::Netns;
using testing::must;

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// How often `path` is part of the mounts that the process sees.
int mounts_below(const std::string& path, const std::string& process = "self") {
  int count = 0;
  std::ifstream file("/proc/" + process + "/mountinfo");
  for (std::string line; std::getline(file, line);) count += line.find(path) != std::string::npos;
  return count;
}

class LabTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(labs); }
  void TearDown() override {
    for (const auto& lab : must(list(labs))) remove(lab.name);
    fs::remove_all(base);
  }

  Lab make(const std::string& name, int hosts = 2) {
    return must(up({.name = name, .hosts = hosts, .directory = labs}));
  }
  void remove(const std::string& name) {
    for (const auto& error : down(labs, name)) ADD_FAILURE() << error.message;
  }
  /// Runs a shell command in a host: its exit code, or -1 if berth could not.
  int run(const Lab& lab, const std::string& host, const std::string& script) {
    const auto exit_code =
        exec(lab, {.host = host, .argv = {"sh", "-c", script}, .env = {"COLOR=blue"}});
    if (exit_code) return *exit_code;
    ADD_FAILURE() << exit_code.error().error.message;
    return -1;
  }
  /// What such a command prints.
  std::string output(const Lab& lab, const std::string& host, const std::string& script) {
    const auto file = base + "/output";
    EXPECT_EQ(run(lab, host, "exec >" + file + "\n" + script), 0);
    return content(file);
  }

  static std::string next_base() {
    static int count = 0;
    return fmt::format("{}/lab{}", testing::scratch_dir(), count++);
  }
  const std::string base = next_base();
  const std::string labs = base + "/run/labs";
};

TEST_F(LabTest, HostsReachOneAnotherAndTheOutside) {
  const auto lab = make("demo");
  ASSERT_EQ(lab.hosts.size(), 2U);
  EXPECT_TRUE(lab.intact);
  EXPECT_EQ(run(lab, "h1", "ping -qnc1 -W2 192.0.2.12 >/dev/null"), 0);
  EXPECT_EQ(run(lab, "h2", "ping -qnc1 -W2 192.0.2.11 >/dev/null"), 0);
  EXPECT_EQ(run(lab, "h1", "ping -qnc1 -W2 198.51.100.1 >/dev/null"), 0);
  EXPECT_EQ(run(lab, "switch", "ping -qnc1 -W2 192.0.2.12 >/dev/null"), 0);
  EXPECT_NE(run(lab, "h1", "ping -qnc1 -W1 203.0.113.1 >/dev/null 2>&1"), 0) << "nothing is there";
}

TEST_F(LabTest, ACommandSeesItsHost) {
  const int sys_mounts = mounts_below(" /sys ");
  const auto lab = make("demo");
  EXPECT_EQ(output(lab, "h1", "echo $BERTH_ROOT $BERTH_RUN $COLOR"),
            lab.root_of("h1") + " " + lab.run_of("h1") + " blue\n");
  EXPECT_EQ(output(lab, "h2", "ls /sys/class/net | grep -v -e tunl -e sit -e gre"), "eth0\nlo\n");
  EXPECT_EQ(output(lab, "switch", "ls /sys/class/net/lan/brif"), "h1\nh2\n");
  // Whatever the machine's own setting is.
  EXPECT_EQ(output(lab, "h1", "cat /proc/sys/net/ipv4/ip_forward"), "0\n");
  EXPECT_EQ(output(lab, "switch", "cat /proc/sys/net/ipv4/ip_forward"), "1\n");
  EXPECT_EQ(mounts_below(" /sys "), sys_mounts) << "this process sees its own";
}

TEST_F(LabTest, ExitCodesAreThoseOfExec) {
  const auto lab = make("demo");
  EXPECT_EQ(run(lab, "h1", "exit 4"), 4);
  EXPECT_EQ(run(lab, "h1", "kill -9 $$"), 137);
  const auto refused = [&](const std::string& host, const std::vector<std::string>& argv) {
    const auto result = exec(lab, {.host = host, .argv = argv, .env = {}});
    return result ? 0 : result.error().exit_code;
  };
  EXPECT_EQ(refused("h1", {"berth-no-such-command"}), 127);
  EXPECT_EQ(refused("h1", {"/tmp"}), 126);
  EXPECT_EQ(refused("h1", {}), 125);
  EXPECT_EQ(refused("h3", {"true"}), 125);
  EXPECT_EQ(refused("../h1", {"true"}), 125);
}

// What `berth sandbox create` and labs inside labs rely on.
TEST_F(LabTest, NamespaceFilesMadeInAHostOutliveTheCommandAndOtherMountsDoNot) {
  const auto lab = make("demo");
  const auto elsewhere = base + "/elsewhere";
  fs::create_directory(elsewhere);
  ASSERT_EQ(run(lab, "h1",
                "touch $BERTH_RUN/ns && mount --bind /proc/self/ns/net $BERTH_RUN/ns && "
                "mount -t tmpfs none " +
                    elsewhere),
            0);
  const auto kept = Netns::open(lab.run_of("h1") + "/ns");
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(kept->inode(), must(Netns::open(lab.netns_of("h1"))).inode());
  EXPECT_EQ(run(lab, "h1", "test \"$(stat -fc %T $BERTH_RUN/ns)\" = nsfs"), 0);
  EXPECT_EQ(mounts_below(elsewhere), 0);
}

TEST_F(LabTest, ListsByNameAndSaysWhatIsBroken) {
  EXPECT_TRUE(must(list(base + "/none")).empty());
  const auto made = make("b", 1);
  make("a", 3);
  auto found = must(list(labs));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "a");
  EXPECT_EQ(found[1].hosts, made.hosts);
  EXPECT_TRUE(found[0].intact);
  EXPECT_TRUE(found[1].intact);

  must(Netns::remove(made.netns_of("h1")));
  EXPECT_FALSE(must(find(labs, "b")).intact);
  EXPECT_TRUE(must(find(labs, "a")).intact);

  const auto none = find(labs, "c");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(none.error().message.find("there are a, b"), std::string::npos) << none.error().message;
}

TEST_F(LabTest, ANameIsTakenOnce) {
  const auto lab = make("demo");
  const auto again = up({.name = "demo", .hosts = 5, .directory = labs});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kExists);
  EXPECT_TRUE(must(find(labs, "demo")).intact);
  EXPECT_EQ(run(lab, "h1", "ping -qnc1 -W2 192.0.2.12 >/dev/null"), 0);
}

TEST_F(LabTest, WhatFailsHalfWayIsUndone) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{40, before.rlim_max};  // each namespace takes one until the lab is made
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto refused = up({.name = "demo", .hosts = 60, .directory = labs});
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("Too many open files"), std::string::npos)
      << refused.error().message;
  EXPECT_TRUE(fs::is_empty(labs));
  EXPECT_EQ(mounts_below(labs), 0);
  make("demo");
}

TEST_F(LabTest, WithoutCapabilitiesNothingIsMade) {
  testing::without_capabilities([&] {
    const auto refused = up({.name = "demo", .hosts = 2, .directory = labs});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kPermission);
    EXPECT_EQ(refused.error().message.find("; unmount"), std::string::npos)
        << refused.error().message;
  });
  EXPECT_TRUE(fs::is_empty(labs));
}

TEST_F(LabTest, RefusesWhatCannotBe) {
  for (const auto& spec : {LabSpec{"Demo", 2, labs}, LabSpec{"demo", 0, labs},
                           LabSpec{"demo", 201, labs}, LabSpec{"demo", 2, "labs"}}) {
    const auto refused = up(spec);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid) << refused.error().message;
  }
  EXPECT_TRUE(fs::is_empty(labs));
}

TEST_F(LabTest, TwentyHosts) {
  const auto begin = std::chrono::steady_clock::now();
  const auto lab = make("many", 20);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  fmt::print("  20 hosts made in {:.0f} ms\n", took.count());
  EXPECT_TRUE(must(find(labs, "many")).intact);
  for (const auto& host : lab.hosts)
    EXPECT_EQ(run(lab, host.name, "ping -qnc1 -W2 192.0.2.30 >/dev/null"), 0) << host.name;
}

// The pid of a process in a host that goes on after the command that started it.
pid_t pid_in(const std::string& file) {
  return std::stoi(content(file));
}
bool runs(pid_t pid) {
  return content(fmt::format("/proc/{}/stat", pid)).find(") Z ") == std::string::npos &&
         kill(pid, 0) == 0;
}

TEST_F(LabTest, DownLeavesNothing) {
  const auto lab = make("demo");
  const auto polite = base + "/polite";
  const auto stubborn = base + "/stubborn";
  ASSERT_EQ(run(lab, "h1", "sleep 1000 >/dev/null 2>&1 & echo $! >" + polite), 0);
  ASSERT_EQ(run(lab, "h2",
                "sh -c 'trap \"\" TERM; echo $$ >" + stubborn +
                    "; while :; do sleep 1; done' >/dev/null 2>&1 & while ! test -s " + stubborn +
                    "; do sleep 0.01; done"),
            0);
  ASSERT_TRUE(runs(pid_in(polite)));
  const auto h1 = must(Netns::open(lab.netns_of("h1")));
  must(kernel::run_in(h1, [&]() -> Status {
    auto engine = TRY(Engine::open({.root = lab.root_of("h1"), .run = lab.run_of("h1")}));
    TRY(engine.create_network({.name = "web"}));
    TRY(engine.create_sandbox({.name = "blue"}));
    TRY(engine.connect({.network = "web", .target = "blue"}));
    return {};
  }));

  remove("demo");
  EXPECT_FALSE(runs(pid_in(polite)));
  EXPECT_FALSE(runs(pid_in(stubborn)));
  EXPECT_TRUE(fs::is_empty(labs));
  EXPECT_EQ(mounts_below(labs), 0);
  // Held open by this test the namespace is still there, but there is nothing of the lab in it.
  auto socket = must(kernel::open_socket_in(h1, NETLINK_ROUTE));
  for (const auto& link : must(kernel::list_links(socket)))
    EXPECT_TRUE(link.kind != "veth" && link.kind != "bridge") << link.name.str();
  EXPECT_FALSE(find(labs, "demo"));
  EXPECT_EQ(down(labs, "demo").size(), 1U) << "it is not there any more";
}

// As of a process that was killed while it made the lab.
TEST_F(LabTest, DownOfAHalfMadeLab) {
  const auto lab = make("demo", 3);
  fs::remove(lab.directory + "/lab.json");
  must(Netns::remove(lab.netns_of("h2")));
  EXPECT_FALSE(must(find(labs, "demo")).intact);
  const auto refused = exec(must(find(labs, "demo")), {.host = "h1", .argv = {"true"}, .env = {}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().error.message.find("was not finished"), std::string::npos);
  remove("demo");
  EXPECT_TRUE(fs::is_empty(labs));
  EXPECT_EQ(mounts_below(labs), 0);
}

TEST_F(LabTest, DownIsRefusedFromInside) {
  const auto lab = make("demo");
  const auto h1 = must(Netns::open(lab.netns_of("h1")));
  std::vector<Error> errors;
  must(kernel::run_in(h1, [&]() -> Status {
    errors = down(labs, "demo");
    return {};
  }));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].kind, ErrorKind::kInUse);
  EXPECT_TRUE(must(find(labs, "demo")).intact);
}

TEST_F(LabTest, LabsNestAndGoTogether) {
  const auto outer = make("outer");
  const auto inner_labs = outer.run_of("h1") + "/labs";
  const auto inner = must(up({.name = "inner", .hosts = 1, .directory = inner_labs}));
  const auto file = base + "/pid";
  ASSERT_EQ(run(inner, "h1", "sleep 1000 >/dev/null 2>&1 & echo $! >" + file), 0);
  EXPECT_EQ(must(list(inner_labs)).size(), 1U);
  EXPECT_EQ(must(list(labs)).size(), 1U);
  // A command in the outer host sees the inner lab, which was made outside of it.
  EXPECT_EQ(run(outer, "h1", "test \"$(stat -fc %T $BERTH_RUN/labs/inner/h1)\" = nsfs"), 0);
  remove("outer");
  EXPECT_FALSE(runs(pid_in(file)));
  EXPECT_EQ(mounts_below(labs), 0);
  EXPECT_TRUE(fs::is_empty(labs));
}

// Such as a daemon with a mount namespace of its own that was started meanwhile.
TEST_F(LabTest, CopiesOfTheMountsDoNotKeepNamespaces) {
  const auto lab = make("demo");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const pid_t pid = fork();
  if (pid == 0) {
    const char done = unshare(CLONE_NEWNS) == 0 ? 'y' : 'n';
    if (write(writer.get(), &done, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char done = 0;
  ASSERT_EQ(read(reader.get(), &done, 1), 1);
  ASSERT_EQ(done, 'y');
  const auto is_namespace = [&] { return mounts_below(lab.netns_of("h1"), std::to_string(pid)); };
  EXPECT_EQ(is_namespace(), 1);
  remove("demo");
  EXPECT_EQ(is_namespace(), 0);
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace berth::lab
