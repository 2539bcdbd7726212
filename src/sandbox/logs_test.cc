#include "sandbox/logs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace berth::sandbox {
namespace {

std::string content(const std::string& path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class Logs : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    out_ = open_file("/out");
    err_ = open_file("/err");
  }
  void TearDown() override {
    close(out_);
    close(err_);
    for (const auto* name : {"/out", "/err", "/log"}) unlink((directory_ + name).c_str());
    rmdir(directory_.c_str());
  }
  std::string path() const { return directory_ + "/log"; }
  void append(std::string_view text) { std::ofstream(path(), std::ios::app) << text; }

  // What print_log writes to standard output.
  std::string printed(const LogOptions& options) {
    EXPECT_EQ(ftruncate(out_, 0), 0);
    EXPECT_EQ(ftruncate(err_, 0), 0);
    const auto status = print_log(path(), options, out_, err_);
    EXPECT_TRUE(status) << status.error().message;
    return content(directory_ + "/out");
  }
  std::string printed_to_stderr() const { return content(directory_ + "/err"); }

 private:
  int open_file(const char* name) {
    return open((directory_ + name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  std::string directory_ = testing::TempDir() + "berth-logs-XXXXXX";
  int out_ = -1;
  int err_ = -1;
};

constexpr auto kLog =
    "2026-01-02T03:04:05.000000001Z stdout F one\n"
    "2026-01-02T03:04:06.000000001Z stdout P tw\n"
    "2026-01-02T03:04:06.500000001Z stderr F oops\n"
    "2026-01-02T03:04:07.000000001Z stdout F o\n"
    "not a record\n"
    "2026-01-02T03:04:08.000000001Z stdout F \n"
    "2026-01-02T03:04:09.000000001Z stdout P > ";

TEST_F(Logs, ReadsARecordsParts) {
  const auto record = parse_log_record("2016-10-06T00:17:09.669794202Z stderr P:x the log  text");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->time, "2016-10-06T00:17:09.669794202Z");
  EXPECT_TRUE(record->is_stderr);
  EXPECT_TRUE(record->is_partial);
  EXPECT_EQ(record->text, "the log  text");
  for (const auto* line : {"", "x", "2016-10-06T00:17:09.669794202Z stdin F x", "now stdout F x",
                           "2016-10-06T00:17:09.669794202Z stdout Q x"}) {
    EXPECT_FALSE(parse_log_record(line)) << line;
  }
}

TEST_F(Logs, JoinsPartialLinesOfEachStream) {
  append(kLog);
  EXPECT_EQ(printed({}), "one\ntwo\n\n");  // the last record is not whole yet
  EXPECT_EQ(printed_to_stderr(), "oops\n");
  append("\n");
  EXPECT_EQ(printed({}), "one\ntwo\n\n> ");
}

TEST_F(Logs, OneStreamOnly) {
  append(kLog);
  EXPECT_EQ(printed({.stdout_too = false}), "");
  EXPECT_EQ(printed_to_stderr(), "oops\n");
  EXPECT_NE(printed({.stderr_too = false}), "");
  EXPECT_EQ(printed_to_stderr(), "");
}

TEST_F(Logs, TimestampsStandBeforeLinesNotPieces) {
  append(kLog);
  EXPECT_EQ(printed({.timestamps = true}),
            "2026-01-02T03:04:05.000000001Z one\n"
            "2026-01-02T03:04:06.000000001Z two\n"
            "2026-01-02T03:04:08.000000001Z \n");
}

TEST_F(Logs, SinceLeavesOlderRecordsOut) {
  append(kLog);
  const auto second = std::chrono::sys_days(std::chrono::January / 2 / 2026) +
                      std::chrono::hours(3) + std::chrono::minutes(4) + std::chrono::seconds(7);
  EXPECT_EQ(printed({.since = second}), "o\n\n");
}

TEST_F(Logs, TailCountsLinesFromTheEnd) {
  append(kLog);
  append("\n");
  EXPECT_EQ(printed({.tail = 0}), "");
  EXPECT_EQ(printed({.tail = 1}), "> ");
  EXPECT_EQ(printed({.tail = 2}), "\n> ");
  EXPECT_EQ(printed({.tail = 100}), "one\ntwo\n\n> ");
}

TEST_F(Logs, TailOfALogLargerThanABlock) {
  for (int i = 0; i < 5000; ++i) {
    append("2026-01-02T03:04:05.000000001Z stdout F line " + std::to_string(i) + "\n");
  }
  const auto text = printed({.tail = 3000});
  EXPECT_EQ(std::ranges::count(text, '\n'), 3000);
  EXPECT_TRUE(text.starts_with("line 2000\n")) << text.substr(0, 20);
  EXPECT_TRUE(text.ends_with("line 4999\n"));
}

TEST_F(Logs, FollowsUntilTheWriterIsGone) {
  append("2026-01-02T03:04:05.000000001Z stdout F first\n");
  const pid_t writer = fork();
  if (writer == 0) {
    usleep(150'000);  // longer than one look at the file
    append("2026-01-02T03:04:06.000000001Z stdout F second\n");
    _exit(0);
  }
  const auto process = identify(writer);
  ASSERT_TRUE(process);
  EXPECT_EQ(printed({.follow = *process}), "first\nsecond\n");
  waitpid(writer, nullptr, 0);
}

TEST_F(Logs, AMissingLogIsNotFound) {
  const auto status = print_log(path(), {}, 1, 2);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace berth::sandbox
