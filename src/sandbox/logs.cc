#include "sandbox/logs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/result.h"
#include "base/unique_fd.h"

namespace berth::sandbox {
namespace {

constexpr std::size_t kBlock = 64 * 1024;  // bytes per read
constexpr std::chrono::milliseconds kFollowInterval{100};

std::string time_text(std::chrono::system_clock::time_point time) {
  const auto nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(nanoseconds);
  const std::time_t count = seconds.count();
  std::tm utc{};
  gmtime_r(&count, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     (nanoseconds - seconds).count());
}

// The next word of `rest` up to a space, which is taken as well; nullopt without a space.
std::optional<std::string_view> take_word(std::string_view& rest) {
  const auto space = rest.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto word = rest.substr(0, space);
  rest.remove_prefix(space + 1);
  return word;
}

// Up to kBlock bytes of the file from `offset` on; empty at its end.
Result<std::string> read_block(int fd, off_t offset, std::size_t size = kBlock) {
  std::string block(size, '\0');
  const auto got = TEMP_FAILURE_RETRY(pread(fd, block.data(), size, offset));
  if (got < 0) return fail_sys(errno, "read the log");
  block.resize(static_cast<std::size_t>(got));
  return block;
}

// The offset at which the last `lines` lines begin. Counts records that end a line, and a last
// record that does not.
Result<off_t> tail_offset(int fd, std::size_t lines) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return fail_sys(errno, "look at the log");
  off_t begin = status.st_size;  // of `text`
  if (lines == 0) return begin;
  std::string text;
  std::size_t found = 0;
  bool is_last = true;
  while (begin > 0) {
    const auto size = static_cast<std::size_t>(std::min<off_t>(begin, kBlock));
    begin -= static_cast<off_t>(size);
    text = TRY(read_block(fd, begin, size)) + text;
    // Whole records only: what comes before the first newline belongs to the block before.
    while (true) {
      const auto end = text.rfind('\n');
      if (end == std::string::npos || end == 0) break;
      const auto previous = text.rfind('\n', end - 1);
      if (previous == std::string::npos && begin > 0) break;
      const auto start = previous == std::string::npos ? 0 : previous + 1;
      const auto record = parse_log_record(std::string_view(text).substr(start, end - start));
      if (record && (!record->is_partial || is_last) && ++found > lines) {
        return begin + static_cast<off_t>(end) + 1;
      }
      if (record) is_last = false;
      text.resize(start);
    }
  }
  return 0;
}

class Printer {
 public:
  Printer(const LogOptions& options, int out, int err)
      : options_(options), since_(options.since ? time_text(*options.since) : ""), fds_{out, err} {}

  // Prints the whole records of `text`; returns how many bytes they are.
  Result<std::size_t> print(std::string_view text) {
    std::size_t done = 0;
    while (true) {
      const auto end = text.find('\n', done);
      if (end == std::string_view::npos) break;
      if (const auto record = parse_log_record(text.substr(done, end - done))) {
        if (is_wanted(*record)) TRY(add(*record));
      }
      done = end + 1;
    }
    TRY(flush());
    return done;
  }

 private:
  bool is_wanted(const LogRecord& record) const {
    if (record.time < since_) return false;
    return record.is_stderr ? options_.stderr_too : options_.stdout_too;
  }

  Status add(const LogRecord& record) {
    const int stream = record.is_stderr ? 1 : 0;
    if (fds_[stream] != pending_fd_) TRY(flush());
    pending_fd_ = fds_[stream];
    if (options_.timestamps && !in_line_[stream]) {
      pending_ += record.time;
      pending_ += ' ';
    }
    pending_ += record.text;
    if (!record.is_partial) pending_ += '\n';
    in_line_[stream] = record.is_partial;
    return {};
  }

  Status flush() {
    std::string_view rest = pending_;
    while (!rest.empty()) {
      const auto written = TEMP_FAILURE_RETRY(write(pending_fd_, rest.data(), rest.size()));
      if (written < 0) return fail_sys(errno, "print the log");
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    pending_.clear();
    return {};
  }

  const LogOptions& options_;
  const std::string since_;
  const std::array<int, 2> fds_;   // by stream: standard output, standard error
  std::array<bool, 2> in_line_{};  // the stream's last record was a partial one
  std::string pending_;            // text for pending_fd_
  int pending_fd_ = -1;
};

}  // namespace

std::optional<LogRecord> parse_log_record(std::string_view line) {
  const auto time = take_word(line);
  const auto stream = take_word(line);
  const auto tag = take_word(line);
  if (!time || !stream || !tag || time->size() < 20 || !time->ends_with('Z')) return std::nullopt;
  if (*stream != "stdout" && *stream != "stderr") return std::nullopt;
  // Tags are a list with ':' between; only the first is defined.
  const auto first = tag->substr(0, tag->find(':'));
  if (first != "F" && first != "P") return std::nullopt;
  return LogRecord{*time, *stream == "stderr", first == "P", line};
}

Status print_log(const std::string& path, const LogOptions& options, int out, int err) {
  const UniqueFd log(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!log) return fail_sys(errno, "open the log {}", path);
  UniqueFd writer;
  if (options.follow) {
    if (auto process = open_process(*options.follow)) writer = std::move(*process);
  }
  off_t offset = options.tail ? TRY(tail_offset(log.get(), *options.tail)) : 0;
  Printer printer(options, out, err);
  std::string text;  // of the file before `offset`, not printed yet: less than a record
  while (true) {
    // Asked before reading: what a writer wrote before it went is read after.
    pollfd event{writer.get(), POLLIN, 0};
    const bool may_grow = writer.valid() && poll(&event, 1, 0) == 0;
    while (true) {
      const auto block = TRY(read_block(log.get(), offset));
      if (block.empty()) break;
      offset += static_cast<off_t>(block.size());
      text += block;
      text.erase(0, TRY(printer.print(text)));
    }
    if (!may_grow) return {};
    poll(&event, 1, static_cast<int>(kFollowInterval.count()));
  }
}

}  // namespace berth::sandbox
