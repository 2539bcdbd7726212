#include "sandbox/shim/log_writer.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace berth::shim {

static constexpr std::size_t kPrefixBytes = kTimeTextBytes + sizeof " stdout ";
static constexpr char kFull[] = "F ";
static constexpr char kPartial[] = "P ";
static constexpr std::size_t kTagBytes = 2;

// Writes all of the pieces, or takes back what it could write of them: a short write is a full
// disk.
static bool write_whole(int fd, iovec* pieces, int count) {
  std::size_t size = 0;
  for (int i = 0; i < count; ++i) size += pieces[i].iov_len;
  const auto written = TEMP_FAILURE_RETRY(writev(fd, pieces, count));
  if (written == static_cast<ssize_t>(size)) return true;
  struct stat file;
  if (written > 0 && fstat(fd, &file) == 0 && file.st_size >= written) {
    [[maybe_unused]] const int cut = ftruncate(fd, file.st_size - written);
  }
  return false;
}

void LogWriter::append(Stream stream, const char* text, std::size_t size) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  char time[kTimeTextBytes];
  format_time(now, time);
  char prefix[kPrefixBytes];
  std::snprintf(prefix, sizeof prefix, "%s %s ", time,
                stream == Stream::kStdout ? "stdout" : "stderr");
  Line& line = lines_[static_cast<int>(stream)];
  while (size > 0) {
    const auto* newline = static_cast<const char*>(std::memchr(text, '\n', size));
    const bool is_partial = newline == nullptr;
    const std::size_t length = is_partial ? size : newline - text;
    if (line.skips) {
      line.skips = is_partial;
    } else {
      add_record(line, prefix, is_partial, text, length);
    }
    const std::size_t taken = is_partial ? length : length + 1;
    text += taken;
    size -= taken;
  }
  flush(line);
}

void LogWriter::add_record(Line& line, const char* prefix, bool is_partial, const char* text,
                           std::size_t size) {
  const std::size_t record_size = std::strlen(prefix) + kTagBytes + size + 1;
  if (record_size > sizeof buffer_ - used_) flush(line);
  if (line.is_cut && used_ == 0) put_record(prefix, kFull, "", 0);  // its end
  last_is_partial_ = is_partial;
  const char* tag = is_partial ? kPartial : kFull;
  if (record_size <= sizeof buffer_ - used_) {
    put_record(prefix, tag, text, size);
    return;
  }
  iovec pieces[] = {{buffer_, used_},
                    {const_cast<char*>(prefix), std::strlen(prefix)},
                    {const_cast<char*>(tag), kTagBytes},
                    {const_cast<char*>(text), size},
                    {const_cast<char*>("\n"), 1}};
  used_ = 0;
  settle(line, write_whole(fd_, pieces, 5));
}

void LogWriter::put_record(const char* prefix, const char* tag, const char* text,
                           std::size_t size) {
  put(prefix, std::strlen(prefix));
  put(tag, kTagBytes);
  put(text, size);
  put("\n", 1);
}

void LogWriter::put(const char* bytes, std::size_t size) {
  std::memcpy(buffer_ + used_, bytes, size);
  used_ += size;
}

void LogWriter::flush(Line& line) {
  if (used_ == 0) return;
  iovec all{buffer_, used_};
  used_ = 0;
  settle(line, write_whole(fd_, &all, 1));
}

// After an attempt to write records of `line`'s stream.
void LogWriter::settle(Line& line, bool was_written) {
  if (was_written) {
    line = {.is_open = last_is_partial_};
  } else {
    line.is_cut = line.is_cut || line.is_open;
    line.is_open = false;
    line.skips = last_is_partial_;
  }
}

// gmtime_r(3) would read the machine's time zone file for nothing. The calendar is Howard Hinnant's
// civil_from_days ("chrono-Compatible Low-Level Date Algorithms"), for years from 1970 on.
void format_time(const timespec& time, char (&text)[kTimeTextBytes]) {
  constexpr unsigned long kSecondsPerDay = 86400;
  const unsigned long seconds = time.tv_sec;
  const unsigned long second_of_day = seconds % kSecondsPerDay;
  const unsigned long days = seconds / kSecondsPerDay + 719468;  // since 0000-03-01
  const unsigned long era = days / 146097;                       // of 400 years
  const unsigned long day_of_era = days % 146097;
  const unsigned long year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned long day_of_year =  // from March 1
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned long march_month = (5 * day_of_year + 2) / 153;
  const unsigned long day = day_of_year - (153 * march_month + 2) / 5 + 1;
  const unsigned long month = march_month < 10 ? march_month + 3 : march_month - 9;
  const unsigned long year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  // The moduli change no value; they tell the compiler that the text fits.
  std::snprintf(text, sizeof text, "%04lu-%02lu-%02luT%02lu:%02lu:%02lu.%09luZ", year % 10000,
                month % 100, day % 100, second_of_day / 3600 % 100, second_of_day / 60 % 60,
                second_of_day % 60, static_cast<unsigned long>(time.tv_nsec) % 1000000000);
}

}  // namespace berth::shim
