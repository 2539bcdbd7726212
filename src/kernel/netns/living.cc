#include "kernel/netns/living.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/result.h"
#include "kernel/netns/netns.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71  // asm-generic/socket.h since Linux 5.14
#endif

namespace berth::kernel {
namespace {

namespace fs = std::filesystem;

bool is_it(const std::string& path, ino_t inode, std::uint64_t cookie) {
  const auto netns = Netns::open(path);
  if (!netns || netns->inode() != inode) return false;
  const auto socket = open_socket_in(*netns, NETLINK_ROUTE);
  return !socket || cookie == 0 || netns_cookie(*socket) == cookie;  // unknown: it may be
}

// proc(5), /proc/PID/mountinfo: blank, tab, newline and backslash are written in octal.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain +=
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// Where namespaces with that inode are mounted: "ID PARENT DEVICE net:[INODE] PATH ...".
std::vector<std::string> mounts_of(ino_t inode) {
  std::vector<std::string> paths;
  std::ifstream mounts("/proc/thread-self/mountinfo");
  const auto root = fmt::format("net:[{}]", inode);
  std::string id, parent, device, mounted, path, rest;
  while (mounts >> id >> parent >> device >> mounted >> path && std::getline(mounts, rest))
    if (mounted == root) paths.push_back(unescaped(path));
  return paths;
}

}  // namespace

std::uint64_t netns_cookie(const Socket& socket) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0) return 0;
  return cookie;
}

std::optional<std::string> find_netns(ino_t inode, std::uint64_t cookie) {
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    const auto path = fmt::format("/proc/{}/ns/net", name);
    struct stat info;
    if (::stat(path.c_str(), &info) == 0 && info.st_ino == inode && is_it(path, inode, cookie))
      return path;
  }
  for (const auto& path : mounts_of(inode))
    if (is_it(path, inode, cookie)) return path;
  return std::nullopt;
}

}  // namespace berth::kernel
