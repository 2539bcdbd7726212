#include "sandbox/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/result.h"
#include "base/unique_fd.h"

namespace berth::sandbox {
namespace {

constexpr std::string_view kHostGateway = "host-gateway";

constexpr std::string_view kLocalV4 = "127.0.0.1\tlocalhost\n";
constexpr std::string_view kLocalV6 =
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n";

// hosts(5): what would end a name or a line, or begin a comment, cannot be in a name.
bool is_host_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return c > ' ' && c != '#' && c != 0x7f;
  });
}

// The names that the sandbox's own lines give it.
std::string own_names(const HostsFile& hosts) {
  auto name = hosts.hostname;
  if (!hosts.domainname.empty()) name += "." + hosts.domainname;
  const auto dot = name.find('.');
  if (dot != std::string::npos) name += " " + name.substr(0, dot);
  return name;
}

std::string line(const Ip& ip, std::string_view name) {
  return fmt::format("{}\t{}\n", ip.str(), name);
}

}  // namespace

Result<AddHost> parse_add_host(std::string_view text) {
  const auto separator = text.find_first_of("=:");
  const auto name = text.substr(0, separator);
  if (separator == std::string_view::npos || !is_host_name(name)) {
    return fail(ErrorKind::kInvalid,
                "bad format for --add-host \"{}\": NAME:IP or NAME:host-gateway is allowed", text);
  }
  auto address = text.substr(separator + 1);
  if (address == kHostGateway) return AddHost{std::string(name), std::nullopt};
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  const auto ip = Ip::parse(address);
  if (!ip) {
    return fail(ErrorKind::kInvalid,
                "invalid IP address in --add-host \"{}\": \"{}\"; an IPv4 or IPv6 address or "
                "host-gateway is allowed",
                text, address);
  }
  return AddHost{std::string(name), *ip};
}

std::string to_text(const AddHost& host) {
  return host.name + ":" + (host.ip ? host.ip->str() : std::string(kHostGateway));
}

std::vector<HostEntry> resolve(const AddHost& host, std::span<const Ip> gateways) {
  if (host.ip) return {{host.name, *host.ip}};
  std::vector<HostEntry> entries;
  for (const auto& gateway : gateways) entries.push_back({host.name, gateway});
  return entries;
}

std::string hosts_text(const HostsFile& hosts) {
  std::string text(kLocalV4);
  if (hosts.ipv6) text += kLocalV6;
  const auto add = [&](const Ip& ip, std::string_view name) {
    if (ip.is_v4() || hosts.ipv6) text += line(ip, name);
  };
  for (const auto& entry : hosts.extra) add(entry.ip, entry.name);
  const auto names = own_names(hosts);
  for (const auto& ip : hosts.addresses) add(ip, names);
  return text;
}

std::string hosts_lines(std::span<const HostEntry> entries) {
  std::string text;
  for (const auto& entry : entries) text += line(entry.ip, entry.name);
  return text;
}

Result<std::string> read_text(const std::string& path, std::size_t most) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return std::string();
    return fail_sys(errno, "open {}", path);
  }
  std::string text;
  char part[4096];
  while (text.size() < most) {
    const auto size = TEMP_FAILURE_RETRY(read(fd.get(), part, sizeof part));
    if (size < 0) return fail_sys(errno, "read {}", path);
    if (size == 0) return text;
    text.append(part, static_cast<std::size_t>(size));
  }
  return text;
}

Status write_in_place(const std::string& path, std::string_view text) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_sys(errno, "open {}", path);
  // On a full disk the old text stays: the room is there before any of it is overwritten. Not every
  // file system knows how (EOPNOTSUPP).
  const auto size = static_cast<off_t>(text.size());
  if (size > 0 && fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, size) != 0 && errno != EOPNOTSUPP)
    return fail_sys(errno, "write {}", path);
  // The sandbox's resolver may be any user, whatever berth's umask is.
  if (fchmod(fd.get(), 0644) != 0) return fail_sys(errno, "make {} readable", path);
  while (!text.empty()) {
    const auto written = TEMP_FAILURE_RETRY(write(fd.get(), text.data(), text.size()));
    if (written < 0) return fail_sys(errno, "write {}", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (ftruncate(fd.get(), size) != 0) return fail_sys(errno, "cut {}", path);
  return {};
}

}  // namespace berth::sandbox
