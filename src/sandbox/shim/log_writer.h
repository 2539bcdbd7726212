// The log of a detached sandbox: what its process wrote, in the CRI log format.
//
// A record is one line: the time it was read (RFC 3339, nanoseconds, UTC), the stream, a tag and
// the text:
//   2016-10-06T00:17:09.669794202Z stdout F the whole line, or the end of one
//   2016-10-06T00:17:10.113242941Z stderr P the beginning of one
// from kubernetes, "CRI: Log management for container stdout/stderr streams"
// (contributors/design-proposals/node/kubelet-cri-logging.md). As conmon does, what a read returns
// is written at once, so a prompt without a newline is in the log when it is on the screen and a
// killed shim owes nothing; the price is that a line written in pieces has several P records.
//
// The file grows without a limit, as Docker's json-file does by default; rotate it with
// copytruncate (it is opened O_APPEND). A sandbox never blocks on its log: text that cannot be
// written (a full disk) is dropped, with the rest of its line. What is in the file is whole records
// all the same, and a line that has lost its end there is ended before the next one begins.
#pragma once

#include <cstddef>
#include <ctime>

namespace berth::shim {

enum class Stream : bool { kStdout, kStderr };

class LogWriter {
 public:
  explicit LogWriter(int fd) : fd_(fd) {}

  /// Records `size` bytes that were read from `stream` just now.
  void append(Stream stream, const char* text, std::size_t size);

 private:
  // What has become of a stream's latest line.
  struct Line {
    bool is_open = false;  // the file has its beginning
    bool is_cut = false;   // the file has its beginning, and will not have its end
    bool skips = false;    // its beginning was lost, so its end is dropped
  };

  void add_record(Line& line, const char* prefix, bool is_partial, const char* text,
                  std::size_t size);
  void put_record(const char* prefix, const char* tag, const char* text, std::size_t size);
  void put(const char* bytes, std::size_t size);
  void flush(Line& line);
  void settle(Line& line, bool was_written);

  int fd_;
  Line lines_[2];
  std::size_t used_ = 0;          // of buffer_: whole records of one stream
  bool last_is_partial_ = false;  // the last of them
  char buffer_[8192];
};

/// "2016-10-06T00:17:09.669794202Z", NUL-ended.
inline constexpr std::size_t kTimeTextBytes = 31;
void format_time(const timespec& time, char (&text)[kTimeTextBytes]);

}  // namespace berth::shim
