#include "sandbox/shim/log_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace berth::shim {

void LogWriter::append(Stream stream, const char* text, std::size_t size) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  char time[kTimeTextBytes];
  format_time(now, time);
  char prefix[kTimeTextBytes + sizeof " stdout F "];
  const int prefix_size = std::snprintf(prefix, sizeof prefix, "%s %s ", time,
                                        stream == Stream::kStdout ? "stdout" : "stderr");
  while (size > 0) {
    const auto* newline = static_cast<const char*>(std::memchr(text, '\n', size));
    const std::size_t length = newline != nullptr ? newline - text : size;
    put(prefix, prefix_size);
    put(newline != nullptr ? "F " : "P ", 2);
    put(text, length);
    put("\n", 1);
    const std::size_t taken = newline != nullptr ? length + 1 : length;
    text += taken;
    size -= taken;
  }
  flush();
}

void LogWriter::put(const char* bytes, std::size_t size) {
  while (size > 0) {
    if (used_ == sizeof buffer_) flush();
    const std::size_t part = std::min(size, sizeof buffer_ - used_);
    std::memcpy(buffer_ + used_, bytes, part);
    used_ += part;
    bytes += part;
    size -= part;
  }
}

void LogWriter::flush() {
  const char* bytes = buffer_;
  while (used_ > 0) {
    const auto written = TEMP_FAILURE_RETRY(write(fd_, bytes, used_));
    if (written <= 0) break;
    bytes += written;
    used_ -= written;
  }
  used_ = 0;
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
