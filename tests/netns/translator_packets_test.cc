// The translator's programs, packet by packet (BPF_PROG_TEST_RUN), and the making of its devices.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "kernel/bpf/program.h"
#include "kernel/netlink/filter.h"
#include "kernel/netlink/link.h"
#include "kernel/netns/netns.h"
#include "translator/program.h"
#include "translator/translator.h"

namespace berth::translator {
namespace {

using Packet = std::vector<std::uint8_t>;

Packet operator+(Packet a, const Packet& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Packet be16(unsigned value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}
Packet be32(unsigned value) {
  return be16(value >> 16) + be16(value & 0xffff);
}
Packet bytes(const Ip& ip) {
  const auto all = ip.bytes();
  return {all.begin(), all.end()};
}
Packet ethernet(unsigned protocol) {
  return Packet(12, 2) + be16(protocol);
}

// RFC 1071, over whole bytes; of something with its checksum in place it is 0.
unsigned checksum(const Packet& of) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < of.size(); ++i) sum += i % 2 == 0 ? of[i] << 8 : of[i];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
Packet pseudo(const Ip& from, const Ip& to, unsigned protocol, std::size_t length) {
  return bytes(from) + bytes(to) + be32(static_cast<unsigned>(length)) + be32(protocol);
}

constexpr unsigned kTcp = 6, kUdp = 17, kSctp = 132, kIcmp = 1, kIcmp6 = 58, kFragment = 44;
const Ip kContainer4 = Ip::v4(10, 1, 0, 2);
const Ip kContainer6 = translated(kContainer4);

// A segment of `protocol` with its checksum, from port 5000 to 80.
Packet transport(unsigned protocol, const Ip& from, const Ip& to, const Packet& data) {
  Packet head = be16(5000) + be16(80);
  std::size_t at = 0;
  if (protocol == kTcp) {
    head = head + be32(1) + be32(2) + Packet{0x50, 0x18} + be16(1000) + be16(0) + be16(0);
    at = 16;
  } else if (protocol == kUdp) {
    head = head + be16(static_cast<unsigned>(8 + data.size())) + be16(0);
    at = 6;
  } else {
    return head + be32(7) + be32(0xabcdef01) + data;  // SCTP: its CRC is not of the addresses
  }
  auto all = head + data;
  const auto sum = be16(checksum(pseudo(from, to, protocol, all.size()) + all));
  std::copy(sum.begin(), sum.end(), all.begin() + static_cast<std::ptrdiff_t>(at));
  return all;
}

Packet ipv6(const Ip& from, const Ip& to, unsigned next, const Packet& payload) {
  return ethernet(0x86dd) + Packet{0x6b, 0x80, 0, 0} +  // traffic class 0xb8
         be16(static_cast<unsigned>(payload.size())) + Packet{static_cast<std::uint8_t>(next), 61} +
         bytes(from) + bytes(to) + payload;
}
Packet ipv4(const Ip& from, const Ip& to, unsigned protocol, const Packet& payload,
            unsigned offset = 0x4000, unsigned id = 0) {
  auto header = Packet{0x45, 0xb8} + be16(static_cast<unsigned>(20 + payload.size())) + be16(id) +
                be16(offset) + Packet{61, static_cast<std::uint8_t>(protocol)} + be16(0) +
                bytes(from) + bytes(to);
  const auto sum = be16(checksum(header));
  std::copy(sum.begin(), sum.end(), header.begin() + 10);
  return ethernet(0x0800) + header + payload;
}

class Programs : public ::testing::Test {
 protected:
  void SetUp() override {
    auto four = kernel::load_classifier("to4", to4());
    if (!four && four.error().kind == ErrorKind::kPermission) GTEST_SKIP() << four.error().message;
    ASSERT_TRUE(four) << four.error().message;
    auto six = kernel::load_classifier("to6", to6());
    ASSERT_TRUE(six) << six.error().message;
    to4_ = std::move(*four);
    to6_ = std::move(*six);
  }

  // The packet that comes out; empty: it was dropped.
  static Packet run(const UniqueFd& program, const Packet& in) {
    Packet out(4096);
    bpf_attr attributes{};
    attributes.test.prog_fd = static_cast<std::uint32_t>(program.get());
    attributes.test.data_in = reinterpret_cast<std::uintptr_t>(in.data());
    attributes.test.data_size_in = static_cast<std::uint32_t>(in.size());
    attributes.test.data_out = reinterpret_cast<std::uintptr_t>(out.data());
    attributes.test.data_size_out = static_cast<std::uint32_t>(out.size());
    attributes.test.repeat = 1;
    if (::syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof attributes) != 0) {
      ADD_FAILURE() << "BPF_PROG_TEST_RUN: " << std::strerror(errno);
      return {};
    }
    if (attributes.test.retval == TC_ACT_SHOT) return {};
    EXPECT_EQ(attributes.test.retval, static_cast<std::uint32_t>(TC_ACT_OK));
    out.resize(attributes.test.data_size_out);
    return out;
  }

  UniqueFd to4_, to6_;
};

TEST_F(Programs, TcpAndSctpGoThereAndBack) {
  for (const unsigned protocol : {kTcp, kSctp}) {
    for (const std::size_t size : {0, 1, 2, 999, 1400}) {
      const Packet data(size, 'x');
      const auto six =
          ipv6(client6(), kContainer6, protocol, transport(protocol, client6(), kContainer6, data));
      const auto four =
          ipv4(client4(), kContainer4, protocol, transport(protocol, client4(), kContainer4, data));
      EXPECT_EQ(run(to4_, six), four) << protocol << ' ' << size;

      const auto answer4 =
          ipv4(kContainer4, client4(), protocol, transport(protocol, kContainer4, client4(), data));
      const auto answer6 =
          ipv6(kContainer6, client6(), protocol, transport(protocol, kContainer6, client6(), data));
      EXPECT_EQ(run(to6_, answer4), answer6) << protocol << ' ' << size;
    }
  }
}

TEST_F(Programs, UdpMayBeFragmentedOnItsWay) {
  const Packet data(1000, 'u');
  auto four =
      run(to4_, ipv6(client6(), kContainer6, kUdp, transport(kUdp, client6(), kContainer6, data)));
  ASSERT_GT(four.size(), 34U);
  EXPECT_EQ(checksum({four.begin() + 14, four.begin() + 34}), 0U);
  const unsigned id = static_cast<unsigned>(four[18] << 8 | four[19]);  // drawn at random
  EXPECT_EQ(four, ipv4(client4(), kContainer4, kUdp, transport(kUdp, client4(), kContainer4, data),
                       0, id));
}

TEST_F(Programs, UdpWithoutAChecksumIsDropped) {
  auto segment = transport(kUdp, kContainer4, client4(), Packet(10, 'x'));
  ASSERT_FALSE(run(to6_, ipv4(kContainer4, client4(), kUdp, segment)).empty());
  segment[6] = segment[7] = 0;
  EXPECT_TRUE(run(to6_, ipv4(kContainer4, client4(), kUdp, segment)).empty());
}

TEST_F(Programs, FragmentsStayFragments) {
  const auto whole4 = transport(kUdp, kContainer4, client4(), Packet(2000, 'f'));
  const auto whole6 = transport(kUdp, kContainer6, client6(), Packet(2000, 'f'));
  const auto part = [](const Packet& of, std::size_t begin, std::size_t end) {
    return Packet(of.begin() + static_cast<std::ptrdiff_t>(begin),
                  of.begin() + static_cast<std::ptrdiff_t>(end));
  };
  const auto fragment = [](unsigned offset_and_more) {
    return Packet{kUdp, 0} + be16(offset_and_more) + be32(0x1234);
  };
  EXPECT_EQ(run(to6_, ipv4(kContainer4, client4(), kUdp, part(whole4, 0, 1480), 0x2000, 0x1234)),
            ipv6(kContainer6, client6(), kFragment, fragment(1) + part(whole6, 0, 1480)));
  EXPECT_EQ(run(to6_, ipv4(kContainer4, client4(), kUdp, part(whole4, 1480, 2008), 185, 0x1234)),
            ipv6(kContainer6, client6(), kFragment, fragment(1480) + part(whole6, 1480, 2008)));

  const auto back6 = transport(kUdp, client6(), kContainer6, Packet(2000, 'f'));
  const auto back4 = transport(kUdp, client4(), kContainer4, Packet(2000, 'f'));
  EXPECT_EQ(run(to4_, ipv6(client6(), kContainer6, kFragment, fragment(1) + part(back6, 0, 1480))),
            ipv4(client4(), kContainer4, kUdp, part(back4, 0, 1480), 0x2000, 0x1234));
  EXPECT_EQ(
      run(to4_, ipv6(client6(), kContainer6, kFragment, fragment(1480) + part(back6, 1480, 2008))),
      ipv4(client4(), kContainer4, kUdp, part(back4, 1480, 2008), 185, 0x1234));
}

// What of them is about a size tells the size of the other version.
TEST_F(Programs, ErrorsAreTranslatedWithWhatTheyAreAbout) {
  const auto about6 =
      ipv6(kContainer6, client6(), kTcp, transport(kTcp, kContainer6, client6(), Packet(100, 'x')));
  auto error6 = Packet{2, 0} + be16(0) + be32(1400) + Packet(about6.begin() + 14, about6.end());
  const auto sum = be16(checksum(pseudo(client6(), kContainer6, kIcmp6, error6.size()) + error6));
  std::copy(sum.begin(), sum.end(), error6.begin() + 2);
  const auto four = run(to4_, ipv6(client6(), kContainer6, kIcmp6, error6));
  ASSERT_EQ(four.size(), 14U + 20 + 8 + 20 + 8);
  EXPECT_EQ(checksum({four.begin() + 34, four.end()}), 0U);
  EXPECT_EQ(Packet(four.begin() + 34, four.begin() + 36), (Packet{3, 4}));
  EXPECT_EQ(Packet(four.begin() + 40, four.begin() + 42), be16(1380));
  EXPECT_EQ(Packet(four.begin() + 42 + 12, four.begin() + 62),
            bytes(kContainer4) + bytes(client4()));
  EXPECT_EQ(checksum({four.begin() + 42, four.begin() + 62}), 0U);

  const auto about4 =
      ipv4(client4(), kContainer4, kUdp, transport(kUdp, client4(), kContainer4, Packet(100, 'x')));
  auto error4 = Packet{3, 3} + be16(0) + be32(0) + Packet(about4.begin() + 14, about4.end());
  const auto sum4 = be16(checksum(error4));
  std::copy(sum4.begin(), sum4.end(), error4.begin() + 2);
  const auto six = run(to6_, ipv4(kContainer4, client4(), kIcmp, error4));
  ASSERT_EQ(six.size(), 14U + 40 + 8 + 40 + 8);
  const Packet icmp6(six.begin() + 54, six.end());
  EXPECT_EQ(checksum(pseudo(kContainer6, client6(), kIcmp6, icmp6.size()) + icmp6), 0U);
  EXPECT_EQ(Packet(icmp6.begin(), icmp6.begin() + 2), (Packet{1, 4}));
  EXPECT_EQ(Packet(icmp6.begin() + 16, icmp6.begin() + 48), bytes(client6()) + bytes(kContainer6));
}

TEST_F(Programs, DropEverythingElse) {
  const auto other6 = Ip::parse("2001:db8::1").value();
  const auto tcp = [](const Ip& from, const Ip& to) { return transport(kTcp, from, to, {}); };
  EXPECT_TRUE(run(to4_, ipv6(other6, kContainer6, kTcp, tcp(other6, kContainer6))).empty());
  EXPECT_TRUE(run(to4_, ipv6(client6(), other6, kTcp, tcp(client6(), other6))).empty());
  EXPECT_TRUE(run(to4_, ipv6(client6(), kContainer6, 0, Packet(8, 0))).empty());  // hop by hop
  EXPECT_TRUE(
      run(to4_, ipv6(client6(), kContainer6, kIcmp6, Packet{128, 0} + Packet(60, 0))).empty());
  EXPECT_TRUE(run(to4_, ipv4(client4(), kContainer4, kTcp, tcp(client4(), kContainer4))).empty());
  EXPECT_TRUE(
      run(to6_, ipv4(kContainer4, kContainer4, kTcp, tcp(kContainer4, kContainer4))).empty());
  EXPECT_TRUE(run(to6_, ipv4(kContainer4, client4(), 47, Packet(20, 0))).empty());  // GRE
  auto options = ipv4(kContainer4, client4(), kTcp, tcp(kContainer4, client4()));
  options[14] = 0x46;
  EXPECT_TRUE(run(to6_, options).empty());
}

TEST(Devices, AreMadeOnceMendedAndRemoved) {
  const auto tried = kernel::run_in_new([]() -> Status {
    auto socket = kernel::Socket::open(NETLINK_ROUTE);
    if (!socket) return std::unexpected(socket.error());
    auto& route = *socket;
    if (auto made = ensure(route); !made) return made;
    EXPECT_TRUE(intact(route).value());
    EXPECT_TRUE(ensure(route));
    const auto index = kernel::link_index(route, IfName::parse("berth46").value()).value().value();
    const auto filters =
        kernel::list_bpf_filters(route, index, kernel::Direction::kIngress).value();
    EXPECT_EQ(filters.size(), 1U);  // made twice, there once
    EXPECT_EQ(kernel::list_bpf_filters(route, 1, kernel::Direction::kIngress).value().size(), 0U);

    for (const char* damage :
         {"tc qdisc del dev berth46 clsact", "ip link set berth64 down",
          "ip -6 route del local ::1 dev berth64 table local", "ip route del 192.0.0.4",
          "ip -6 route del 64:ff9b:1::/96", "ip addr del 64:ff9b:1:ffff::1/128 dev berth64",
          "tc filter del dev berth46 egress", "ip link set berth46 mtu 1500",
          "ip link set berth46 arp on", "ip link del berth46"}) {
      EXPECT_EQ(std::system(damage), 0) << damage;
      EXPECT_FALSE(intact(route).value()) << damage;
      const auto mended = ensure(route);
      EXPECT_TRUE(mended) << damage << ": " << (mended ? "" : mended.error().message);
      EXPECT_TRUE(intact(route).value()) << damage;
    }
    EXPECT_TRUE(remove(route));
    EXPECT_FALSE(is_there(route).value());
    EXPECT_TRUE(remove(route));
    return {};
  });
  if (!tried && tried.error().kind == ErrorKind::kPermission) GTEST_SKIP() << tried.error().message;
  EXPECT_TRUE(tried) << tried.error().message;
}

// The printed plan makes what ensure() makes.
TEST(Devices, TheCommandsMakeThem) {
  const auto tried = kernel::run_in_new([]() -> Status {
    auto socket = kernel::Socket::open(NETLINK_ROUTE);
    if (!socket) return std::unexpected(socket.error());
    for (auto command : commands()) {
      const std::string_view object = "berth-translate.o";
      if (const auto at = command.find(object); at != std::string::npos)
        command.replace(at, object.size(), BERTH_TRANSLATE_OBJECT);
      EXPECT_EQ(std::system(command.c_str()), 0) << command;
    }
    const auto whole = intact(*socket);
    if (!whole) return std::unexpected(whole.error());
    EXPECT_TRUE(*whole);
    return {};
  });
  if (!tried && tried.error().kind == ErrorKind::kPermission) GTEST_SKIP() << tried.error().message;
  EXPECT_TRUE(tried) << tried.error().message;
}

}  // namespace
}  // namespace berth::translator
