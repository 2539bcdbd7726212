#include "frontends/cli/human.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::vector<PortMapping> ports(std::initializer_list<std::string> texts) {
  std::vector<PortMapping> out;
  for (const auto& text : texts) {
    const auto spec = parse_port_spec(text);
    EXPECT_TRUE(spec) << text;
    for (int i = 0; i <= spec->container_last - spec->container_first; ++i) {
      out.push_back({spec->protocol, spec->host_ip.value_or(Ip()),
                     static_cast<Port>(spec->host_first + i),
                     static_cast<Port>(spec->container_first + i)});
    }
  }
  return out;
}

TEST(HumanDuration, IsWordedAsDockerDoes) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "Less than a second"}, {1, "1 second"},          {59, "59 seconds"},
      {60, "About a minute"},    {3540, "59 minutes"},     {3600, "About an hour"},
      {5400, "2 hours"},         {47 * 3600, "47 hours"},  {48 * 3600, "2 days"},
      {14 * 86400, "2 weeks"},   {60 * 86400, "2 months"}, {730 * 86400, "2 years"}};
  for (const auto& [seconds, text] : cases) EXPECT_EQ(human_duration(seconds * kSecond), text);
}

TEST(HumanSize, HasFourDigits) {
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(human_size(999), "999B");
  EXPECT_EQ(human_size(12'345), "12.35kB");
  EXPECT_EQ(human_size(4'096'000), "4.096MB");
}

TEST(GoTime, IsInUtc) {
  EXPECT_EQ(go_time(1'604'397'605 * kSecond), "2020-11-03 10:00:05 +0000 UTC");
}

TEST(StatusText, TellsStateAndAge) {
  Sandbox sandbox;
  EXPECT_EQ(status_text(sandbox, 0), "Created");
  sandbox.state = SandboxState::kRunning;
  sandbox.started = 10 * kSecond;
  EXPECT_EQ(status_text(sandbox, 15 * kSecond), "Up 5 seconds");
  sandbox.state = SandboxState::kExited;
  sandbox.exit_code = 137;
  sandbox.finished = 20 * kSecond;
  EXPECT_EQ(status_text(sandbox, 200 * kSecond), "Exited (137) 3 minutes ago");
}

TEST(CommandText, QuotesArgumentsWithBlanks) {
  EXPECT_EQ(command_text(std::vector<std::string>{"sh", "-c", "sleep 1"}), "sh -c 'sleep 1'");
}

TEST(PortsText, MergesRunsThatKeepTheirNumber) {
  EXPECT_EQ(ports_text({}), "");
  EXPECT_EQ(ports_text(ports({"12211:8080"})), "0.0.0.0:12211->8080/tcp");
  EXPECT_EQ(ports_text(ports({"80-82:80-82"})), "0.0.0.0:80-82->80-82/tcp");
  EXPECT_EQ(ports_text(ports({"82:82", "80:80", "81:81/udp"})),
            "0.0.0.0:80->80/tcp, 0.0.0.0:82->82/tcp, 0.0.0.0:81->81/udp");
  EXPECT_EQ(ports_text(ports({"9000-9001:90-91", "127.0.0.1:80:80"})),
            "127.0.0.1:80->80/tcp, 0.0.0.0:9000->90/tcp, 0.0.0.0:9001->91/tcp");
  EXPECT_EQ(ports_text({{Protocol::kTcp, *Ip::parse("::"), 80, 80}}), "[::]:80->80/tcp");
}

TEST(PortsText, OfARoutedNetworkHaveNoPortOfTheHost) {
  const PortMapping v4{Protocol::kTcp, Ip(), 0, 80};
  const PortMapping v6{Protocol::kTcp, *Ip::parse("::"), 0, 80};
  EXPECT_EQ(ports_text({v4, v6}), "80/tcp");
  EXPECT_EQ(host_port(v4), "0.0.0.0:");
  EXPECT_EQ(host_port(v6), "[::]:");
}

TEST(Shortened, CountsCharacters) {
  EXPECT_EQ(shortened("while true; do sleep 1; done", 20), "while true; do slee…");
  EXPECT_EQ(shortened("twenty characters ok", 20), "twenty characters ok");
  EXPECT_EQ(shortened("ééé", 2), "é…");
}

TEST(InQuotes, EscapesWhatWouldBreakTheLine) {
  EXPECT_EQ(in_quotes("a\"b\n\x01"), R"("a\"b\n\x01")");
}

}  // namespace
}  // namespace berth::cli
