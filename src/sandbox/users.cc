#include "sandbox/users.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "sandbox/root.h"

namespace berth::sandbox {
namespace {

constexpr std::uint32_t kMaxId = 2147483647;  // as in Docker
constexpr off_t kMaxFileBytes = 16 << 20;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc{} || end != text.end() || value > kMaxId) return std::nullopt;
  return value;
}

// passwd(5): name:password:UID:GID:GECOS:directory:shell
struct PasswdEntry {
  std::string_view name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string_view home;
};
std::optional<PasswdEntry> passwd_entry(std::string_view line) {
  const auto fields = split(line, ':');
  if (fields.size() < 6 || fields[0].empty()) return std::nullopt;
  const auto uid = number(fields[2]);
  const auto gid = number(fields[3]);
  if (!uid || !gid) return std::nullopt;
  return PasswdEntry{fields[0], *uid, *gid, fields[5]};
}

// group(5): name:password:GID:user,user
struct GroupEntry {
  std::string_view name;
  gid_t gid = 0;
  std::string_view users;
};
std::optional<GroupEntry> group_entry(std::string_view line) {
  const auto fields = split(line, ':');
  if (fields.size() < 4 || fields[0].empty()) return std::nullopt;
  const auto gid = number(fields[2]);
  if (!gid) return std::nullopt;
  return GroupEntry{fields[0], *gid, fields[3]};
}

std::unexpected<Error> unknown(std::string_view text, std::string_view what, std::string_view name,
                               std::string_view file) {
  return fail(ErrorKind::kNotFound,
              "user '{}': {} names no {} '{}'; give a name from there or a number from 0 to {}",
              text, file, what, name, kMaxId);
}

Result<std::string> read_file_in(const std::string& root, const char* path) {
  const auto fd = open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) {
    if (errno == ENOENT) return std::string();
    return fail_sys(errno, "read /{} of the sandbox", path);
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > kMaxFileBytes)
    return fail(ErrorKind::kInvalid, "/{} of the sandbox is not a file of at most {} bytes", path,
                kMaxFileBytes);
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t used = 0;
  while (used < text.size()) {
    const auto size = TEMP_FAILURE_RETRY(::read(fd.get(), &text[used], text.size() - used));
    if (size < 0) return fail_sys(errno, "read /{} of the sandbox", path);
    if (size == 0) break;
    used += static_cast<std::size_t>(size);
  }
  text.resize(used);
  return text;
}

}  // namespace

Result<User> find_user(std::string_view text, std::string_view passwd, std::string_view group) {
  const auto colon = text.find(':');
  const bool has_group = colon != std::string_view::npos;
  const auto user_text = colon == 0 ? "0" : text.substr(0, colon);
  const auto uid = number(user_text);
  User user;
  std::string_view name;
  for (const auto line : split(passwd, '\n')) {
    const auto entry = passwd_entry(line);
    if (!entry || (entry->name != user_text && entry->uid != uid)) continue;
    user = {.uid = entry->uid, .gid = entry->gid, .home = std::string(entry->home)};
    name = entry->name;
    break;
  }
  if (name.empty()) {
    if (!uid) return unknown(text, "user", user_text, "/etc/passwd");
    user.uid = *uid;
  }
  if (user.home.empty()) user.home = "/";

  const auto lines = split(group, '\n');
  if (!has_group) {
    for (const auto line : lines) {
      const auto entry = group_entry(line);
      if (!entry || name.empty()) continue;
      const auto users = split(entry->users, ',');
      if (std::ranges::find(users, name) != users.end()) user.groups.push_back(entry->gid);
    }
    return user;
  }
  const auto group_text = text.substr(colon + 1);
  const auto gid = number(group_text);
  for (const auto line : lines) {
    const auto entry = group_entry(line);
    if (!entry || (entry->name != group_text && entry->gid != gid)) continue;
    user.gid = entry->gid;
    return user;
  }
  if (!gid) return unknown(text, "group", group_text, "/etc/group");
  user.gid = *gid;
  return user;
}

Result<User> find_user_in(const std::string& root, std::string_view text) {
  return find_user(text, TRY(read_file_in(root, "etc/passwd")),
                   TRY(read_file_in(root, "etc/group")));
}

}  // namespace berth::sandbox
