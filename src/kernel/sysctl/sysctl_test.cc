#include "kernel/sysctl/sysctl.h"

#include <gtest/gtest.h>

namespace berth::kernel {
namespace {

TEST(SysctlPath, TheFirstSeparatorDecides) {
  EXPECT_EQ(sysctl_path("net.ipv4.ip_forward"), "/proc/sys/net/ipv4/ip_forward");
  EXPECT_EQ(sysctl_path("net/ipv4/conf/eth0.100/rp_filter"),
            "/proc/sys/net/ipv4/conf/eth0.100/rp_filter");
  EXPECT_EQ(sysctl_path("net.ipv4.conf.eth0/100.rp_filter"),
            "/proc/sys/net/ipv4/conf/eth0.100/rp_filter");
}

TEST(SysctlPath, StaysBelowProcSys) {
  for (const std::string_view key :
       {"", "/", "/net/ipv4", "net/../kernel", "net/ipv4/", "net..ipv4", "..", "net/./ipv4"}) {
    const auto path = sysctl_path(key);
    ASSERT_FALSE(path) << key;
    EXPECT_EQ(path.error().kind, ErrorKind::kInvalid);
  }
}

}  // namespace
}  // namespace berth::kernel
