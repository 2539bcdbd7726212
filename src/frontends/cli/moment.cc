#include "frontends/cli/moment.h"

#include <charconv>
#include <optional>

#include "base/result.h"

namespace berth::cli {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

// Reads decimal digits off the front of a text. Every step that does not fit makes it fail for
// good.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  /// Exactly `digits` digits, 0: at least one; at most `max`. 0 where that fails.
  std::int64_t number(std::size_t digits, std::int64_t max) {
    std::int64_t value = 0;
    const auto* end = rest_.data() + (digits == 0 ? rest_.size() : std::min(digits, rest_.size()));
    const auto [stop, error] = std::from_chars(rest_.data(), end, value);
    const auto length = static_cast<std::size_t>(stop - rest_.data());
    ok_ = ok_ && error == std::errc{} && (digits == 0 || length == digits) && value >= 0 &&
          value <= max;
    rest_.remove_prefix(length);
    return ok_ ? value : 0;
  }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void need(char c) { ok_ = take(c) && ok_; }
  /// ".5": the part of a second.
  nanoseconds fraction() {
    nanoseconds value{0};
    if (!take('.')) return value;
    std::int64_t unit = 100'000'000;
    std::size_t digits = 0;
    for (; !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; ++digits, unit /= 10) {
      value += nanoseconds((rest_[0] - '0') * unit);
      rest_.remove_prefix(1);
    }
    ok_ = ok_ && digits > 0;
    return value;
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// What 64 bits of nanoseconds can hold is between.
constexpr std::chrono::year kBeforeFirst(1677), kAfterLast(2262);

std::optional<Moment> date_and_time(std::string_view text) {
  using namespace std::chrono;
  Reader in(text);
  const auto y = year(static_cast<int>(in.number(4, 9999)));
  in.need('-');
  const auto m = month(static_cast<unsigned>(in.number(2, 12)));
  in.need('-');
  const year_month_day date(y, m, day(static_cast<unsigned>(in.number(2, 31))));
  in.need('T');
  auto since = nanoseconds(hours(in.number(2, 23)));
  in.need(':');
  since += minutes(in.number(2, 59));
  in.need(':');
  since += seconds(in.number(2, 60));  // 60: a leap second
  since += in.fraction();
  if (!in.at_end() && !in.take('Z')) {
    const bool east = in.take('+');
    if (!east) in.need('-');
    auto offset = nanoseconds(hours(in.number(2, 23)));
    in.need(':');
    offset += minutes(in.number(2, 59));
    since += east ? -offset : offset;
  }
  if (!in.done() || !date.ok() || y <= kBeforeFirst || y >= kAfterLast) return std::nullopt;
  return Moment(duration_cast<Moment::duration>(sys_days(date).time_since_epoch() + since));
}

constexpr std::int64_t kMaxSeconds = 9'000'000'000;  // what nanoseconds in 64 bits can hold

std::optional<Moment> since_1970(std::string_view text) {
  Reader in(text);
  const auto whole = seconds(in.number(0, kMaxSeconds));
  const auto time = whole + in.fraction();
  if (!in.done()) return std::nullopt;
  return Moment(std::chrono::duration_cast<Moment::duration>(time));
}

std::optional<nanoseconds> age(std::string_view text) {
  Reader in(text);
  nanoseconds sum{0};
  while (in.ok() && !in.at_end()) {
    const auto count = in.number(0, 1'000'000);
    if (sum > std::chrono::hours(1'000'000)) return std::nullopt;  // a century: more may overflow
    if (in.take('h'))
      sum += std::chrono::hours(count);
    else if (in.take('m'))
      sum += std::chrono::minutes(count);
    else if (in.take('s'))
      sum += seconds(count);
    else
      return std::nullopt;
  }
  if (!in.done() || text.empty()) return std::nullopt;
  return sum;
}

}  // namespace

Result<Moment> parse_moment(std::string_view option, std::string_view text, Moment now) {
  if (const auto moment = date_and_time(text)) return *moment;
  if (const auto moment = since_1970(text)) return *moment;
  if (const auto before = age(text))
    return now - std::chrono::duration_cast<Moment::duration>(*before);
  return fail(ErrorKind::kInvalid,
              "{} {}: give a time as 2020-11-03T10:00:05Z, seconds since 1970, or an age as 1h30m",
              option, text);
}

}  // namespace berth::cli
