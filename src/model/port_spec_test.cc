#include <gtest/gtest.h>

#include "berth/network.h"

namespace berth {
namespace {

struct Expected {
  const char* text;
  Protocol protocol;
  const char* host_ip;  // nullptr: none
  int host_first, host_last, container_first, container_last;
};

class ParsePortSpec : public ::testing::TestWithParam<Expected> {};

TEST_P(ParsePortSpec, TakesDockersForms) {
  const auto& expected = GetParam();
  const auto spec = parse_port_spec(expected.text);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->protocol, expected.protocol);
  EXPECT_EQ(spec->host_ip ? spec->host_ip->str() : "", expected.host_ip ? expected.host_ip : "");
  EXPECT_EQ(spec->host_first, expected.host_first);
  EXPECT_EQ(spec->host_last, expected.host_last);
  EXPECT_EQ(spec->container_first, expected.container_first);
  EXPECT_EQ(spec->container_last, expected.container_last);
}

constexpr auto kTcp = Protocol::kTcp, kUdp = Protocol::kUdp, kSctp = Protocol::kSctp;
INSTANTIATE_TEST_SUITE_P(
    , ParsePortSpec,
    ::testing::Values(Expected{"80", kTcp, nullptr, 0, 0, 80, 80},
                      Expected{"80/udp", kUdp, nullptr, 0, 0, 80, 80},
                      Expected{"80/UDP", kUdp, nullptr, 0, 0, 80, 80},
                      Expected{"80-82/sctp", kSctp, nullptr, 0, 0, 80, 82},
                      Expected{"8080:80", kTcp, nullptr, 8080, 8080, 80, 80},
                      Expected{"12211:8080/tcp", kTcp, nullptr, 12211, 12211, 8080, 8080},
                      Expected{":80", kTcp, nullptr, 0, 0, 80, 80},
                      Expected{"8080-8082:80-82", kTcp, nullptr, 8080, 8082, 80, 82},
                      Expected{"8080-8090:80", kTcp, nullptr, 8080, 8090, 80, 80},
                      Expected{"127.0.0.1:8080:80", kTcp, "127.0.0.1", 8080, 8080, 80, 80},
                      Expected{"127.0.0.1::80", kTcp, "127.0.0.1", 0, 0, 80, 80},
                      Expected{"127.0.0.1:8080-8081:80-81/udp", kUdp, "127.0.0.1", 8080, 8081, 80,
                               81},
                      Expected{"0.0.0.0:53:53/udp", kUdp, "0.0.0.0", 53, 53, 53, 53},
                      Expected{"[::1]:8080:80", kTcp, "::1", 8080, 8080, 80, 80},
                      Expected{"::1:8080:80", kTcp, "::1", 8080, 8080, 80, 80},
                      Expected{"[::1]::80", kTcp, "::1", 0, 0, 80, 80},
                      Expected{"0:80", kTcp, nullptr, 0, 0, 80, 80},
                      Expected{"127.0.0.1:0:80", kTcp, "127.0.0.1", 0, 0, 80, 80},
                      Expected{"[::ffff:127.0.0.1]:80:80", kTcp, "127.0.0.1", 80, 80, 80, 80},
                      Expected{"1:65535", kTcp, nullptr, 1, 1, 65535, 65535}));

struct Refused {
  const char* text;
  const char* said;
};

class RefusePortSpec : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusePortSpec, SaysWhatIsWrongAndWhatTheFormIs) {
  const auto spec = parse_port_spec(GetParam().text);
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(spec.error().message.find(GetParam().said), std::string::npos) << spec.error().message;
  EXPECT_TRUE(spec.error().message.starts_with("port '" + std::string(GetParam().text) + "': "))
      << spec.error().message;
  EXPECT_TRUE(spec.error().message.ends_with("containerPort[-containerPort][/tcp|udp|sctp]"));
}

INSTANTIATE_TEST_SUITE_P(
    , RefusePortSpec,
    ::testing::Values(Refused{"", "container port"}, Refused{"0", "container port"},
                      Refused{"65536", "container port"}, Refused{"-1", "container port"},
                      Refused{"+80", "container port"}, Refused{" 80", "container port"},
                      Refused{"80 ", "container port"}, Refused{"http", "container port"},
                      Refused{"82-80", "container port"}, Refused{"80-", "container port"},
                      Refused{"8080:", "container port"}, Refused{"0x50", "container port"},
                      Refused{"80/icmp", "protocol"}, Refused{"80/", "protocol"},
                      Refused{"00:80", "host port"}, Refused{"99999:80", "host port"},
                      Refused{"x:80", "host port"}, Refused{"127.0.0.1:80", "second ':'"},
                      Refused{"256.0.0.1:80:80", "host address"},
                      Refused{"host:80:80", "host address"}, Refused{"[::1:80:80", "host address"},
                      Refused{"8080-8081:80-82", "2 host ports"},
                      Refused{"8080:80-81", "1 host ports"},
                      Refused{"[fe80::1]:80:80", "link-local"}));

}  // namespace
}  // namespace berth
