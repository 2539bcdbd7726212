// A sandbox's files: /etc/hosts, hostname and resolv.conf as its endpoints want them, and its log.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "berth/engine.h"
#include "engine/state/draft.h"

namespace berth::engine {

struct Instance;

[[nodiscard]] std::string directory_of(const Instance& instance, const Sandbox& sandbox);
/// Where its hosts, hostname and resolv.conf are: the owner's, if it shares that one's network.
[[nodiscard]] std::string names_directory_of(const Instance& instance, const Sandbox& sandbox);

/// Makes the directory with empty files. It is locked until the result goes, so that nothing takes
/// it for a stray one.
[[nodiscard]] Result<UniqueFd> make_files(const Instance& instance, const Sandbox& sandbox);
/// Writes /etc/hosts, hostname and resolv.conf of a sandbox as its endpoints now want them.
[[nodiscard]] Status write_files(const Instance& instance, State& state, const Sandbox& sandbox);
[[nodiscard]] Status write_hosts(const Instance& instance, State& state, const Sandbox& sandbox);

/// Notes in the draft that `endpoint` of `sandbox` comes or goes: the commit writes the files anew.
[[nodiscard]] Status note_move(Instance& instance, Draft& draft, const Sandbox& sandbox,
                               const Endpoint& endpoint);
/// Puts berth's lines in every hosts file right; returns the names of the sandboxes that needed it.
[[nodiscard]] Result<std::vector<std::string>> mend_hosts(const Instance& instance);

/// Mounts a process's own files again where it sees others in their places.
[[nodiscard]] std::vector<Repair> mend_views(const Instance& instance);

void remove_files(const Instance& instance, const Sandbox& sandbox);
/// Removes directories of sandboxes that have no record: what a killed `run` left, if it is older
/// than `youngest`.
void remove_stray_files(const Instance& instance, std::chrono::seconds youngest);

}  // namespace berth::engine
