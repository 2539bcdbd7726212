#include "sandbox/shim/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
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

// The file's text, times cut off; each line of it is a record.
std::string records_of(int fd) {
  std::string file(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(fd, file.data(), file.size(), 0), static_cast<ssize_t>(file.size()));
  std::string result;
  for (std::size_t begin = 0; begin < file.size();) {
    const auto end = file.find('\n', begin);
    EXPECT_TRUE(sandbox::parse_log_record(std::string_view(file).substr(begin, end - begin)));
    result += file.substr(begin + kTimeTextBytes, end + 1 - begin - kTimeTextBytes);
    begin = end + 1;
  }
  return result;
}

int open_log() {
  const int fd = memfd_create("log", MFD_CLOEXEC);
  EXPECT_EQ(fcntl(fd, F_SETFL, O_APPEND), 0);  // as berth-shim opens it
  return fd;
}

std::string logged(std::string_view text, Stream stream) {
  const int fd = open_log();
  LogWriter(fd).append(stream, text.data(), text.size());
  auto records = records_of(fd);
  close(fd);
  return records;
}

// A log on a disk that is full from a size on: RLIMIT_FSIZE stands for that.
class FullDisk : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before_), 0);
    std::signal(SIGXFSZ, SIG_IGN);
  }
  void TearDown() override {
    has_room();
    std::signal(SIGXFSZ, SIG_DFL);
    close(fd_);
  }
  // Full when `bytes` more are written.
  void is_full_after(std::size_t bytes) {
    auto limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(lseek(fd_, 0, SEEK_END)) + bytes;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  void has_room() { ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before_), 0); }
  void write(std::string_view text, Stream stream = Stream::kStdout) {
    log_.append(stream, text.data(), text.size());
  }

  int fd_ = open_log();
  LogWriter log_{fd_};

 private:
  rlimit before_{};
};

TEST_F(FullDisk, ARecordIsInTheFileAsAWholeOrNotAtAll) {
  write("one\n");
  for (const std::size_t room : {0, 1, 20, 40}) {
    is_full_after(room);
    write("lost\n");
  }
  has_room();
  write("two\n");
  EXPECT_EQ(records_of(fd_), "stdout F one\nstdout F two\n");
}

TEST_F(FullDisk, ALineThatHasLostItsEndIsEnded) {
  write("beginning");
  write("other", Stream::kStderr);
  is_full_after(10);
  write("end, lost\n");
  write("lost\n");
  has_room();
  write("next\n");
  write(" stream\n", Stream::kStderr);
  EXPECT_EQ(records_of(fd_),
            "stdout P beginning\nstderr P other\nstdout F \nstdout F next\nstderr F  stream\n");
}

TEST_F(FullDisk, ALineThatHasLostItsBeginningIsDropped) {
  is_full_after(10);
  write("a line, and the beginning of another");
  has_room();
  write(" of which no more");
  write(" is wanted\nnext\n");
  EXPECT_EQ(records_of(fd_), "stdout F next\n");
}

TEST_F(FullDisk, LargeRecordsAndManyAreWholeToo) {
  write("beginning");
  const std::string large(20'000, 'x');
  for (const std::size_t room : {100, 10'000, 20'040}) {
    is_full_after(room);
    write(large + "\n");
    write(std::string(4'000, '\n'));
  }
  has_room();
  write(large + "\n");
  const auto records = records_of(fd_);
  EXPECT_TRUE(records.starts_with("stdout P beginning\nstdout F \n"));
  EXPECT_TRUE(records.ends_with("stdout F " + large + "\n"));
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
