// The lock of an instance: the file `lock` in --root, which the kernel unlocks if its holder dies.
#pragma once

#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "berth/result.h"

namespace berth::engine {

class InstanceLock {
 public:
  InstanceLock() = default;
  InstanceLock(const InstanceLock&) = delete;
  InstanceLock& operator=(const InstanceLock&) = delete;

  /// Unlocks when it goes. Not to outlive the InstanceLock, nor to go in a child: it would unlock
  /// its parent's.
  class Held {
   public:
    Held() = default;
    Held(Held&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
    Held& operator=(Held&& other) noexcept {
      reset();
      lock_ = std::exchange(other.lock_, nullptr);
      return *this;
    }
    ~Held() { reset(); }
    void reset();
    explicit operator bool() const { return lock_ != nullptr; }

   private:
    friend class InstanceLock;
    explicit Held(InstanceLock& lock) : lock_(&lock) {}
    InstanceLock* lock_ = nullptr;
  };

  /// Waits for the lock of the instance in `root`, which is the same at every call. With LOCK_NB as
  /// `how` it is kInUse where another process has it; always where this object has. kNotFound if
  /// the instance was reset meanwhile, and the file is not the one that others lock any more.
  [[nodiscard]] Result<Held> take(const std::string& root, int how = 0);

 private:
  UniqueFd file_;  // kept open: to open it each time takes as long as all of a request's reads
  bool held_ = false;
};

}  // namespace berth::engine
