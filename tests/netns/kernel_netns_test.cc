// Network namespaces against the real kernel.
#include "kernel/netns/netns.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "base/result.h"
#include "kernel/netns/living.h"
#include "kernel_test_ns.h"

namespace berth::kernel {
namespace {

using testing::ifname;
using testing::must;
using testing::scratch_dir;
using testing::TestNs;

std::string mounts() {
  std::ifstream file("/proc/self/mountinfo");
  return {std::istreambuf_iterator<char>(file), {}};
}

class NetnsTest : public ::testing::Test {
 protected:
  ~NetnsTest() override { must(Netns::remove(path)); }
  std::string path = scratch_dir() + "/named";
};

TEST_F(NetnsTest, CreateKeepsANamespaceUntilItIsRemoved) {
  const auto here = must(Netns::current());
  ino_t inode = 0;
  {
    const auto made = must(Netns::create(path));
    inode = made.inode();
    EXPECT_NE(inode, here.inode());
  }
  EXPECT_EQ(must(Netns::open(path)).inode(), inode);
  EXPECT_NE(mounts().find(path), std::string::npos);
  EXPECT_EQ(must(Netns::current()).inode(), here.inode()) << "the caller stays where it is";

  must(Netns::remove(path));
  EXPECT_EQ(mounts().find(path), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path));
  must(Netns::remove(path));
}

TEST_F(NetnsTest, IsFoundWhileItIsThere) {
  const auto own = must(Socket::open(NETLINK_ROUTE));
  EXPECT_EQ(
      find_netns(must(Netns::current()).inode(), netns_cookie(own)).value_or("").find("/proc/"),
      0U);

  const auto made = must(Netns::create(path));
  const auto inode = made.inode();
  const auto cookie = netns_cookie(must(open_socket_in(made, NETLINK_ROUTE)));
  if (cookie == 0) GTEST_SKIP() << "a kernel before Linux 5.14";
  EXPECT_NE(cookie, netns_cookie(own));
  EXPECT_EQ(find_netns(inode, cookie), path);
  EXPECT_EQ(find_netns(inode, cookie + 1), std::nullopt) << "an inode that was used again";
  must(Netns::remove(path));
  EXPECT_EQ(find_netns(inode, cookie), std::nullopt);
}

TEST_F(NetnsTest, ANewNamespaceHasItsLoopbackDown) {
  const auto made = must(Netns::create(path));
  auto socket = must(open_socket_in(made, NETLINK_ROUTE));
  const auto lo = must(find_link(socket, ifname("lo")));
  ASSERT_TRUE(lo);
  EXPECT_FALSE(lo->up);
}

TEST_F(NetnsTest, CreateIsStrict) {
  (void)must(Netns::create(path));
  const auto twice = Netns::create(path);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, ErrorKind::kExists);
  (void)must(Netns::open(path));

  const auto nowhere = Netns::create(scratch_dir() + "/none/named");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, ErrorKind::kNotFound);
}

TEST_F(NetnsTest, AFailedCreateLeavesNothing) {
  testing::without_capabilities([&] {
    const auto refused = Netns::create(path);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kPermission);
    EXPECT_NE(refused.error().message.find("CAP_SYS_ADMIN"), std::string::npos)
        << refused.error().message;
  });
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(NetnsTest, RemoveTakesTheFileThatARestartLeft) {
  std::ofstream(path).close();
  must(Netns::remove(path));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(NetnsTest, RemoveLeavesOtherFilesAlone) {
  const auto letter = scratch_dir() + "/letter";
  std::ofstream(letter) << "dear reader";
  std::filesystem::create_symlink(letter, path);
  for (const auto& other : {letter, scratch_dir(), path}) {
    const auto refused = Netns::remove(other);
    ASSERT_FALSE(refused) << other;
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
    EXPECT_TRUE(std::filesystem::exists(other));
  }
  std::filesystem::remove(path);
  std::filesystem::remove(letter);
}

TEST(Netns, OpenSaysWhatIsWrong) {
  const auto missing = Netns::open("/run/netns/none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(missing.error().message,
            "open network namespace '/run/netns/none': No such file or directory");
  // A directory, a device, a FIFO that nobody writes to, and a namespace of another type.
  const auto fifo = scratch_dir() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path :
       {std::string("/"), std::string("/dev/null"), fifo, std::string("/proc/self/ns/mnt")}) {
    const auto other = Netns::open(path);
    ASSERT_FALSE(other) << path;
    EXPECT_EQ(other.error().kind, ErrorKind::kInvalid);
    EXPECT_TRUE(other.error().message.starts_with("'" + path + "' is not a network namespace"))
        << other.error().message;
  }
  std::filesystem::remove(fifo);
}

TEST(Netns, OpenPidOpensThatOfAProcess) {
  EXPECT_EQ(must(Netns::open_pid(getpid())).inode(), must(Netns::current()).inode());
  const auto none = Netns::open_pid(0x7fffffff);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(none.error().message, "no process has the id 2147483647, or it has ended");
}

TEST(Netns, RunInRunsInsideAndTheCallerStays) {
  TestNs ns;
  const auto here = must(Netns::current()).inode();
  const auto inside = must(run_in(ns.netns, [] { return Netns::current(); }));
  EXPECT_EQ(inside.inode(), ns.netns.inode());
  EXPECT_EQ(must(Netns::current()).inode(), here);
}

TEST(Netns, RunInReturnsWhatTheBodyReturns) {
  TestNs ns;
  EXPECT_EQ(must(run_in(ns.netns, []() -> Result<int> { return 42; })), 42);
  const auto failed =
      run_in(ns.netns, []() -> Result<int> { return fail(ErrorKind::kInUse, "no"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "no");
  EXPECT_TRUE(run_in(ns.netns, []() -> Status { return {}; }));
  EXPECT_FALSE(run_in(ns.netns, []() -> Status { return fail(ErrorKind::kInUse, "no"); }));
}

TEST(Netns, EnteringWithoutCapabilitiesNamesTheOneThatLacks) {
  TestNs ns;
  testing::without_capabilities([&] {
    bool ran = false;
    const auto refused = run_in(ns.netns, [&]() -> Status {
      ran = true;
      return {};
    });
    EXPECT_FALSE(ran);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kPermission);
    EXPECT_NE(refused.error().message.find("CAP_SYS_ADMIN"), std::string::npos)
        << refused.error().message;
  });
}

TEST(Netns, ASocketSpeaksForItsNamespaceFromAnyThread) {
  TestNs ns;
  must(ns.route.request(add_bridge({.name = ifname("inside0")})));
  auto here = must(Socket::open(NETLINK_ROUTE));
  EXPECT_FALSE(must(find_link(here, ifname("inside0"))));
  EXPECT_TRUE(must(find_link(ns.route, ifname("inside0"))));
}

TEST(Netns, WhoOpensASocketInsideStaysWhereItIs) {
  TestNs ns;
  const auto here = must(Netns::current()).inode();
  (void)must(open_socket_in(ns.netns, NETLINK_ROUTE));
  EXPECT_EQ(must(Netns::current()).inode(), here);
}

// In a user namespace that owns the inner namespace but not the one that the process is in.
TEST(Netns, ASocketInsideIsToBeHadWhereTheWayBackIsForbidden) {
  const auto here = must(Netns::current()).inode();
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWUSER) != 0) _exit(testing::kSkipped);
    std::optional<Netns> inside;
    std::thread([&] {
      if (unshare(CLONE_NEWNET) == 0) inside = must(Netns::current());
    }).join();
    if (!inside) _exit(testing::kSkipped);
    auto socket = open_socket_in(*inside, NETLINK_ROUTE);
    const bool is_inside = socket && socket->request(add_bridge({.name = ifname("inside0")}));
    _exit(is_inside && must(Netns::current()).inode() == here ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == testing::kSkipped) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Netns, CostOfASocketInside) {
  constexpr int kCount = 200;
  TestNs ns;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kCount; ++i) (void)must(open_socket_in(ns.netns, NETLINK_ROUTE));
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  fmt::print("  a socket in another namespace takes {:.1f} us\n", took.count() / kCount);
}

}  // namespace
}  // namespace berth::kernel
