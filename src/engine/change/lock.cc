#include "engine/change/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/result.h"

namespace berth::engine {

void InstanceLock::Held::reset() {
  auto* lock = std::exchange(lock_, nullptr);
  if (lock == nullptr) return;
  (void)flock(lock->file_.get(), LOCK_UN);
  lock->held_ = false;
}

Result<InstanceLock::Held> InstanceLock::take(const std::string& root, int how) {
  const auto path = root + "/lock";
  if (held_) return fail(ErrorKind::kInUse, "{} is locked by this very process", path);
  const bool is_new = !file_;
  if (is_new) file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_) return fail_sys(errno, "open {}", path);
  while (flock(file_.get(), LOCK_EX | how) != 0) {
    if (errno == EWOULDBLOCK) return fail(ErrorKind::kInUse, "{} is locked", path);
    if (errno != EINTR) return fail_sys(errno, "lock {}", path);
  }
  // Later on the store's file tells as well (take_lock in recovery.h).
  struct stat mine, there;
  const bool removed = ::fstat(file_.get(), &mine) != 0 || mine.st_nlink == 0;
  if (removed || (is_new && (::stat(path.c_str(), &there) != 0 || there.st_ino != mine.st_ino))) {
    file_.reset();
    return fail(ErrorKind::kNotFound, "the instance in {} was reset meanwhile: ask again", root);
  }
  held_ = true;
  return Held(*this);
}

}  // namespace berth::engine
