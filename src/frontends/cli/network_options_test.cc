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

TEST(NetworkOptions, SettingsGoToTheSubnetTheyLieIn) {
  const auto request =
      requested({"--subnet", "10.0.0.0/24", "--subnet", "10.0.1.0/24", "--gateway", "10.0.1.9",
                 "--ip-range", "10.0.0.128/25", "--aux-address", "router=10.0.1.7", "lan"});
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->subnets[0].gateway);
  EXPECT_EQ(request->subnets[0].range, *Cidr::parse("10.0.0.128/25"));
  EXPECT_EQ(request->subnets[1].gateway, Ip::v4(10, 0, 1, 9));
  EXPECT_EQ(request->subnets[1].aux.at("router"), Ip::v4(10, 0, 1, 7));
  EXPECT_EQ(refused({"--subnet", "10.0.0.0/24", "--subnet", "10.0.1.0/24", "--gateway", "10.0.2.1",
                     "lan"}),
            "--gateway 10.0.2.1: it lies in none of the subnets 10.0.0.0/24, 10.0.1.0/24");
}

TEST(NetworkOptions, FamiliesAreOnOffOrLeftOpen) {
  const auto open = requested({"web"});
  EXPECT_TRUE(open->ipv4);
  EXPECT_FALSE(open->ipv6.has_value());
  const auto v6 = requested({"--ipv4=false", "--ipv6", "web"});
  EXPECT_FALSE(v6->ipv4);
  EXPECT_EQ(v6->ipv6, true);
  for (const char* yes : {"--ipv6=1", "--ipv6=t", "--ipv6=TRUE", "--ipv6=True"})
    EXPECT_EQ(requested({yes, "web"})->ipv6, true) << yes;
  for (const char* no : {"--ipv6=false", "--ipv6=0", "--ipv6=F"})
    EXPECT_EQ(requested({no, "web"})->ipv6, false) << no;
  EXPECT_EQ(Parsed<NetworkOptions>(Words{"--ipv6=maybe", "web"}).usage_error,
            "--ipv6 maybe: the value is not true or false");
}

TEST(NetworkOptions, ReadsTheRest) {
  const auto request = requested({"--ipam-driver", "null", "--ipam-opt", "a=b", "--attachable",
                                  "--scope", "local", "--ignore", "--route", "10.8.0.0/16,10.0.0.9",
                                  "--route", "10.9.0.0/16,blackhole", "web"});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->ipam, "null");
  EXPECT_EQ(request->ipam_options, (Labels{{"a", "b"}}));
  EXPECT_TRUE(request->attachable);
  EXPECT_TRUE(request->ignore_existing);
  ASSERT_EQ(request->routes.size(), 2U);
  EXPECT_EQ(request->routes[1].kind, RouteKind::kBlackhole);
  EXPECT_TRUE(requested({"--config-only", "t"})->config_only);
  EXPECT_EQ(requested({"--config-from", "t", "web"})->config_from, "t");
}

TEST(NetworkOptions, WhatNeedsAClusterIsRefusedWithTheReason) {
  EXPECT_NE(refused({"--ingress", "n"}).find("swarm"), std::string::npos);
  EXPECT_NE(refused({"--scope", "swarm", "n"}).find("of one host"), std::string::npos);
  EXPECT_EQ(refused({"--scope", "x", "n"}), "--scope x: the value is not local");
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
  EXPECT_EQ(Parsed<NetworkOptions>(Words{"a", "b"}).usage_error, "unexpected argument 'b'");
}

}  // namespace
}  // namespace berth::cli
