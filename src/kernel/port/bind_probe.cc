#include "kernel/port/bind_probe.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/port/socket_table.h"
#include "kernel/sysctl/sysctl.h"

namespace berth::kernel {
namespace {

// How many ports that are free on one address are tried on others: each is a socket meanwhile.
constexpr std::size_t kMostDrawn = 256;

// In linux/in6.h since Linux 4.15, which cannot be included beside netinet/in.h.
constexpr int kIpv6Freebind = 78;  // IPV6_FREEBIND

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const Ip& ip, Port port) {
  SocketAddress address;
  if (ip.is_v4()) {
    sockaddr_in in{.sin_family = AF_INET, .sin_port = htons(port)};
    std::ranges::copy(ip.bytes(), reinterpret_cast<std::uint8_t*>(&in.sin_addr));
    std::memcpy(&address.storage, &in, sizeof in);
    address.size = sizeof in;
  } else {
    sockaddr_in6 in{.sin6_family = AF_INET6, .sin6_port = htons(port)};
    std::ranges::copy(ip.bytes(), reinterpret_cast<std::uint8_t*>(&in.sin6_addr));
    std::memcpy(&address.storage, &in, sizeof in);
    address.size = sizeof in;
  }
  return address;
}

std::string describe(Protocol protocol, const std::optional<Ip>& address, Port port) {
  const auto host = !address ? "*" : address->is_v4() ? address->str() : "[" + address->str() + "]";
  return fmt::format("bind {} {}:{}", name(protocol), host, port);
}

enum class Families { kOfTheAddress, kBoth };

// Lets the socket be bound to an address that the host has not.
void allow_absent(const UniqueFd& fd, const Ip& ip) {
  const int on = 1;
  (void)(ip.is_v4() ? ::setsockopt(fd.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on)
                    : ::setsockopt(fd.get(), IPPROTO_IPV6, kIpv6Freebind, &on, sizeof on));
}

// A socket bound to the port, or the errno of what went wrong. With kBoth, an unspecified IPv6
// address means IPv4's too.
std::expected<UniqueFd, int> bind_socket(Protocol protocol, const Ip& ip, Port port, Absent absent,
                                         Families families = Families::kOfTheAddress) {
  const int type = protocol == Protocol::kUdp ? SOCK_DGRAM : SOCK_STREAM;
  UniqueFd fd(
      ::socket(ip.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, static_cast<int>(protocol)));
  if (!fd) return std::unexpected(errno);
  if (protocol == Protocol::kTcp) {
    const int on = 1;
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  if (!ip.is_v4()) {
    const int only_v6 = families == Families::kOfTheAddress ? 1 : 0;
    (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
  }
  if (absent == Absent::kAllowed) allow_absent(fd, ip);
  const auto address = socket_address(ip, port);
  if (::bind(fd.get(), address.get(), address.size) != 0) return std::unexpected(errno);
  return fd;
}

std::expected<UniqueFd, int> bind_socket(Protocol protocol, const std::optional<Ip>& address,
                                         Port port, Absent absent) {
  if (address) return bind_socket(protocol, *address, port, absent);
  auto both =
      bind_socket(protocol, Ip::from_number(Ip::Family::kV6, 0), port, absent, Families::kBoth);
  if (both || (both.error() != EAFNOSUPPORT && both.error() != EADDRNOTAVAIL)) return both;
  return bind_socket(protocol, Ip{}, port, absent);  // IPv6 is switched off
}

// No socket of a protocol that the kernel does not have can be in the way.
bool protocol_is_missing(int sys) {
  return sys == EPROTONOSUPPORT || sys == ESOCKTNOSUPPORT;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Whether a socket on `bound` receives what is sent to `asked`.
bool covers(const Ip& bound, const std::optional<Ip>& asked) {
  if (!asked || bound == *asked) return true;
  if (!bound.is_unspecified() && !asked->is_unspecified()) return false;
  // An unspecified IPv6 address usually means IPv4's too (IPV6_V6ONLY is not in the table).
  return bound.family() == asked->family() || (!bound.is_v4() && bound.is_unspecified());
}

// The sockets on the port that could receive what is sent to `address`.
std::vector<SocketEntry> sockets_on(Protocol protocol, const std::optional<Ip>& address,
                                    Port port) {
  std::vector<SocketEntry> found;
  if (protocol == Protocol::kSctp) return found;
  for (const char* suffix : {"", "6"}) {
    // Not /proc/net: that is the namespace of the process's first thread.
    const auto table = fmt::format("/proc/thread-self/net/{}{}", name(protocol), suffix);
    for (const auto& entry : parse_socket_table(read_file(table)))
      if (entry.port == port && covers(entry.address, address)) found.push_back(entry);
  }
  return found;
}

// What refused a bind of a TCP port: true if all there is on it are connections, which do not
// listen. A socket that is bound but listens not yet is in no table, so no entry at all means such
// a one.
bool only_connections(const std::optional<Ip>& address, Port port) {
  const auto sockets = sockets_on(Protocol::kTcp, address, port);
  return !sockets.empty() && std::ranges::none_of(sockets, [](const SocketEntry& entry) {
    return entry.state == kSocketListening;
  });
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Calls visit(name) for each entry of a directory until it returns true; whether it did.
template <typename Visit>
bool any_entry(const std::string& path, Visit&& visit) {
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(path.c_str()));
  if (!dir) return false;
  while (const auto* entry = ::readdir(dir.get()))
    if (entry->d_name[0] != '.' && visit(std::string(entry->d_name))) return true;
  return false;
}

bool has_socket(const std::string& pid, const std::vector<std::string>& wanted) {
  const auto directory = "/proc/" + pid + "/fd";
  return any_entry(directory, [&](const std::string& fd) {
    std::array<char, 64> target;
    const auto size = ::readlink((directory + "/" + fd).c_str(), target.data(), target.size());
    if (size <= 0) return false;
    return std::ranges::find(wanted,
                             std::string_view(target.data(), static_cast<std::size_t>(size))) !=
           wanted.end();
  });
}

struct PortRange {
  int first = 0, last = 0;
};

// Where the kernel draws from (ip-sysctl.rst of the kernel's documentation): "32768\t60999".
Result<PortRange> ephemeral_range() {
  PortRange range;
  std::istringstream(TRY(read_sysctl("net.ipv4.ip_local_port_range"))) >> range.first >> range.last;
  return range;
}

// What of that it keeps for programs: "8080,9148-9150".
Result<std::vector<PortRange>> reserved_ports() {
  std::vector<PortRange> ranges;
  std::istringstream text(TRY(read_sysctl("net.ipv4.ip_local_reserved_ports")));
  for (std::string part; std::getline(text, part, ',');) {
    PortRange range;
    char dash = 0;
    std::istringstream numbers(part);
    if (!(numbers >> range.first)) continue;
    if (!(numbers >> dash >> range.last)) range.last = range.first;
    ranges.push_back(range);
  }
  return ranges;
}

bool is_reserved(const std::vector<PortRange>& ranges, int port) {
  return std::ranges::any_of(
      ranges, [port](const PortRange& each) { return each.first <= port && port <= each.last; });
}

struct Drawn {
  UniqueFd socket;
  Port port;
};

// A socket bound to a free port of the kernel's choice.
Result<Drawn> draw(Protocol protocol, const std::optional<Ip>& address,
                   Absent absent = Absent::kRefused) {
  auto bound = bind_socket(protocol, address, 0, absent);
  if (!bound && bound.error() == EADDRINUSE)
    return fail(ErrorKind::kExhausted, "{}: every port of net.ipv4.ip_local_port_range is in use",
                describe(protocol, address, 0));
  if (!bound) return fail_sys(bound.error(), "{}", describe(protocol, address, 0));
  SocketAddress got{.size = sizeof(sockaddr_storage)};
  if (::getsockname(bound->get(), got.get(), &got.size) != 0)
    return fail_sys(errno, "read the port that was bound");
  // The port is at the same place in both families' addresses (RFC 3493, 3.3).
  sockaddr_in in;
  std::memcpy(&in, &got.storage, sizeof in);
  return Drawn{*std::move(bound), ntohs(in.sin_port)};
}

}  // namespace

Result<bool> port_free(Protocol protocol, const std::optional<Ip>& address, Port port,
                       Absent absent) {
  const auto bound = bind_socket(protocol, address, port, absent);
  if (bound) return true;
  const int sys = bound.error();
  if (protocol_is_missing(sys)) return true;
  if (sys == EADDRINUSE) return protocol == Protocol::kTcp && only_connections(address, port);
  if (sys == EACCES)
    return fail(ErrorKind::kPermission,
                "{}: ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE, "
                "which this process lacks",
                describe(protocol, address, port));
  return fail_sys(sys, "{}", describe(protocol, address, port));
}

Result<Port> any_free_port(Protocol protocol, const std::optional<Ip>& address) {
  return TRY(draw(protocol, address)).port;
}

Result<Port> any_free_port_on(Protocol protocol, std::span<const Ip> addresses,
                              const std::function<bool(Port)>& is_right, Absent absent) {
  const auto is_free = [&](Port port, std::span<const Ip> on) -> Result<bool> {
    for (const Ip& address : on)
      if (!TRY(port_free(protocol, address, port, absent))) return false;
    return is_right(port);
  };
  {
    std::vector<Drawn> drawn;  // kept bound, so that the kernel draws another number
    while (drawn.size() < kMostDrawn) {
      auto next = draw(protocol, addresses.front(), absent);
      if (!next && next.error().kind == ErrorKind::kExhausted && !drawn.empty()) break;
      drawn.push_back(TRY(std::move(next)));
      const Port port = drawn.back().port;
      if (TRY(is_free(port, addresses.subspan(1)))) return port;
    }
  }
  const auto [first, last] = TRY(ephemeral_range());
  const auto reserved = TRY(reserved_ports());
  for (int port = first; port <= last; ++port)
    if (!is_reserved(reserved, port) && TRY(is_free(static_cast<Port>(port), addresses)))
      return static_cast<Port>(port);
  std::string all;
  for (const Ip& address : addresses) all += (all.empty() ? "" : " and ") + address.str();
  return fail(ErrorKind::kExhausted,
              "find a port for {} that is free on {}: none of net.ipv4.ip_local_port_range, {} to "
              "{}, is",
              name(protocol), all, first, last);
}

std::optional<std::string> listener_owner(Protocol protocol, const std::optional<Ip>& address,
                                          Port port) {
  std::vector<std::string> wanted;
  for (const auto& entry : sockets_on(protocol, address, port)) {
    if (protocol == Protocol::kTcp && entry.state != kSocketListening) continue;
    wanted.push_back(fmt::format("socket:[{}]", entry.inode));
  }
  if (wanted.empty()) return std::nullopt;

  std::optional<std::string> owner;
  any_entry("/proc", [&](const std::string& pid) {
    if (!std::ranges::all_of(pid, [](char c) { return c >= '0' && c <= '9'; })) return false;
    if (!has_socket(pid, wanted)) return false;
    auto program = read_file("/proc/" + pid + "/comm");
    if (program.ends_with('\n')) program.pop_back();
    owner = pid + "/" + program;
    return true;
  });
  return owner;
}

}  // namespace berth::kernel
