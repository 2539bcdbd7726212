// What a lab looks like: its names, addresses and files. Inside src/lab; pure but for the lock.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "lab/lab.h"

namespace berth::lab {

[[nodiscard]] Status check_name(std::string_view name);

/// The lab that `spec` asks for, before it is made.
[[nodiscard]] Result<Lab> layout(const LabSpec& spec);

/// The switch's name and those of the hosts.
[[nodiscard]] std::vector<std::string> places(const Lab& lab);

/// The content of lab.json, and the hosts that it names. kCorrupt if it is not such a document.
[[nodiscard]] std::string to_json(const Lab& lab);
[[nodiscard]] Result<std::vector<Host>> hosts_from_json(std::string_view text);

[[nodiscard]] std::string description_file(const Lab& lab);

/// Keeps other processes from making or removing labs in `directory` while the descriptor lives.
[[nodiscard]] Result<UniqueFd> lock(const std::string& directory);

/// down() without the lock and the checks, for what up() could not finish.
[[nodiscard]] std::vector<Error> dismantle(const Lab& lab);

}  // namespace berth::lab
