// The single steps that a sandbox's mounts are made of. Part of berth-shim: plain libc. Failures
// end the process through FailurePipe.
#pragma once

#include <sys/mount.h>

#include <cstdint>

#include "sandbox/shim/failure.h"

namespace berth::shim {

inline constexpr unsigned long kNoPrivileges = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/// Whether something of the host that is not there is an error.
enum class Missing : bool { kFails, kIsFine };

/// Says why `type` could not be mounted on `target` (errno).
[[noreturn]] void give_up_mount(const char* type, const char* target, const FailurePipe& failures);

/// Mounts a new file system of `type`.
void mount_new(const char* type, const char* target, unsigned long flags, const char* options,
               const FailurePipe& failures);

/// A detached copy of the mount at `path`, to be put somewhere by attach(). -1 if there is nothing
/// at `path` and that is fine.
[[nodiscard]] int copy_mount(int directory, const char* path, unsigned flags, Missing missing,
                             const FailurePipe& failures);

/// Mounts a detached copy; false and errno if it cannot.
[[nodiscard]] bool attach(int tree, const char* target, unsigned symlinks = MOVE_MOUNT_T_SYMLINKS);

/// Gives the mount at `path` below `directory` (a descriptor, or AT_FDCWD) attributes of
/// mount_setattr(2), like MOUNT_ATTR_RDONLY. `flags`: AT_RECURSIVE and AT_EMPTY_PATH.
void set_attributes(int directory, const char* path, unsigned flags, std::uint64_t attributes,
                    const FailurePipe& failures);

/// Both leave alone what is there already.
void make_directory(const char* path, const FailurePipe& failures);
void make_file(const char* path, const FailurePipe& failures);

[[nodiscard]] bool is_directory(const char* path);
[[nodiscard]] bool is_symlink(const char* path);

}  // namespace berth::shim
