#include "base/result.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace berth {
namespace {

// The effective capabilities of this thread, or all of them if the kernel will not say.
std::uint64_t effective_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return ~std::uint64_t{0};
  return std::uint64_t{data[1].effective} << 32 | data[0].effective;
}

std::string missing_capabilities() {
  struct Needed {
    int number;
    const char* name;
  };
  constexpr Needed kNeeded[] = {{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};
  const auto have = effective_capabilities();
  std::string missing;
  for (const auto& capability : kNeeded) {
    if (have >> capability.number & 1) continue;
    if (!missing.empty()) missing += " and ";
    missing += capability.name;
  }
  return missing;
}

ErrorKind kind_of(int sys) {
  switch (sys) {
    case EPERM:
    case EACCES:
    case EROFS:
      return ErrorKind::kPermission;
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH:
    case EADDRNOTAVAIL:
      return ErrorKind::kNotFound;
    case EEXIST:
      return ErrorKind::kExists;
    case EBUSY:
    case EADDRINUSE:
      return ErrorKind::kInUse;
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
    case ENOSYS:
      return ErrorKind::kUnsupported;
    default:
      return ErrorKind::kKernel;
  }
}

}  // namespace

Error system_error(int sys, std::string operation, std::string_view kernel_sentence) {
  std::string message = std::move(operation);
  message += ": ";
  message += std::strerror(sys);
  if (!kernel_sentence.empty()) message += fmt::format(" (kernel: {})", kernel_sentence);
  if (sys == EPERM || sys == EACCES) {
    if (const auto missing = missing_capabilities(); !missing.empty())
      message += fmt::format("; this process lacks {}: run it as root", missing);
  }
  return Error{kind_of(sys), std::move(message), sys};
}

}  // namespace berth
