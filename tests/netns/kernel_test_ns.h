// What the tests of the kernel layer share: namespaces to work in, and shorter ways to say so.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "kernel/netlink/link.h"
#include "kernel/netns/netns.h"
#include "private_ns.h"

namespace berth::testing {

/// The value of a Result that must not have failed.
template <typename T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    std::abort();  // nothing sensible can follow
  }
  return *std::move(result);
}
inline void must(const Status& status) {
  EXPECT_TRUE(status) << status.error().message;
}

inline IfName ifname(std::string_view text) {
  return must(IfName::parse(text));
}
inline Ip ip(std::string_view text) {
  return must(Ip::parse(text));
}
inline Cidr cidr(std::string_view text) {
  return must(Cidr::parse(text));
}

/// A network namespace of its own with a socket into it; removed with everything in it.
class TestNs {
 public:
  TestNs() : netns(must(kernel::Netns::create(path_))) {}
  TestNs(const TestNs&) = delete;
  TestNs& operator=(const TestNs&) = delete;
  ~TestNs() { must(kernel::Netns::remove(path_)); }

  [[nodiscard]] kernel::LinkInfo link(std::string_view name) {
    const auto found = must(kernel::find_link(route, ifname(name)));
    EXPECT_TRUE(found) << name;
    return found.value_or(kernel::LinkInfo{});
  }

 private:
  static std::string next_path() {
    static int count = 0;
    return fmt::format("{}/ns{}", scratch_dir(), count++);
  }
  std::string path_ = next_path();

 public:
  kernel::Netns netns;
  kernel::Socket route = must(kernel::open_socket_in(netns, NETLINK_ROUTE));
};

/// Runs `body` on a thread without any capability; the other threads keep theirs.
template <typename Body>
void without_capabilities(Body&& body) {
  std::thread([&] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    ASSERT_EQ(syscall(SYS_capset, &header, none), 0);
    body();
  }).join();
}

}  // namespace berth::testing
