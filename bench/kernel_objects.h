// What the kernel has, counted by what it looks like: with it a benchmark makes sure that two ways
// of doing something leave the same objects, before it says how long each takes.
#pragma once

#include <map>
#include <string>

namespace berth::bench {

/// How many objects look alike, by what they look like. Names, numbers and addresses that differ
/// from one sandbox to the next are not part of it.
using KernelObjects = std::map<std::string, int>;

/// The links of the namespace of the calling thread with their settings, its addresses, routes and
/// the elements of berth's table. Link-local IPv6 addresses are the kernel's own and are left out.
[[nodiscard]] KernelObjects host_objects();
/// The same of the namespace that `path` opens; it has no table.
[[nodiscard]] KernelObjects objects_in(const std::string& path);

/// What of `after` was not there in `before`.
[[nodiscard]] KernelObjects added(const KernelObjects& before, const KernelObjects& after);

/// A line for each.
[[nodiscard]] std::string text(const KernelObjects& objects);

}  // namespace berth::bench
