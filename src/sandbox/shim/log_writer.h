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
// copytruncate (it is opened O_APPEND). When it cannot be written (a full disk) the text is
// dropped: a sandbox never blocks on its log.
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
  void put(const char* bytes, std::size_t size);
  void flush();

  int fd_;
  std::size_t used_ = 0;
  char buffer_[8192];
};

/// "2016-10-06T00:17:09.669794202Z", NUL-ended.
inline constexpr std::size_t kTimeTextBytes = 31;
void format_time(const timespec& time, char (&text)[kTimeTextBytes]);

}  // namespace berth::shim
