// A small internet for tests of the firewall: a host with six bridged networks of two containers
// each, and a LAN with one more machine. The host is the namespace that the test runs in.
//
//   network  bridge  subnets                    containers  kind
//   a        br-a    10.1.0.0/24   fd00:1::/64  a1 a2       an ordinary one
//   b        br-b    10.2.0.0/24   fd00:2::/64  b1 b2       not masqueraded
//   i        br-i    10.3.0.0/24   fd00:3::/64  i1 i2       internal
//   d        br-d    10.4.0.0/24   fd00:4::/64  d1 d2       icc off
//   r        br-r    10.5.0.0/24   fd00:5::/64  r1 r2       routed
//   u        br-u    10.6.0.0/24   fd00:6::/64  u1 u2       unprotected
//   LAN      lan0    192.0.2.0/24  fd00:99::/64 lan         the host is 1, the machine 9
//
// A network's first container has host part 2, its second 3, the host itself 1.
//
// The machine on the LAN means no good: it routes the containers' subnets, 127.0.0.1 and ::1 to the
// host. Even the containers of the internal network have a default route.
//
// On every node a server answers on TCP and UDP port 8080 with "<node> sees <client's address>".
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "berth/address.h"
#include "kernel/netns/netns.h"

namespace berth::testing {

class Servers;  // the servers of all nodes on one thread

class Lan {
 public:
  static constexpr Port kPort = 8080;
  static constexpr Port kIdlePort = 8081;  ///< where nobody listens by itself

  /// Makes it all in the calling process's namespace: links, addresses, routes, servers.
  Lan();
  ~Lan();
  Lan(const Lan&) = delete;
  Lan& operator=(const Lan&) = delete;

  static constexpr std::string_view kNetworks = "abidru";

  /// The address of "a1" and the like, of "host" and "lan" on the LAN.
  [[nodiscard]] static std::string address(const std::string& node, Ip::Family family);
  /// The host's address on a network.
  [[nodiscard]] static std::string gateway(const std::string& network, Ip::Family family);
  [[nodiscard]] static Cidr subnet(const std::string& network, Ip::Family family);

  /// The server's answer to a client on `node` ("host", "lan", "a1", ...), or "nothing" if none
  /// came in time.
  [[nodiscard]] std::string ask(const std::string& node, const std::string& ip, Port port,
                                Protocol protocol = Protocol::kTcp);
  /// Whether a client on `node` gets no answer. Waits a shorter time than ask.
  [[nodiscard]] bool is_refused(const std::string& node, const std::string& ip, Port port,
                                Protocol protocol = Protocol::kTcp);

  /// Sends a TCP segment that belongs to no connection from `node` to the machine on the LAN: the
  /// address under which it arrives there, "nothing" if it does not.
  [[nodiscard]] std::string send_stray_segment(const std::string& node, Ip::Family family);

  /// Whether `ping` on a node gets an answer.
  [[nodiscard]] bool pings(const std::string& node, const std::string& ip);

  /// Runs a shell command on a node; it must succeed.
  void run(const std::string& node, const std::string& command);

  /// Whether a TCP connection from `client` to `ip` and `port`, which leads to `server`'s kIdlePort,
  /// goes on after segments outside of its window. The machine on the LAN is one of the two, and
  /// sends them.
  [[nodiscard]] bool outlives_segments_out_of_window(const std::string& client,
                                                     const std::string& server,
                                                     const std::string& ip, Port port);

 private:
  void add_network(const std::string& name);
  void add_lan();
  void serve(const std::string& node);
  [[nodiscard]] std::string ask_within(int milliseconds, const std::string& node,
                                       const std::string& ip, Port port, Protocol protocol);

  std::map<std::string, kernel::Netns> nodes_;
  std::unique_ptr<Servers> servers_;
};

}  // namespace berth::testing
