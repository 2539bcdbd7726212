#include "sandbox/root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth::sandbox {

UniqueFd open_in_root(const std::string& root, const char* path, int flags) {
  const UniqueFd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return {};
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT;
  return UniqueFd(
      static_cast<int>(::syscall(SYS_openat2, directory.get(), path, &how, sizeof how)));
}

}  // namespace berth::sandbox
