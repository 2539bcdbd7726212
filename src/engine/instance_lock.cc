#include "engine/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/result.h"

namespace berth::engine {

Result<UniqueFd> lock_instance(const std::string& root, int how) {
  const auto path = root + "/lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_sys(errno, "open {}", path);
  while (flock(fd.get(), LOCK_EX | how) != 0) {
    if (errno == EWOULDBLOCK) return fail(ErrorKind::kInUse, "{} is locked", path);
    if (errno != EINTR) return fail_sys(errno, "lock {}", path);
  }
  struct stat held, there;
  if (::fstat(fd.get(), &held) != 0 || ::stat(path.c_str(), &there) != 0 ||
      held.st_ino != there.st_ino)
    return fail(ErrorKind::kNotFound, "the instance in {} was reset meanwhile: ask again", root);
  return fd;
}

}  // namespace berth::engine
