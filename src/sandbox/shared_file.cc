#include "sandbox/shared_file.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/result.h"
#include "sandbox/files.h"

namespace berth::sandbox {
namespace {

// What a sandbox has filled with more is not read, nor written: its end would be lost.
constexpr std::size_t kMaxBytes = 1 << 20;

constexpr char kBetween = '\0';  // texts of NAME.written: neither file can hold it

std::vector<std::string> split(std::string_view text, char end) {
  std::vector<std::string> parts;
  while (true) {
    const auto at = text.find(end);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// The lines without their ends; what follows the last end is a line if it is not empty.
std::vector<std::string> lines_of(std::string_view text) {
  auto lines = split(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

bool contains(std::span<const std::string> list, const std::string& text) {
  return std::ranges::find(list, text) != list.end();
}

Status remember(const std::string& path, const std::vector<std::string>& written) {
  const auto fresh = path + ".new";
  TRY(write_in_place(fresh, fmt::format("{}", fmt::join(written, std::string(1, kBetween)))));
  const auto kept = path + ".written";
  if (std::rename(fresh.c_str(), kept.c_str()) != 0)
    return fail_sys(errno, "rename {} to {}", fresh, kept);
  return {};
}

}  // namespace

std::string merge_lines(std::string_view now, std::span<const std::string> written,
                        const std::string& wanted) {
  if (std::ranges::find(written, now) != written.end()) return wanted;
  const auto ours = lines_of(wanted);
  auto lines = lines_of(now);
  for (const auto& text : written)
    for (const auto& line : lines_of(text))
      if (!contains(ours, line)) std::erase(lines, line);
  std::size_t next = 0;  // where a line of ours goes that is missing
  for (const auto& line : ours) {
    const auto found = std::ranges::find(lines, line);
    if (found != lines.end())
      next = static_cast<std::size_t>(found - lines.begin()) + 1;
    else
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(next++), line);
  }
  if (lines == lines_of(now)) return std::string(now);  // with or without an end of its last line
  return fmt::format("{}\n", fmt::join(lines, "\n"));
}

std::string keep_changed(std::string_view now, std::span<const std::string> written,
                         const std::string& wanted) {
  const bool is_ours = std::ranges::find(written, now) != written.end();
  return is_ours ? wanted : std::string(now);
}

Result<bool> update_shared(const std::string& path, const std::string& wanted, Merge merge) {
  const auto now = TRY(read_text(path, kMaxBytes + 1));
  if (now.size() > kMaxBytes) return false;
  auto written = split(TRY(read_text(path + ".written")), kBetween);
  const auto text = merge(now, written, wanted);
  const bool known = written == std::vector{wanted};
  if (!known) {
    if (!contains(written, wanted)) written.push_back(wanted);
    TRY(remember(path, written));
  }
  if (text != now) TRY(write_in_place(path, text));
  if (!known) TRY(remember(path, {wanted}));
  return text != now;
}

}  // namespace berth::sandbox
