// Kernel settings against the real /proc/sys.
#include "kernel/sysctl/sysctl.h"

#include <sys/mount.h>

#include <cerrno>

#include "base/result.h"
#include "kernel_test_ns.h"

namespace berth::kernel {
namespace {

using testing::ifname;
using testing::must;
using testing::TestNs;

constexpr std::string_view kForward = "net.ipv4.ip_forward";

TEST(Sysctl, WritesInTheThreadsNamespaceOnly) {
  TestNs ns;
  must(write_sysctl(kForward, "0"));
  must(run_in(ns.netns, [] { return write_sysctl(kForward, "1"); }));
  EXPECT_EQ(must(run_in(ns.netns, [] { return read_sysctl(kForward); })), "1");
  EXPECT_EQ(must(read_sysctl(kForward)), "0");
}

TEST(Sysctl, InterfaceNamesMayHaveDots) {
  TestNs ns;
  must(ns.route.request(add_bridge({.name = ifname("br0.7")})));
  must(run_in(ns.netns, []() -> Status {
    EXPECT_EQ(must(read_sysctl("net/ipv4/conf/br0.7/route_localnet")), "0");
    must(write_sysctl("net/ipv4/conf/br0.7/route_localnet", "1"));
    EXPECT_EQ(must(read_sysctl("net/ipv4/conf/br0.7/route_localnet")), "1");
    return {};
  }));
}

TEST(Sysctl, ErrorsSayWhatIsWrong) {
  const auto missing = read_sysctl("net.ipv4.no_such_key");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(missing.error().message,
            "read sysctl net.ipv4.no_such_key: the running kernel has no such setting");

  const auto nonsense = write_sysctl(kForward, "maybe");
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(nonsense.error().message,
            "write 'maybe' to sysctl net.ipv4.ip_forward: the kernel does not allow this value");
}

// As in a container: /proc/sys is there, read-only.
TEST(Sysctl, SaysThatProcSysIsReadOnly) {
  const auto remount = [](unsigned long flags) {
    return mount("/proc/sys", "/proc/sys", nullptr, flags, nullptr) == 0;
  };
  if (!remount(MS_BIND) ||
      !remount(MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC))
    GTEST_SKIP() << "cannot mount /proc/sys read-only: " << std::strerror(errno);
  const auto refused = write_sysctl(kForward, "1");
  EXPECT_EQ(umount2("/proc/sys", MNT_DETACH), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kPermission);
  EXPECT_EQ(refused.error().message,
            "write '1' to sysctl net.ipv4.ip_forward: /proc/sys is mounted read-only here");
}

}  // namespace
}  // namespace berth::kernel
