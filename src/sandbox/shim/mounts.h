// The file systems that a sandbox's process sees, made inside its new mount namespace.
//
// Nothing here changes a file of the host: everything is a mount that only this mount namespace
// has, and dies with it. First every inherited mount becomes a slave (mount_namespaces(7)), so that
// the host's later unmounts still reach the sandbox and it pins nothing, and no mount goes the
// other way.
//
// Without a root file system the sandbox sees the host's, with its own /etc (etc.h), /proc (new PID
// namespace), /sys (sysfs shows the devices of the network namespace it was mounted in;
// /sys/fs/cgroup is put back), /dev/shm and /dev/mqueue (new IPC namespace). The host's /dev/pts
// stays.
//
// With one, pivot_root(2) makes it the root, and /dev is a tmpfs with the usual few devices bound
// from the host (the list is the OCI runtime spec's, config-linux.md "Default Devices"). Mount
// points that are missing in it are made as empty files or directories, as runc does. Every path in
// it is resolved after the pivot, so that its symbolic links cannot lead outside.
//
// What this is no wall against is in docs/security.md.
//
// In an unprivileged user namespace the kernel may refuse proc and sysfs (fs/namespace.c,
// mount_too_revealing: the outer one must be mounted there with nothing over it); the failure says
// so.
//
// Part of berth-shim: plain libc (see apps/berth_shim.cc). Failures end the process through
// FailurePipe.
#pragma once

#include <cstddef>

#include "sandbox/shim/failure.h"

namespace berth::shim {

inline constexpr std::size_t kMaxBinds = 64;

/// A file or directory of the host to be seen in the sandbox.
struct Bind {
  const char* source;
  const char* target;
  bool read_only;
};

struct MountSettings {
  const char* rootfs = nullptr;         ///< a directory to make the root; null: the host's files
  const char* hosts_file = nullptr;     ///< bound on /etc/hosts; null: none
  const char* hostname_file = nullptr;  ///< on /etc/hostname
  const char* resolv_file = nullptr;    ///< on /etc/resolv.conf
  const char* terminal = nullptr;  ///< host's path of the terminal, for /dev/console in a rootfs
  const Bind* binds = nullptr;
  std::size_t bind_count = 0;
  bool read_only = false;   ///< the root file system, without what is mounted for the sandbox
  bool no_devices = false;  ///< device nodes in `rootfs` and in `binds` cannot be opened
};

/// Makes all of it. Runs in the new mount namespace, before the command.
void make_mounts(const MountSettings& settings, const FailurePipe& failures);

/// Makes the kernel's files read-only that are one for all namespaces (/proc/sys and others, /sys),
/// and covers those that tell of the whole machine. The lists are Docker's (moby daemon/pkg/oci
/// defaults.go). Runs when nothing is to be set there any more.
void protect_kernel(const FailurePipe& failures);

/// Only a matching /sys, for a process that has joined another network namespace and has made
/// itself a private mount namespace (what `ip netns exec` does).
void make_network_view(const FailurePipe& failures);

}  // namespace berth::shim
