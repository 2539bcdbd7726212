// Probing the host's ports against real sockets, in a namespace with nothing but lo.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernel/netlink/address.h"
#include "kernel/port/bind_probe.h"
#include "kernel_test_ns.h"

namespace berth::kernel {
namespace {

using testing::cidr;
using testing::ifname;
using testing::ip;
using testing::must;

constexpr Port kPort = 8080;
const std::optional<Ip> kAnyAddress;

struct Address {
  sockaddr_in6 storage{};
  socklen_t size;
  explicit Address(const Ip& to, Port port) {
    if (to.is_v4()) {
      sockaddr_in in{.sin_family = AF_INET, .sin_port = htons(port)};
      std::ranges::copy(to.bytes(), reinterpret_cast<std::uint8_t*>(&in.sin_addr));
      std::memcpy(&storage, &in, size = sizeof in);
    } else {
      storage = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
      std::ranges::copy(to.bytes(), reinterpret_cast<std::uint8_t*>(&storage.sin6_addr));
      size = sizeof storage;
    }
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

enum class Reuse { kNo, kYes };

// An IPv6 socket is one of IPv4 too, unless it says otherwise (ipv6(7)).
UniqueFd bound(int type, const Ip& to, Port port, Reuse reuse = Reuse::kNo, bool only_v6 = false) {
  UniqueFd fd(socket(to.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
  const int on = reuse == Reuse::kYes ? 1 : 0;
  EXPECT_EQ(setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
  const int only = only_v6 ? 1 : 0;
  if (!to.is_v4()) {
    EXPECT_EQ(setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), 0);
  }
  const Address address(to, port);
  EXPECT_EQ(bind(fd.get(), address.get(), address.size), 0) << std::strerror(errno);
  return fd;
}

UniqueFd listening(const Ip& on, Port port, Reuse reuse = Reuse::kNo) {
  auto fd = bound(SOCK_STREAM, on, port, reuse);
  EXPECT_EQ(listen(fd.get(), 1), 0) << std::strerror(errno);
  return fd;
}

UniqueFd connected(UniqueFd fd, const Ip& to, Port port) {
  const Address address(to, port);
  EXPECT_EQ(connect(fd.get(), address.get(), address.size), 0) << std::strerror(errno);
  return fd;
}

// Leaves a connection in TIME_WAIT on kPort of 127.0.0.1, whose listener is gone.
void linger_on_port(Reuse reuse) {
  auto listener = listening(ip("127.0.0.1"), kPort, reuse);
  auto client =
      connected(UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), ip("127.0.0.1"), kPort);
  UniqueFd server(accept(listener.get(), nullptr, nullptr));
  ASSERT_TRUE(server);
  listener.reset();
  server.reset();  // who closes first lingers
  char byte;
  ASSERT_EQ(read(client.get(), &byte, 1), 0);
}

// Each test in a namespace of its own, so that no port is left over from another.
class PortTest : public ::testing::Test {
 protected:
  static void in_fresh_namespace(const std::function<void()>& body) {
    testing::TestNs ns;
    must(ns.route.request(set_link_up(ifname("lo"), true)));
    must(ns.route.request(add_address(1, cidr("10.0.0.1/24"))));
    must(run_in(ns.netns, [&]() -> Status {
      body();
      return {};
    }));
  }
};

TEST_F(PortTest, FreeWhereNothingIsBound) {
  in_fresh_namespace([] {
    for (const auto protocol : {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp}) {
      EXPECT_TRUE(must(port_free(protocol, kAnyAddress, kPort)));
      EXPECT_TRUE(must(port_free(protocol, ip("127.0.0.1"), kPort)));
      EXPECT_TRUE(must(port_free(protocol, ip("::1"), kPort)));
    }
  });
}

TEST_F(PortTest, AListenerTakesItsAddressAndAllOfThem) {
  in_fresh_namespace([] {
    for (const auto reuse : {Reuse::kNo, Reuse::kYes}) {
      const auto listener = listening(ip("127.0.0.1"), kPort, reuse);
      EXPECT_FALSE(must(port_free(Protocol::kTcp, ip("127.0.0.1"), kPort)));
      EXPECT_FALSE(must(port_free(Protocol::kTcp, kAnyAddress, kPort)));
      EXPECT_FALSE(must(port_free(Protocol::kTcp, ip("0.0.0.0"), kPort)));
      EXPECT_TRUE(must(port_free(Protocol::kTcp, ip("10.0.0.1"), kPort)));
      EXPECT_TRUE(must(port_free(Protocol::kTcp, ip("::1"), kPort)));
      EXPECT_TRUE(must(port_free(Protocol::kUdp, ip("127.0.0.1"), kPort)));
      EXPECT_TRUE(must(port_free(Protocol::kTcp, ip("127.0.0.1"), kPort + 1)));
    }
  });
}

TEST_F(PortTest, AListenerOnAllAddressesTakesEach) {
  in_fresh_namespace([] {
    for (const char* all : {"0.0.0.0", "::"}) {
      const auto listener = listening(ip(all), kPort);
      EXPECT_FALSE(must(port_free(Protocol::kTcp, ip("10.0.0.1"), kPort))) << all;
      EXPECT_FALSE(must(port_free(Protocol::kTcp, kAnyAddress, kPort))) << all;
    }
  });
}

TEST_F(PortTest, AnIpv6ListenerTakesNoIpv4Port) {
  in_fresh_namespace([] {
    const auto listener = listening(ip("::1"), kPort);
    EXPECT_FALSE(must(port_free(Protocol::kTcp, ip("::1"), kPort)));
    EXPECT_FALSE(must(port_free(Protocol::kTcp, kAnyAddress, kPort)));
    EXPECT_TRUE(must(port_free(Protocol::kTcp, ip("127.0.0.1"), kPort)));
  });
}

TEST_F(PortTest, AllOfIpv4AndAllOfIpv6AreApart) {
  in_fresh_namespace([] {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      const auto protocol = type == SOCK_STREAM ? Protocol::kTcp : Protocol::kUdp;
      const auto take = [&](const char* all, Port port, bool only_v6) {
        auto fd = bound(type, ip(all), port, Reuse::kNo, only_v6);
        if (type == SOCK_STREAM) {
          EXPECT_EQ(listen(fd.get(), 1), 0);
        }
        return fd;
      };
      const auto free4 = [&](Port port) { return must(port_free(protocol, ip("0.0.0.0"), port)); };
      const auto free6 = [&](Port port) { return must(port_free(protocol, ip("::"), port)); };
      const auto v4 = take("0.0.0.0", kPort, false);
      EXPECT_FALSE(free4(kPort));
      EXPECT_TRUE(free6(kPort));
      const auto v6 = take("::", kPort + 1, true);
      EXPECT_TRUE(free4(kPort + 1));
      EXPECT_FALSE(free6(kPort + 1));
      const auto both = take("::", kPort + 2, false);
      EXPECT_FALSE(free4(kPort + 2));
      EXPECT_FALSE(free6(kPort + 2));
      for (const int port : {kPort + 0, kPort + 1, kPort + 2})
        EXPECT_FALSE(must(port_free(protocol, kAnyAddress, static_cast<Port>(port)))) << port;
    }
  });
}

TEST_F(PortTest, ConnectionsThatLingerTakeNothing) {
  for (const auto reuse : {Reuse::kNo, Reuse::kYes}) {
    in_fresh_namespace([&] {
      linger_on_port(reuse);
      EXPECT_TRUE(must(port_free(Protocol::kTcp, ip("127.0.0.1"), kPort)));
      EXPECT_TRUE(must(port_free(Protocol::kTcp, kAnyAddress, kPort)));
    });
  }
}

TEST_F(PortTest, AnOpenConnectionTakesNothing) {
  in_fresh_namespace([] {
    const auto listener = listening(ip("127.0.0.1"), kPort + 1);
    const auto client =
        connected(bound(SOCK_STREAM, ip("127.0.0.1"), kPort), ip("127.0.0.1"), kPort + 1);
    EXPECT_TRUE(must(port_free(Protocol::kTcp, ip("127.0.0.1"), kPort)));
  });
}

TEST_F(PortTest, ABoundSocketThatDoesNotListenYetTakesItsPort) {
  in_fresh_namespace([] {
    const auto early = bound(SOCK_STREAM, ip("127.0.0.1"), kPort);
    EXPECT_FALSE(must(port_free(Protocol::kTcp, ip("127.0.0.1"), kPort)));
  });
}

TEST_F(PortTest, AnyBoundUdpSocketTakesItsPort) {
  in_fresh_namespace([] {
    const auto receiver = bound(SOCK_DGRAM, ip("127.0.0.1"), kPort, Reuse::kYes);
    EXPECT_FALSE(must(port_free(Protocol::kUdp, ip("127.0.0.1"), kPort)));
    EXPECT_FALSE(must(port_free(Protocol::kUdp, kAnyAddress, kPort)));
    EXPECT_TRUE(must(port_free(Protocol::kTcp, ip("127.0.0.1"), kPort)));
  });
}

TEST_F(PortTest, AnAddressThatTheHostLacksIsAnError) {
  in_fresh_namespace([] {
    const auto none = port_free(Protocol::kTcp, ip("10.9.9.77"), kPort);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::kNotFound);
    EXPECT_EQ(none.error().message, "bind tcp 10.9.9.77:8080: Cannot assign requested address");
    const auto none6 = port_free(Protocol::kUdp, ip("fd00::77"), kPort);
    ASSERT_FALSE(none6);
    EXPECT_EQ(none6.error().message, "bind udp [fd00::77]:8080: Cannot assign requested address");
  });
}

TEST_F(PortTest, PrivilegedPortsNeedACapability) {
  in_fresh_namespace([] {
    testing::without_capabilities([] {
      const auto refused = port_free(Protocol::kTcp, kAnyAddress, 80);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().kind, ErrorKind::kPermission);
      EXPECT_EQ(refused.error().message,
                "bind tcp *:80: ports below net.ipv4.ip_unprivileged_port_start need "
                "CAP_NET_BIND_SERVICE, which this process lacks");
    });
  });
}

TEST_F(PortTest, AnyFreePortIsFree) {
  in_fresh_namespace([] {
    for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) {
      for (const auto& address : {kAnyAddress, std::optional(ip("127.0.0.1"))}) {
        const auto port = must(any_free_port(protocol, address));
        EXPECT_GE(port, 1024);
        EXPECT_TRUE(must(port_free(protocol, address, port)));
      }
    }
  });
}

TEST_F(PortTest, OneNumberIsFreeOnEveryAddressThatIsAsked) {
  in_fresh_namespace([] {
    ASSERT_EQ(std::system("sysctl -qw net.ipv4.ip_local_port_range='20000 20003'"), 0);
    const std::vector<Ip> both{ip("0.0.0.0"), ip("::")};
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      const auto protocol = type == SOCK_STREAM ? Protocol::kTcp : Protocol::kUdp;
      // Each number but 20002 is taken in one of the families.
      const auto first = bound(type, ip("::1"), 20000, Reuse::kNo, true);
      const auto second = bound(type, ip("10.0.0.1"), 20001);
      auto last = bound(type, ip("::"), 20003);
      EXPECT_EQ(must(any_free_port_on(protocol, both)), 20002);
      const auto only = bound(type, ip("127.0.0.1"), 20002);
      const auto none = any_free_port_on(protocol, both);
      ASSERT_FALSE(none);
      EXPECT_EQ(none.error().kind, ErrorKind::kExhausted);
      last.reset();
      const std::vector<Ip> one_each{ip("10.0.0.1"), ip("::1")};
      const auto port = must(any_free_port_on(protocol, one_each));
      EXPECT_TRUE(port == 20002 || port == 20003) << port;
    }
  });
}

TEST_F(PortTest, AFreePortIsFoundWhereOneOfAThousandIsRight) {
  in_fresh_namespace([] {
    ASSERT_EQ(std::system("sysctl -qw net.ipv4.ip_local_port_range='20000 29999'"), 0);
    ASSERT_EQ(std::system("sysctl -qw net.ipv4.ip_local_reserved_ports='20001,20005-20009'"), 0);
    const std::vector<Ip> both{ip("0.0.0.0"), ip("::")};
    for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) {
      const auto taken = bound(SOCK_STREAM, ip("127.0.0.1"), 20004);
      const auto is_below = [](Port end) { return [end](Port port) { return port < end; }; };
      EXPECT_EQ(must(any_free_port_on(protocol, both, is_below(20001))), 20000);
      const auto third = [](Port port) { return port == 20003; };
      EXPECT_EQ(must(any_free_port_on(protocol, both, third)), 20003);
      const auto reserved = [](Port port) { return port == 20001 || port == 20007; };
      const auto none = any_free_port_on(protocol, both, reserved);
      ASSERT_FALSE(none);
      EXPECT_EQ(none.error().kind, ErrorKind::kExhausted);
    }
  });
}

TEST_F(PortTest, AnAddressThatIsYetToComeCanBeAskedAbout) {
  in_fresh_namespace([] {
    const auto on_all = listening(ip("::"), kPort);  // of both families
    for (const auto* absent : {"10.9.9.77", "fd00::77"}) {
      EXPECT_EQ(port_free(Protocol::kTcp, ip(absent), kPort + 1).error().kind,
                ErrorKind::kNotFound);
      const auto is_free = [&](Protocol protocol, Port port) {
        return must(port_free(protocol, ip(absent), port, Absent::kAllowed));
      };
      EXPECT_TRUE(is_free(Protocol::kTcp, kPort + 1)) << absent;
      EXPECT_TRUE(is_free(Protocol::kUdp, kPort)) << absent;
      EXPECT_FALSE(is_free(Protocol::kTcp, kPort)) << absent;
      const std::vector<Ip> on{ip(absent)};
      const auto any = [](Port) { return true; };
      EXPECT_GE(must(any_free_port_on(Protocol::kUdp, on, any, Absent::kAllowed)), 1024);
    }
  });
}

TEST_F(PortTest, TheOwnerOfAListenerIsNamed) {
  in_fresh_namespace([] {
    const auto listener = listening(ip("127.0.0.1"), kPort);
    const auto receiver = bound(SOCK_DGRAM, ip("::"), kPort);
    const auto me = fmt::format("{}/", getpid());
    for (const auto& address : {kAnyAddress, std::optional(ip("127.0.0.1"))}) {
      for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) {
        const auto owner = listener_owner(protocol, address, kPort);
        ASSERT_TRUE(owner);
        EXPECT_TRUE(owner->starts_with(me) && owner->size() > me.size()) << *owner;
      }
    }
    EXPECT_TRUE(listener_owner(Protocol::kUdp, ip("::1"), kPort));
    EXPECT_FALSE(listener_owner(Protocol::kTcp, ip("::"), kPort));
    EXPECT_FALSE(listener_owner(Protocol::kTcp, ip("10.0.0.1"), kPort));
    EXPECT_FALSE(listener_owner(Protocol::kTcp, kAnyAddress, kPort + 1));
    EXPECT_FALSE(listener_owner(Protocol::kSctp, kAnyAddress, kPort));
  });
}

}  // namespace
}  // namespace berth::kernel
