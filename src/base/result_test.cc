#include "base/result.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <thread>

namespace berth {
namespace {

using Owned = std::unique_ptr<int>;

Result<Owned> make(int value) {
  if (value < 0) return fail(ErrorKind::kInvalid, "{} is negative", value);
  return std::make_unique<int>(value);
}

Result<int> sum(int a, int b) {
  Owned first = TRY(make(a));
  const Owned second = TRY(make(b));
  return *first + *second;
}

Status check(int value) {
  TRY(make(value));
  return {};
}

Result<int> check_twice(int a, int b) {
  TRY(check(a));
  TRY(check(b));
  return 2;
}

TEST(Try, MovesTheValueOut) {
  EXPECT_EQ(sum(1, 2), 3);
}

TEST(Try, ReturnsTheErrorToResultsOfOtherTypes) {
  EXPECT_EQ(sum(1, -2).error().message, "-2 is negative");
  EXPECT_EQ(sum(-1, -2).error().message, "-1 is negative");
  EXPECT_EQ(check_twice(1, -3).error().message, "-3 is negative");
}

TEST(Try, GoesOnAfterAStatusWithoutError) {
  EXPECT_EQ(check_twice(0, 1), 2);
}

TEST(Try, LeavesAResultThatIsStillOwnedElsewhereAlone) {
  const auto outer = []() -> Result<std::string> {
    const Result<std::string> kept = std::string("kept");
    const std::string copy = TRY(kept);
    return copy + *kept;
  };
  EXPECT_EQ(outer(), "keptkept");
}

TEST(Try, EvaluatesItsExpressionOnce) {
  int calls = 0;
  const auto outer = [&]() -> Result<int> {
    return TRY([&]() -> Result<int> { return ++calls; }());
  };
  EXPECT_EQ(outer(), 1);
  EXPECT_EQ(calls, 1);
}

TEST(Fail, HasAKindASentenceAndNoErrno) {
  const auto error = fail(ErrorKind::kExists, "network '{}' exists", "front").error();
  EXPECT_EQ(error.kind, ErrorKind::kExists);
  EXPECT_EQ(error.message, "network 'front' exists");
  EXPECT_EQ(error.sys, 0);
}

TEST(InContext, PutsTheContextBeforeTheSentence) {
  const auto error = in_context(system_error(ENOENT, "open x"), "network '{}'", "front");
  EXPECT_EQ(error.message, "network 'front': open x: No such file or directory");
  EXPECT_EQ(error.kind, ErrorKind::kNotFound);
  EXPECT_EQ(error.sys, ENOENT);
}

TEST(SystemError, KindFollowsErrno) {
  const std::pair<int, ErrorKind> kExpected[] = {
      {EPERM, ErrorKind::kPermission},
      {EACCES, ErrorKind::kPermission},
      {EROFS, ErrorKind::kPermission},
      {ENOENT, ErrorKind::kNotFound},
      {ENODEV, ErrorKind::kNotFound},
      {ESRCH, ErrorKind::kNotFound},
      {EADDRNOTAVAIL, ErrorKind::kNotFound},
      {EEXIST, ErrorKind::kExists},
      {EBUSY, ErrorKind::kInUse},
      {EADDRINUSE, ErrorKind::kInUse},
      {EOPNOTSUPP, ErrorKind::kUnsupported},
      {EAFNOSUPPORT, ErrorKind::kUnsupported},
      {ENOSYS, ErrorKind::kUnsupported},
      {EINVAL, ErrorKind::kKernel},
      {ENOBUFS, ErrorKind::kKernel},
  };
  for (const auto& [sys, kind] : kExpected) {
    EXPECT_EQ(system_error(sys, "x").kind, kind) << sys;
    EXPECT_EQ(system_error(sys, "x").sys, sys);
  }
}

TEST(SystemError, HasTheOperationAndTheKernelsWords) {
  EXPECT_EQ(fail_sys(EBUSY, "RTM_DELLINK {}", "br0").error().message,
            "RTM_DELLINK br0: Device or resource busy");
  EXPECT_EQ(system_error(EINVAL, "RTM_NEWLINK br0", "Invalid MTU").message,
            "RTM_NEWLINK br0: Invalid argument (kernel: Invalid MTU)");
}

// Capabilities belong to a thread, so one of its own can give them up.
TEST(SystemError, APermissionErrorNamesTheMissingCapabilities) {
  std::string without;
  std::thread([&] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    if (syscall(SYS_capset, &header, none) == 0) without = system_error(EPERM, "x").message;
  }).join();
  EXPECT_EQ(
      without,
      "x: Operation not permitted; this process lacks CAP_NET_ADMIN and CAP_SYS_ADMIN: run it "
      "as root");
  std::thread([&] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    if (syscall(SYS_capset, &header, none) == 0) without = system_error(EBUSY, "x").message;
  }).join();
  EXPECT_EQ(without, "x: Device or resource busy");
}

}  // namespace
}  // namespace berth
