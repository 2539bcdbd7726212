#include "traffic.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "harness.h"

namespace berth::bench {
namespace {

using Clock = std::chrono::steady_clock;

// A connection's first byte says what the server does with it. In echo mode it is answered as well.
constexpr char kEcho = 'e';  // every byte comes back
constexpr char kSink = 's';  // all is read, and then the connection closed

constexpr std::size_t kBlock = 128 * 1024;  // bytes of one write or read, as in iperf3
constexpr int kBacklog = 128;
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};  // a way that leads nowhere is an error

enum class Processor { kFirst, kLast };

// Keeps the calling thread on one processor, so that client and server do not meet by chance on one
// in some rounds and not in others.
void stay_on(Processor which) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  int chosen = -1;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &allowed) && (chosen < 0 || which == Processor::kLast)) chosen = i;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(chosen, &one);
  (void)sched_setaffinity(0, sizeof one, &one);
}

void send_at_once(int socket) {
  const int on = 1;
  (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// ---- server -------------------------------------------------------------------------------------

void serve_one(int connection) {
  static std::array<char, kBlock> block;
  send_at_once(connection);
  char mode = 0;
  if (recv(connection, &mode, 1, 0) != 1) return;
  if (mode == kSink) {
    while (recv(connection, block.data(), block.size(), 0) > 0) {
    }
    return;
  }
  for (char byte = mode;;) {
    if (send(connection, &byte, 1, MSG_NOSIGNAL) != 1) return;
    if (recv(connection, &byte, 1, 0) != 1) return;
  }
}

[[noreturn]] void serve(int listener) {
  for (;;) {
    const UniqueFd connection(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) serve_one(connection.get());
  }
}

Result<UniqueFd> listen_on(Port port) {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (!listener || bind(listener.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) != 0 ||
      listen(listener.get(), kBacklog) != 0)
    return fail_sys(errno, "listen on port {}", port);
  return listener;
}

// ---- client -------------------------------------------------------------------------------------

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress socket_address(const Ip& ip, Port port) {
  SocketAddress address;
  if (ip.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.bytes().data(), sizeof v4.sin_addr);
    address.size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, ip.bytes().data(), sizeof v6.sin6_addr);
    address.size = sizeof v6;
  }
  return address;
}

Result<UniqueFd> connect_to(const SocketAddress& address) {
  UniqueFd connection(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!connection) return fail_sys(errno, "make a socket");
  send_at_once(connection.get());
  for (const int direction : {SO_SNDTIMEO, SO_RCVTIMEO})
    (void)setsockopt(connection.get(), SOL_SOCKET, direction, &kPatience, sizeof kPatience);
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address.storage),
              address.size) != 0)
    return fail_sys(errno, "connect to the server");
  return connection;
}

Status round_trip(int connection) {
  char byte = kEcho;
  if (send(connection, &byte, 1, MSG_NOSIGNAL) != 1 || recv(connection, &byte, 1, 0) != 1)
    return fail_sys(errno, "send a byte and receive it");
  return {};
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Result<double> gigabits_per_second(const SocketAddress& server, std::chrono::milliseconds time) {
  static const std::vector<char> block(kBlock, 'x');
  const auto connection = TRY(connect_to(server));
  if (send(connection.get(), &kSink, 1, MSG_NOSIGNAL) != 1) return fail_sys(errno, "send");
  const auto begin = Clock::now();
  double bytes = 0;
  while (Clock::now() - begin < time) {
    const auto sent = send(connection.get(), block.data(), block.size(), MSG_NOSIGNAL);
    if (sent < 0) return fail_sys(errno, "send");
    bytes += static_cast<double>(sent);
  }
  // It closes when it has read all.
  char none = 0;
  if (shutdown(connection.get(), SHUT_WR) != 0 || recv(connection.get(), &none, 1, 0) != 0)
    return fail_sys(errno, "wait for the server to read all");
  return bytes * 8 / 1e9 / seconds_since(begin);
}

Result<Samples> round_trips(const SocketAddress& server, int count) {
  const auto connection = TRY(connect_to(server));
  Samples samples;
  for (int i = 0; i < count; ++i) {
    Status done;
    samples.add(milliseconds([&] { done = round_trip(connection.get()); }));
    TRY(done);
  }
  return samples;
}

// They are reset and not closed: else thousands would wait in TIME_WAIT and keep their port
// numbers.
Result<double> connections_per_second(const SocketAddress& server, int count) {
  constexpr linger kReset{.l_onoff = 1, .l_linger = 0};
  const auto begin = Clock::now();
  for (int i = 0; i < count; ++i) {
    const auto connection = TRY(connect_to(server));
    (void)setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &kReset, sizeof kReset);
    TRY(round_trip(connection.get()));
  }
  return count / seconds_since(begin);
}

}  // namespace

Server::Server(const kernel::Netns& netns, Port port) {
  const auto listener = must(kernel::run_in(netns, [&] { return listen_on(port); }));
  const auto parent = getpid();
  process_ = fork();
  if (process_ < 0) die(fmt::format("cannot start a server: {}", std::strerror(errno)));
  if (process_ > 0) return;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  stay_on(Processor::kLast);
  serve(listener.get());
}

Server::~Server() {
  kill(process_, SIGKILL);
  (void)waitpid(process_, nullptr, 0);
}

Result<Figures> measure(const kernel::Netns& client, const Ip& address, Port port,
                        const Load& load) {
  return kernel::run_in(client, [&]() -> Result<Figures> {
    stay_on(Processor::kFirst);
    const auto server = socket_address(address, port);
    TRY(round_trips(server, 1));  // neighbours are known from here on
    Figures figures;
    figures.gigabits_per_second = TRY(gigabits_per_second(server, load.stream));
    const auto times = TRY(round_trips(server, load.round_trips));
    constexpr double kMicroseconds = 1000;  // in a millisecond
    figures.round_trip_p50 = times.quantile(0.5) * kMicroseconds;
    figures.round_trip_p99 = times.quantile(0.99) * kMicroseconds;
    figures.connections_per_second = TRY(connections_per_second(server, load.connections));
    return figures;
  });
}

}  // namespace berth::bench
