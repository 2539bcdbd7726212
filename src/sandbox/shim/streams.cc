#include "sandbox/shim/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "sandbox/shim/launch.h"

namespace berth::shim {
namespace {

bool make_pipe(int& reader, int& writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  reader = ends[0];
  writer = ends[1];
  return true;
}

void close_end(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

// Only for ends that the shim alone holds: the flag belongs to the open file, not to the
// descriptor.
void never_block(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

}  // namespace

bool Streams::open(const Options& options, Failure& failure) {
  if (options.tty) {
    if (options.detach) return open_terminal(failure);
    adopt_terminal();
    return true;
  }
  if (options.detach && !open_pipes(failure)) return false;
  if (options.open_stdin && options.detach) {
    if (make_pipe(in_, stdin_writer_)) return true;
    failure = make_failure(Stage::kSetup, errno, "make a pipe for standard input");
    return false;
  }
  if (options.open_stdin) {
    if (isatty(0)) ttyname_r(0, terminal_, sizeof terminal_);
    return true;
  }
  in_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in_ >= 0) return true;
  failure = make_failure(Stage::kSetup, errno, "open /dev/null");
  return false;
}

bool Streams::open_pipes(Failure& failure) {
  if (make_pipe(out_reader_, out_) && make_pipe(err_reader_, err_)) {
    never_block(out_reader_);
    never_block(err_reader_);
    return true;
  }
  failure = make_failure(Stage::kSetup, errno, "make a pipe for the log");
  return false;
}

bool Streams::open_terminal(Failure& failure) {
  out_reader_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (out_reader_ >= 0 && unlockpt(out_reader_) == 0 &&
      ptsname_r(out_reader_, terminal_, sizeof terminal_) == 0) {
    in_ = ::open(terminal_, O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  if (in_ < 0) {
    failure = make_failure(Stage::kSetup, errno, "open a pseudo-terminal");
    return false;
  }
  never_block(out_reader_);
  out_ = err_ = in_;
  has_terminal_ = true;
  return true;
}

void Streams::adopt_terminal() {
  in_ = out_ = err_ = 0;
  ttyname_r(in_, terminal_, sizeof terminal_);
  has_terminal_ = true;
}

void Streams::use(const FailurePipe& failures) const {
  if (has_terminal_ && (setsid() < 0 || ioctl(in_, TIOCSCTTY, 0) != 0)) {
    failures.give_up("make %s the controlling terminal", terminal_);
  }
  use_as_stream(in_, 0, failures);
  use_as_stream(out_, 1, failures);
  use_as_stream(err_, 2, failures);
}

void Streams::close_childs_ends() {
  // The terminal's stays: without it the master would hang up whenever the process closes its own.
  if (has_terminal_) return;
  close_end(in_);
  close_end(out_);
  close_end(err_);
}

// False when there is nothing more to read now. A source at its end is closed.
bool Streams::pump_once(int& source, Stream stream, LogWriter& log) {
  if (source < 0) return false;
  char text[4096];
  const auto size = TEMP_FAILURE_RETRY(read(source, text, sizeof text));
  if (size > 0) {
    log.append(stream, text, size);
    return true;
  }
  if (size == 0 || errno != EAGAIN) close_end(source);
  return false;
}

void Streams::pump(int process, LogWriter& log) {
  bool ended = false;
  while (!ended) {
    pollfd events[] = {{process, POLLIN, 0}, {out_reader_, POLLIN, 0}, {err_reader_, POLLIN, 0}};
    if (TEMP_FAILURE_RETRY(poll(events, 3, -1)) < 0) break;
    ended = events[0].revents != 0;
    if (events[1].revents != 0) pump_once(out_reader_, Stream::kStdout, log);
    if (events[2].revents != 0) pump_once(err_reader_, Stream::kStderr, log);
  }
  while (pump_once(out_reader_, Stream::kStdout, log)) continue;
  while (pump_once(err_reader_, Stream::kStderr, log)) continue;
}

}  // namespace berth::shim
