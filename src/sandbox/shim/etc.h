// The /etc of a sandbox: the host's, or its root file system's, with its own hosts, hostname and
// resolv.conf.
//
// Theory of operation: a bind mount on a file of a directory that others write to is not safe.
// Whoever replaces the file there by rename(2), as editors and resolvers do, has the kernel take
// down what is mounted on it, in every mount namespace (fs/namespace.c, __detach_mounts). So over
// the host's file system /etc is a tmpfs of the sandbox's own, and the files are mounted on files
// of that. It shows the entries that the host's /etc had when the sandbox was made:
//
//   directories      bind mounts of the host's
//   symbolic links   the same links
//   all others       links to .berth/NAME; .berth is a mount of the host's /etc, so that what the
//                    host replaces later is seen
//
// The tmpfs is read-only: an entry that is made, replaced or removed there would be lost with the
// sandbox. What is in the host's files and directories can be changed as before.
//
// A root file system of its own keeps its /etc, with the files mounted on those in it: its entries
// must stay when the sandbox has ended. Who replaces them from outside takes the mounts down;
// restore_file() puts one back.
//
// Part of berth-shim: plain libc. Failures end the process through FailurePipe.
#pragma once

#include "sandbox/shim/failure.h"

namespace berth::shim {

/// A file to be seen at `target`; `tree` is a detached mount of it (copy_mount()), -1: none.
struct OwnFile {
  const char* source;  ///< null: none
  const char* target;  ///< directly in /etc
  int tree;
};

/// Covers the host's /etc. A host without that directory keeps it so.
void make_own_etc(const OwnFile (&files)[3], const FailurePipe& failures);

/// Mounts the files in the root file system's own /etc.
void cover_files(const OwnFile (&files)[3], const FailurePipe& failures);

/// Mounts one of them again, in the mount namespace that this process has joined.
void restore_file(int tree, const char* target, const FailurePipe& failures);

}  // namespace berth::shim
