#include <gtest/gtest.h>

#include "berth/network.h"

namespace berth {
namespace {

TEST(ParseRoute, KnowsGatewaysSandboxesAndDeadEnds) {
  const auto plain = parse_route("10.8.0.0/16,10.1.0.9").value();
  EXPECT_EQ(plain.destination, Cidr::parse("10.8.0.0/16").value());
  EXPECT_EQ(plain.gateway, Ip::v4(10, 1, 0, 9));
  EXPECT_EQ(plain.kind, RouteKind::kUnicast);
  EXPECT_EQ(plain.metric, 0U);

  EXPECT_EQ(parse_route("fd08::/32,fd01::9,200").value().metric, 200U);
  EXPECT_EQ(parse_route("0.0.0.0/0,via=vpn").value().via, "vpn");
  EXPECT_EQ(parse_route("10.9.0.0/16,blackhole").value().kind, RouteKind::kBlackhole);
  EXPECT_EQ(parse_route("10.9.0.0/16,unreachable,7").value().kind, RouteKind::kUnreachable);
  EXPECT_EQ(parse_route("10.9.0.0/16,prohibit").value().kind, RouteKind::kProhibit);
}

TEST(ParseRoute, RefusesWithWhatIsWrongAndTheForm) {
  const struct {
    const char* text;
    const char* why;
  } cases[] = {{"", "nothing but the destination"},
               {"10.8.0.0/16", "nothing but the destination"},
               {"ten,10.1.0.9", "no network"},
               {"10.8.0.1/16,10.1.0.9", "10.8.0.0/16"},
               {"10.8.0.0/16,fd01::9", "two address families"},
               {"10.8.0.0/16,unicast", "neither a gateway nor a kind"},
               {"10.8.0.0/16,via=", "neither a gateway nor a kind"},
               {"10.8.0.0/16,10.1.0.9,", "metric ''"},
               {"10.8.0.0/16,10.1.0.9,0", "metric '0'"},
               {"10.8.0.0/16,10.1.0.9,4294967296", "metric"},
               {"10.8.0.0/16,10.1.0.9,1,2", "metric '1,2'"}};
  for (const auto& [text, why] : cases) {
    const auto route = parse_route(text);
    ASSERT_FALSE(route) << text;
    EXPECT_NE(route.error().message.find(why), std::string::npos) << route.error().message;
  }
}

}  // namespace
}  // namespace berth
