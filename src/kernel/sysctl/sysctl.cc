#include "kernel/sysctl/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/sysctl/device.h"

namespace berth::kernel {
namespace {

constexpr std::size_t kMaxValue = 4096;  // bytes; those of net/ take far less

std::unexpected<Error> fail_key(int sys, std::string_view what, std::string_view key) {
  if (sys == ENOENT)
    return fail(ErrorKind::kNotFound, "{} sysctl {}: the running kernel has no such setting", what,
                key);
  if (sys == EROFS)
    return fail(ErrorKind::kPermission, "{} sysctl {}: /proc/sys is mounted read-only here", what,
                key);
  return fail_sys(sys, "{} sysctl {}", what, key);
}

// Values of several numbers are read with tabs between them and may be written with spaces.
bool same_words(std::string_view one, std::string_view other) {
  const auto next = [](std::string_view& text) {
    constexpr std::string_view kBlank = " \t\n";
    text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
    const auto word = text.substr(0, text.find_first_of(kBlank));
    text.remove_prefix(word.size());
    return word;
  };
  for (;;) {
    const auto word = next(one);
    if (word != next(other)) return false;
    if (word.empty()) return true;
  }
}

Status write_value(const std::string& path, std::string_view key, std::string_view value) {
  const auto what = fmt::format("write '{}' to", value);
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_key(errno, what, key);
  // The kernel takes a value in one write only (sysctl_writes_strict in sysctl/kernel.txt).
  const auto written = ::write(file.get(), value.data(), value.size());
  if (written < 0 && errno == EINVAL)
    return fail(ErrorKind::kInvalid, "{} sysctl {}: the kernel does not allow this value", what,
                key);
  if (written < 0) return fail_key(errno, what, key);
  return {};
}

}  // namespace

Result<std::string> sysctl_path(std::string_view key) {
  std::string path(key);
  const auto separator = path.find_first_of("./");
  if (separator != std::string::npos && path[separator] == '.') {
    // Dots separate; a slash then stands for a dot within a name.
    for (auto& c : path) {
      if (c == '.')
        c = '/';
      else if (c == '/')
        c = '.';
    }
  }
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto part = std::string_view(path).substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.contains('\0'))
      return fail(
          ErrorKind::kInvalid,
          "'{}' is not a sysctl key; what is allowed is net.ipv4.ip_forward or, where a name "
          "has dots, net/ipv4/conf/eth0.100/rp_filter",
          key);
    begin = end + 1;
  }
  return "/proc/sys/" + path;
}

Result<std::string> read_sysctl(std::string_view key) {
  const auto path = TRY(sysctl_path(key));
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_key(errno, "read", key);
  std::array<char, kMaxValue> buffer;
  const auto size = ::read(file.get(), buffer.data(), buffer.size());
  if (size < 0) return fail_key(errno, "read", key);
  std::string value(buffer.data(), static_cast<std::size_t>(size));
  if (value.ends_with('\n')) value.pop_back();
  return value;
}

Result<std::string> read_sysctl_in(const Netns& netns, std::string_view key) {
  return visit(netns, [&] { return read_sysctl(key); });
}

Status write_sysctl(std::string_view key, std::string_view value) {
  auto written = write_value(TRY(sysctl_path(key)), key, value);
  if (written || written.error().kind != ErrorKind::kPermission) return written;
  // Compared after a refusal and not before each write, which would cost every other write a read.
  const auto there = read_sysctl(key);
  if (there && same_words(*there, value)) return {};
  return written;
}

std::string device_key(const IfName& device, Ip::Family family, std::string_view name) {
  return fmt::format("net/{}/conf/{}/{}", family == Ip::Family::kV4 ? "ipv4" : "ipv6", device.str(),
                     name);
}

}  // namespace berth::kernel
