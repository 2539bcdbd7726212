#include "frontends/cli/network_options.h"

#include "frontends/cli/parser_for_test.h"

namespace berth::cli {
namespace {

using Words = std::vector<std::string>;

Result<CreateNetwork> requested(const Words& words) {
  const Parsed<NetworkOptions> parsed(words);
  EXPECT_EQ(parsed.usage_error, "");
  return to_request(parsed.options);
}

std::string refused(const Words& words) {
  const auto request = requested(words);
  return request ? "accepted" : request.error().message;
}

TEST(NetworkOptions, ReadsTheSampleOfDockersDocumentation) {
  const auto request = requested({"--driver=bridge", "--subnet=192.168.100.0/24",
                                  "--ip-range=192.168.100.0/26", "--gateway=192.168.100.1", "--opt",
                                  "com.docker.network.bridge.name=mybr0", "mybridge0"});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->name, "mybridge0");
  EXPECT_EQ(request->driver, "bridge");
  EXPECT_EQ(request->options, (Labels{{"com.docker.network.bridge.name", "mybr0"}}));
  ASSERT_EQ(request->subnets.size(), 1U);
  EXPECT_EQ(request->subnets[0].subnet, *Cidr::parse("192.168.100.0/24"));
  EXPECT_EQ(request->subnets[0].range, *Cidr::parse("192.168.100.0/26"));
  EXPECT_EQ(request->subnets[0].gateway, Ip::v4(192, 168, 100, 1));
}

TEST(NetworkOptions, SettingsGoToTheSubnetOfTheirFamily) {
  const auto request = requested({"--subnet", "10.0.0.0/24", "--subnet", "fd00::/64", "--gateway",
                                  "fd00::1", "--aux-address", "router=10.0.0.9", "dual"});
  ASSERT_TRUE(request);
  ASSERT_EQ(request->subnets.size(), 2U);
  EXPECT_FALSE(request->subnets[0].gateway);
  EXPECT_EQ(request->subnets[1].gateway, *Ip::parse("fd00::1"));
  EXPECT_EQ(request->subnets[0].aux.at("router"), Ip::v4(10, 0, 0, 9));
}

TEST(NetworkOptions, LeavesTheSubnetOpenWhereNoneIsGiven) {
  const auto request = requested({"--internal", "--label", "a=b", "web"});
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->subnets.empty());
  EXPECT_TRUE(request->internal);
  EXPECT_EQ(request->labels, (Labels{{"a", "b"}}));
}

TEST(NetworkOptions, RefusesBadValuesByName) {
  EXPECT_TRUE(refused({"--subnet", "10.0.0.0", "n"}).starts_with("--subnet: "));
  EXPECT_TRUE(
      refused({"--subnet", "10.0.0.0/24", "--gateway", "x", "n"}).starts_with("--gateway: "));
  EXPECT_EQ(refused({"--gateway", "10.0.0.1", "n"}),
            "--gateway 10.0.0.1: there is no IPv4 subnet that it could lie in; give --subnet");
  EXPECT_EQ(
      refused({"--subnet", "10.0.0.0/24", "--gateway", "10.0.0.1", "--gateway", "10.0.0.2", "n"}),
      "--gateway 10.0.0.2: 10.0.0.0/24 has the gateway 10.0.0.1 already; give one");
}

TEST(NetworkOptions, TakesExactlyOneName) {
  EXPECT_EQ(Parsed<NetworkOptions>(Words{}).usage_error, "NAME is missing");
  EXPECT_EQ(Parsed<NetworkOptions>(Words{"a", "b"}).usage_error, "'b' is an argument too many");
}

}  // namespace
}  // namespace berth::cli
