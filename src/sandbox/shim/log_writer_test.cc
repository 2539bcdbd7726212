#include "sandbox/shim/log_writer.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "sandbox/logs.h"

namespace berth::shim {
namespace {

std::string time_of(std::time_t seconds, long nanoseconds) {
  char text[kTimeTextBytes];
  format_time({seconds, nanoseconds}, text);
  return text;
}

TEST(LogWriter, TimesAreUtcWithNineDecimals) {
  EXPECT_EQ(time_of(0, 0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(time_of(1475713029, 669794202), "2016-10-06T00:17:09.669794202Z");
  EXPECT_EQ(time_of(951782400, 1), "2000-02-29T00:00:00.000000001Z");
  EXPECT_EQ(time_of(4107542399, 999999999), "2100-02-28T23:59:59.999999999Z");
  EXPECT_EQ(time_of(4107542400, 0), "2100-03-01T00:00:00.000000000Z");
}

// The logged text, times cut off.
std::string logged(std::string_view text, Stream stream) {
  const int fd = memfd_create("log", MFD_CLOEXEC);
  LogWriter(fd).append(stream, text.data(), text.size());
  std::string file(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(fd, file.data(), file.size(), 0), static_cast<ssize_t>(file.size()));
  close(fd);
  std::string result;
  for (std::size_t begin = 0; begin < file.size();) {
    const auto end = file.find('\n', begin);
    EXPECT_TRUE(sandbox::parse_log_record(std::string_view(file).substr(begin, end - begin)));
    result += file.substr(begin + kTimeTextBytes, end + 1 - begin - kTimeTextBytes);
    begin = end + 1;
  }
  return result;
}

TEST(LogWriter, OneRecordForEachLineAndForTheRest) {
  EXPECT_EQ(logged("one\n\nthr", Stream::kStdout), "stdout F one\nstdout F \nstdout P thr\n");
  EXPECT_EQ(logged("x\n", Stream::kStderr), "stderr F x\n");
}

TEST(LogWriter, RecordsLargerThanItsBufferAreWhole) {
  const std::string line(20'000, 'x');
  EXPECT_EQ(logged(line + "\n", Stream::kStdout), "stdout F " + line + "\n");
  const auto many = logged(std::string(4000, '\n'), Stream::kStdout);
  EXPECT_EQ(std::ranges::count(many, '\n'), 4000);
}

}  // namespace
}  // namespace berth::shim
