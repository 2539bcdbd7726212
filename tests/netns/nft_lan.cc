#include "nft_lan.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "nft_shell.h"

namespace berth::testing {
namespace {

constexpr int kPatience = 5000;      // milliseconds; an answer is awaited
constexpr int kShortPatience = 120;  // none is awaited

constexpr Port kStrayPort = 4711;  // the source port of stray segments

// All sockets are IPv6's; IPv4 goes through them as ::ffff:a.b.c.d.
constexpr std::string_view kWrapped = "::ffff:";

sockaddr_in6 socket_address(const std::string& ip, Port port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  const bool v4 = ip.find(':') == std::string::npos;
  const std::string text = v4 ? std::string(kWrapped) + ip : ip;
  EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &address.sin6_addr), 1) << ip;
  return address;
}

std::string text(const sockaddr_in6& address) {
  std::array<char, INET6_ADDRSTRLEN> buffer;
  std::string ip = inet_ntop(AF_INET6, &address.sin6_addr, buffer.data(), buffer.size());
  return ip.starts_with(kWrapped) ? ip.substr(kWrapped.size()) : ip;
}

const sockaddr* generic(const sockaddr_in6& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

UniqueFd new_socket(Protocol protocol, int flags) {
  const int type = protocol == Protocol::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd fd(::socket(AF_INET6, type | SOCK_CLOEXEC | flags, 0));
  const int off = 0;
  EXPECT_EQ(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
  return fd;
}

// An address of the n-th network.
std::string member(std::size_t network, Ip::Family family, int host) {
  return family == Ip::Family::kV4 ? fmt::format("10.{}.0.{}", network, host)
                                   : fmt::format("fd00:{}::{}", network, host);
}

std::size_t number_of(char network) {
  return Lan::kNetworks.find(network) + 1;
}

bool is_ready(int fd, short events, int milliseconds) {
  pollfd one{fd, events, 0};
  return ::poll(&one, 1, milliseconds) == 1;
}

// One question and its answer, in the calling thread's network namespace.
std::string ask_here(int milliseconds, const sockaddr_in6& server, Protocol protocol) {
  const UniqueFd socket = new_socket(protocol, SOCK_NONBLOCK);
  (void)::connect(socket.get(), generic(server), sizeof server);
  if (!is_ready(socket.get(), POLLOUT, milliseconds)) return "nothing";
  if (protocol == Protocol::kUdp) (void)::send(socket.get(), "?", 1, MSG_NOSIGNAL);
  if (!is_ready(socket.get(), POLLIN, milliseconds)) return "nothing";
  std::array<char, 128> answer;
  const auto size = ::recv(socket.get(), answer.data(), answer.size(), 0);
  return size > 0 ? std::string(answer.data(), static_cast<std::size_t>(size)) : "nothing";
}

// The checksum of RFC 9293, 3.1, of a segment without data over IPv4.
std::uint16_t checksum(const tcphdr& segment, const in_addr& from, const in_addr& to) {
  std::uint32_t sum = htons(IPPROTO_TCP) + htons(sizeof segment);
  const auto add = [&](const void* data, std::size_t bytes) {
    std::uint16_t word = 0;
    for (std::size_t i = 0; i < bytes; i += sizeof word) {
      std::memcpy(&word, static_cast<const char*>(data) + i, sizeof word);
      sum += word;
    }
  };
  add(&from, sizeof from);
  add(&to, sizeof to);
  add(&segment, sizeof segment);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

in_addr unwrapped(const sockaddr_in6& address) {
  in_addr v4{};
  std::memcpy(&v4, &address.sin6_addr.s6_addr[12], sizeof v4);
  return v4;
}

// Sends an acknowledgement of that sequence number by a raw socket of the calling thread's network
// namespace; the socket.
UniqueFd send_segment(const sockaddr_in6& from, const sockaddr_in6& to, std::uint32_t sequence) {
  const bool v4 = IN6_IS_ADDR_V4MAPPED(&to.sin6_addr);
  UniqueFd raw(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
  tcphdr segment{};
  segment.th_sport = from.sin6_port;
  segment.th_dport = to.sin6_port;
  segment.th_seq = htonl(sequence);
  segment.th_ack = htonl(sequence);
  segment.th_off = sizeof segment / 4;
  segment.th_flags = TH_ACK;
  segment.th_win = htons(1024);
  sockaddr_in to4{.sin_family = AF_INET, .sin_addr = unwrapped(to)};
  sockaddr_in6 to6 = to;
  to6.sin6_port = 0;
  if (v4) {
    segment.th_sum = checksum(segment, unwrapped(from), to4.sin_addr);
  } else {
    const int at = offsetof(tcphdr, th_sum);
    EXPECT_EQ(::setsockopt(raw.get(), IPPROTO_IPV6, IPV6_CHECKSUM, &at, sizeof at), 0);
  }
  EXPECT_EQ(::sendto(raw.get(), &segment, sizeof segment, 0,
                     v4 ? reinterpret_cast<const sockaddr*>(&to4) : generic(to6),
                     v4 ? sizeof to4 : sizeof to6),
            static_cast<ssize_t>(sizeof segment));
  return raw;
}

}  // namespace

class Servers {
 public:
  Servers() : stop_(::eventfd(0, EFD_CLOEXEC)) {}
  ~Servers() {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    if (thread_.joinable()) thread_.join();
  }

  // In the calling thread's network namespace; before start().
  void add(const std::string& node, Protocol protocol) {
    Server server{node, protocol, new_socket(protocol, 0)};
    const auto address = socket_address("::", Lan::kPort);
    ASSERT_EQ(::bind(server.socket.get(), generic(address), sizeof address), 0) << node;
    if (protocol == Protocol::kTcp) {
      ASSERT_EQ(::listen(server.socket.get(), 16), 0);
    }
    servers_.push_back(std::move(server));
  }

  void start() {
    thread_ = std::thread([this] { run(); });
  }

 private:
  struct Server {
    std::string node;
    Protocol protocol;
    UniqueFd socket;
  };

  void run() const {
    std::vector<pollfd> waiting{{stop_.get(), POLLIN, 0}};
    for (const auto& server : servers_) waiting.push_back({server.socket.get(), POLLIN, 0});
    for (;;) {
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      if (waiting[0].revents != 0) return;
      for (std::size_t i = 0; i < servers_.size(); ++i) {
        if (waiting[i + 1].revents != 0) answer(servers_[i]);
      }
    }
  }

  static void answer(const Server& server) {
    sockaddr_in6 client{};
    socklen_t size = sizeof client;
    auto* address = reinterpret_cast<sockaddr*>(&client);
    const auto words = [&] { return fmt::format("{} sees {}", server.node, text(client)); };
    if (server.protocol == Protocol::kTcp) {
      const UniqueFd connection(::accept4(server.socket.get(), address, &size, SOCK_CLOEXEC));
      (void)::send(connection.get(), words().data(), words().size(), MSG_NOSIGNAL);
    } else {
      std::array<char, 8> question;
      (void)::recvfrom(server.socket.get(), question.data(), question.size(), 0, address, &size);
      (void)::sendto(server.socket.get(), words().data(), words().size(), 0, address, size);
    }
  }

  UniqueFd stop_;
  std::vector<Server> servers_;
  std::thread thread_;
};

Lan::Lan() : servers_(std::make_unique<Servers>()) {
  nodes_.emplace("host", kernel::Netns::current().value());
  run("host", "ip link set lo up; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  serve("host");
  for (const char network : kNetworks) add_network({network});
  add_lan();
  servers_->start();
}

Lan::~Lan() {
  servers_.reset();
  for (const auto& [name, netns] : nodes_) {
    if (name == "host") continue;
    EXPECT_TRUE(kernel::Netns::remove(scratch_dir() + "/" + name));
  }
  for (const char network : kNetworks) run("host", fmt::format("ip link del br-{}", network));
}

std::string Lan::address(const std::string& node, Ip::Family family) {
  const bool v4 = family == Ip::Family::kV4;
  if (node == "host") return v4 ? "192.0.2.1" : "fd00:99::1";
  if (node == "lan") return v4 ? "192.0.2.9" : "fd00:99::9";
  return member(number_of(node[0]), family, node[1] - '0' + 1);
}

std::string Lan::gateway(const std::string& network, Ip::Family family) {
  return member(number_of(network[0]), family, 1);
}

Cidr Lan::subnet(const std::string& network, Ip::Family family) {
  const Ip gateway_ip = Ip::parse(gateway(network, family)).value();
  return Cidr(gateway_ip, gateway_ip.is_v4() ? 24 : 64).network();
}

void Lan::run(const std::string& node, const std::string& command) {
  const auto finished = kernel::run_in(
      nodes_.at(node), [&]() -> Result<Finished> { return shell("set -e; " + command); });
  ASSERT_TRUE(finished) << finished.error().message;
  ASSERT_EQ(finished->status, 0) << node << ": " << command << ": " << finished->output;
}

// As the bridge driver makes it: route_localnet and the route to ::1 let the host's loopback
// addresses reach published ports.
void Lan::add_network(const std::string& name) {
  const std::string gateway4 = gateway(name, Ip::Family::kV4);
  const std::string gateway6 = gateway(name, Ip::Family::kV6);
  run("host", fmt::format("ip link add br-{0} type bridge; ip addr add {1}/24 dev br-{0}; "
                          "ip addr add {2}/64 dev br-{0} nodad; ip link set br-{0} up; "
                          "sysctl -qw net.ipv4.conf.br-{0}.route_localnet=1; "
                          "ip -6 route append local ::1 dev br-{0} table local metric 2000",
                          name, gateway4, gateway6));
  for (const int i : {1, 2}) {
    const std::string node = fmt::format("{}{}", name, i);
    const std::string path = scratch_dir() + "/" + node;
    nodes_.emplace(node, kernel::Netns::create(path).value());
    run("host", fmt::format("ip link add veth-{0} type veth peer name eth0 netns {1}; "
                            "ip link set veth-{0} master br-{2} up",
                            node, path, name));
    run(node, fmt::format("ip link set lo up; ip addr add {0}/24 dev eth0; "
                          "ip addr add {1}/64 dev eth0 nodad; ip link set eth0 up; "
                          "ip route add default via {2}; ip route add default via {3}",
                          address(node, Ip::Family::kV4), address(node, Ip::Family::kV6), gateway4,
                          gateway6));
    serve(node);
  }
}

void Lan::add_lan() {
  const std::string path = scratch_dir() + "/lan";
  nodes_.emplace("lan", kernel::Netns::create(path).value());
  run("host", fmt::format("ip link add lan0 type veth peer name eth0 netns {}; "
                          "ip addr add 192.0.2.1/24 dev lan0; "
                          "ip addr add fd00:99::1/64 dev lan0 nodad; ip link set lan0 up; "
                          "ip route add default via 192.0.2.9; ip route add default via fd00:99::9",
                          path));
  // Its lo stays down, so 127/8 and ::1 are not its own.
  run("lan",
      "ip addr add 192.0.2.9/24 dev eth0; ip addr add fd00:99::9/64 dev eth0 nodad; "
      "ip link set eth0 up; sysctl -qw net.ipv4.conf.all.route_localnet=1; "
      "ip route add 127.0.0.0/8 via 192.0.2.1; ip route add 10.0.0.0/8 via 192.0.2.1; "
      "ip route add ::1 via fd00:99::1; ip route add fd00::/16 via fd00:99::1");
  serve("lan");
}

void Lan::serve(const std::string& node) {
  const auto added = kernel::run_in(nodes_.at(node), [&]() -> Status {
    for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp}) servers_->add(node, protocol);
    return {};
  });
  ASSERT_TRUE(added) << added.error().message;
}

std::string Lan::ask(const std::string& node, const std::string& ip, Port port, Protocol protocol) {
  return ask_within(kPatience, node, ip, port, protocol);
}

bool Lan::is_refused(const std::string& node, const std::string& ip, Port port, Protocol protocol) {
  return ask_within(kShortPatience, node, ip, port, protocol) == "nothing";
}

bool Lan::pings(const std::string& node, const std::string& ip) {
  return kernel::run_in(
             nodes_.at(node),
             [&]() -> Result<bool> { return shell("ping -c 3 -i 0.2 -W 1 " + ip).status == 0; })
      .value();
}

std::string Lan::send_stray_segment(const std::string& node, Ip::Family family) {
  const bool v4 = family == Ip::Family::kV4;
  const auto raw_socket = [&](const std::string& where) {
    return kernel::run_in(nodes_.at(where),
                          [&]() -> Result<UniqueFd> {
                            return UniqueFd(::socket(v4 ? AF_INET : AF_INET6,
                                                     SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
                          })
        .value();
  };
  const UniqueFd receiver = raw_socket("lan");
  const UniqueFd sender = raw_socket(node);
  tcphdr segment{};
  segment.th_sport = htons(kStrayPort);
  segment.th_dport = htons(kPort);
  segment.th_off = sizeof segment / 4;
  segment.th_flags = TH_SYN | TH_ACK;  // answers nothing, and its checksum is wrong
  const std::string lan = address("lan", family);
  const auto lan6 = socket_address(lan, 0);
  sockaddr_in lan4{.sin_family = AF_INET};
  inet_pton(AF_INET, lan.c_str(), &lan4.sin_addr);
  const auto sent = ::sendto(sender.get(), &segment, sizeof segment, 0,
                             v4 ? reinterpret_cast<const sockaddr*>(&lan4) : generic(lan6),
                             v4 ? sizeof lan4 : sizeof lan6);
  EXPECT_EQ(sent, static_cast<ssize_t>(sizeof segment));
  while (is_ready(receiver.get(), POLLIN, kShortPatience)) {
    // A raw IPv4 socket gives the IP header as well (raw(7)), which has no options here.
    const std::size_t skip = v4 ? 20 : 0;
    std::array<char, 256> packet;
    sockaddr_storage from{};
    socklen_t from_size = sizeof from;
    const auto size = ::recvfrom(receiver.get(), packet.data(), packet.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size != static_cast<ssize_t>(skip + sizeof segment)) continue;
    std::memcpy(&segment, packet.data() + skip, sizeof segment);
    if (segment.th_sport != htons(kStrayPort)) continue;
    std::array<char, NI_MAXHOST> ip;
    EXPECT_EQ(::getnameinfo(reinterpret_cast<sockaddr*>(&from), from_size, ip.data(), ip.size(),
                            nullptr, 0, NI_NUMERICHOST),
              0);
    return ip.data();
  }
  return "nothing";
}

bool Lan::outlives_segments_out_of_window(const std::string& client, const std::string& server,
                                          const std::string& ip, Port port) {
  const auto in = [&](const std::string& node, const std::function<UniqueFd()>& open) {
    return kernel::run_in(nodes_.at(node), [&]() -> Result<UniqueFd> { return open(); }).value();
  };
  const UniqueFd listener = in(server, [] {
    UniqueFd fd = new_socket(Protocol::kTcp, 0);
    const int on = 1;  // connections before this one may wait for their end
    EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    const auto address = socket_address("::", kIdlePort);
    EXPECT_EQ(::bind(fd.get(), generic(address), sizeof address), 0);
    EXPECT_EQ(::listen(fd.get(), 1), 0);
    return fd;
  });
  const UniqueFd asking = in(client, [&] {
    UniqueFd fd = new_socket(Protocol::kTcp, SOCK_NONBLOCK);
    const auto address = socket_address(ip, port);
    (void)::connect(fd.get(), generic(address), sizeof address);
    return fd;
  });
  if (!is_ready(listener.get(), POLLIN, kPatience)) return false;
  sockaddr_in6 local{};
  sockaddr_in6 peer{};
  socklen_t size = sizeof peer;
  const UniqueFd answering(
      ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
  if (client == "lan") {  // then that is its end
    EXPECT_EQ(::getsockname(asking.get(), reinterpret_cast<sockaddr*>(&local), &size), 0);
    peer = socket_address(ip, port);
  } else {
    EXPECT_EQ(::getsockname(answering.get(), reinterpret_cast<sockaddr*>(&local), &size), 0);
  }
  // Wherever the window is, two of them are ahead of it.
  for (std::uint32_t quarter = 0; quarter < 4; ++quarter)
    in("lan", [&] { return send_segment(local, peer, quarter << 30); });
  (void)is_ready(asking.get(), POLLIN, kShortPatience);  // a reset, if there is one
  char byte = 'x';
  return ::send(answering.get(), &byte, 1, MSG_NOSIGNAL) == 1 &&
         is_ready(asking.get(), POLLIN, kPatience) && ::recv(asking.get(), &byte, 1, 0) == 1;
}

std::string Lan::ask_within(int milliseconds, const std::string& node, const std::string& ip,
                            Port port, Protocol protocol) {
  return kernel::run_in(nodes_.at(node),
                        [&]() -> Result<std::string> {
                          return ask_here(milliseconds, socket_address(ip, port), protocol);
                        })
      .value();
}

}  // namespace berth::testing
