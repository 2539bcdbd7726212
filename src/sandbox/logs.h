// Reading a sandbox's log: what `berth logs` prints.
//
// The file is berth-shim's (sandbox/shim/log_writer.h describes its format, the CRI's). It may grow
// while it is read and may be large, so it is read in blocks; --tail searches backwards for where
// to begin. Records that cannot be read (another program wrote into the file) are passed over.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "berth/result.h"
#include "sandbox/process_id.h"

namespace berth::sandbox {

/// One line of the file; the views point into it.
struct LogRecord {
  std::string_view time;  ///< RFC 3339, UTC, nine decimals: compares as text
  bool is_stderr = false;
  bool is_partial = false;  ///< the line goes on in the stream's next record
  std::string_view text;
};

/// nullopt if `line` (without its newline) is no record.
[[nodiscard]] std::optional<LogRecord> parse_log_record(std::string_view line);

struct LogOptions {
  std::optional<std::size_t> tail;  ///< only so many lines from the end
  std::optional<std::chrono::system_clock::time_point> since;
  bool timestamps = false;  ///< the time of each line's first record before it
  bool stdout_too = true;
  bool stderr_too = true;
  /// Goes on until this process is gone; the sandbox's shim, which writes the log. nullopt: only
  /// what is there now.
  std::optional<ProcessId> follow;
};

/// Prints the log at `path`: lines of the sandbox's standard output to `out`, of its standard error
/// to `err`. A log that does not exist is kNotFound.
[[nodiscard]] Status print_log(const std::string& path, const LogOptions& options, int out,
                               int err);

}  // namespace berth::sandbox
