#include "nft_lan.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "nft_shell.h"

namespace berth::testing {
namespace {

constexpr int kPatience = 5000;      // milliseconds; an answer is awaited
constexpr int kShortPatience = 250;  // none is awaited

constexpr Port kStrayPort = 4711;  // the source port of stray segments

sockaddr_in socket_address(const std::string& ip, Port port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

UniqueFd new_socket(Protocol protocol, int flags) {
  const int type = protocol == Protocol::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  return UniqueFd(::socket(AF_INET, type | SOCK_CLOEXEC | flags, 0));
}

bool is_ready(int fd, short events, int milliseconds) {
  pollfd one{fd, events, 0};
  return ::poll(&one, 1, milliseconds) == 1;
}

// One question and its answer, in the calling thread's network namespace.
std::string ask_here(int milliseconds, const sockaddr_in& server, Protocol protocol) {
  const UniqueFd socket = new_socket(protocol, SOCK_NONBLOCK);
  (void)::connect(socket.get(), generic(server), sizeof server);
  if (!is_ready(socket.get(), POLLOUT, milliseconds)) return "nothing";
  if (protocol == Protocol::kUdp) (void)::send(socket.get(), "?", 1, MSG_NOSIGNAL);
  if (!is_ready(socket.get(), POLLIN, milliseconds)) return "nothing";
  std::array<char, 128> answer;
  const auto size = ::recv(socket.get(), answer.data(), answer.size(), 0);
  return size > 0 ? std::string(answer.data(), static_cast<std::size_t>(size)) : "nothing";
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
    const auto address = socket_address("0.0.0.0", Lan::kPort);
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
    sockaddr_in client{};
    socklen_t size = sizeof client;
    auto* address = reinterpret_cast<sockaddr*>(&client);
    const auto text = [&] {
      std::array<char, INET_ADDRSTRLEN> ip;
      return fmt::format("{} sees {}", server.node,
                         inet_ntop(AF_INET, &client.sin_addr, ip.data(), ip.size()));
    };
    if (server.protocol == Protocol::kTcp) {
      const UniqueFd connection(::accept4(server.socket.get(), address, &size, SOCK_CLOEXEC));
      (void)::send(connection.get(), text().data(), text().size(), MSG_NOSIGNAL);
    } else {
      std::array<char, 8> question;
      (void)::recvfrom(server.socket.get(), question.data(), question.size(), 0, address, &size);
      (void)::sendto(server.socket.get(), text().data(), text().size(), 0, address, size);
    }
  }

  UniqueFd stop_;
  std::vector<Server> servers_;
  std::thread thread_;
};

Lan::Lan() : servers_(std::make_unique<Servers>()) {
  nodes_.emplace("host", kernel::Netns::current().value());
  run("host", "ip link set lo up; sysctl -qw net.ipv4.ip_forward=1");
  serve("host");
  int number = 0;
  for (const char* network : {"a", "b", "i", "d"}) add_network(network, ++number);
  add_lan();
  servers_->start();
}

Lan::~Lan() {
  servers_.reset();
  for (const auto& [name, netns] : nodes_) {
    if (name == "host") continue;
    EXPECT_TRUE(kernel::Netns::remove(scratch_dir() + "/" + name));
  }
  for (const char* network : {"a", "b", "i", "d"})
    run("host", fmt::format("ip link del br-{}", network));
}

void Lan::run(const std::string& node, const std::string& command) {
  const auto finished = kernel::run_in(
      nodes_.at(node), [&]() -> Result<Finished> { return shell("set -e; " + command); });
  ASSERT_TRUE(finished) << finished.error().message;
  ASSERT_EQ(finished->status, 0) << node << ": " << command << ": " << finished->output;
}

// As the bridge driver makes it: route_localnet lets the host's 127.0.0.1 reach published ports.
void Lan::add_network(const std::string& name, int number) {
  const std::string gateway = fmt::format("10.{}.0.1", number);
  run("host", fmt::format("ip link add br-{0} type bridge; ip addr add {1}/24 dev br-{0}; "
                          "ip link set br-{0} up; sysctl -qw net.ipv4.conf.br-{0}.route_localnet=1",
                          name, gateway));
  for (const int i : {1, 2}) {
    const std::string node = fmt::format("{}{}", name, i);
    const std::string path = scratch_dir() + "/" + node;
    nodes_.emplace(node, kernel::Netns::create(path).value());
    run("host", fmt::format("ip link add veth-{0} type veth peer name eth0 netns {1}; "
                            "ip link set veth-{0} master br-{2} up",
                            node, path, name));
    run(node, fmt::format("ip link set lo up; ip addr add 10.{0}.0.{1}/24 dev eth0; "
                          "ip link set eth0 up; ip route add default via {2}",
                          number, i + 1, gateway));
    serve(node);
  }
}

void Lan::add_lan() {
  const std::string path = scratch_dir() + "/lan";
  nodes_.emplace("lan", kernel::Netns::create(path).value());
  run("host", fmt::format("ip link add lan0 type veth peer name eth0 netns {}; "
                          "ip addr add 192.0.2.1/24 dev lan0; ip link set lan0 up; "
                          "ip route add default via 192.0.2.9",
                          path));
  // Its lo stays down, so 127/8 is not its own.
  run("lan",
      "ip addr add 192.0.2.9/24 dev eth0; ip link set eth0 up; "
      "sysctl -qw net.ipv4.conf.all.route_localnet=1; "
      "ip route add 127.0.0.0/8 via 192.0.2.1; ip route add 10.0.0.0/8 via 192.0.2.1");
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

std::string Lan::send_stray_segment(const std::string& node) {
  const auto raw_socket = [&](const std::string& where) {
    return kernel::run_in(
               nodes_.at(where),
               []() -> Result<UniqueFd> {
                 return UniqueFd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
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
  const auto lan = socket_address("192.0.2.9", 0);
  EXPECT_EQ(::sendto(sender.get(), &segment, sizeof segment, 0, generic(lan), sizeof lan),
            static_cast<ssize_t>(sizeof segment));
  while (is_ready(receiver.get(), POLLIN, kShortPatience)) {
    struct {
      iphdr ip;  // without options: nobody here sends any
      tcphdr tcp;
    } packet;
    const auto size = ::recv(receiver.get(), &packet, sizeof packet, 0);
    if (size != sizeof packet || packet.tcp.th_sport != htons(kStrayPort)) continue;
    std::array<char, INET_ADDRSTRLEN> ip;
    return inet_ntop(AF_INET, &packet.ip.saddr, ip.data(), ip.size());
  }
  return "nothing";
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
