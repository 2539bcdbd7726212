#include "engine/endpoints/request_checks.h"

#include <gtest/gtest.h>

namespace berth::engine {
namespace {

EndpointOptions aliased(std::string alias) {
  EndpointOptions asked;
  asked.aliases.push_back(std::move(alias));
  return asked;
}

TEST(Asked, AliasesAreNames) {
  for (const char* good : {"db", "db.example", "DB_1"})
    EXPECT_TRUE(check_endpoint_request(aliased(good), {})) << good;
  for (const auto& bad : {std::string(), std::string("b c"), std::string("b#c"), std::string("b:c"),
                          std::string("b\nc"), std::string(254, 'a')})
    EXPECT_FALSE(check_endpoint_request(aliased(bad), {})) << bad;
}

TEST(Asked, ThePredefinedNetworkHasNoAliases) {
  Network bridge;
  bridge.predefined = true;
  EXPECT_FALSE(check_endpoint_request(aliased("db"), bridge));
  EXPECT_TRUE(check_endpoint_request({}, bridge));
}

TEST(Asked, NamesOfTheKernelsAreNotAnInterfaces) {
  for (const char* name : {"lo", "all", "default"}) {
    EndpointOptions asked;
    asked.ifname = IfName::parse(name).value();
    EXPECT_FALSE(check_endpoint_request(asked, {})) << name;
    asked = {};
    asked.host_ifname = IfName::parse(name).value();
    EXPECT_FALSE(check_endpoint_request(asked, {})) << name;
  }
}

TEST(Asked, NoLinkLocalAddressTwice) {
  EndpointOptions asked;
  asked.link_local = {Cidr::parse("169.254.1.1/16").value(), Cidr::parse("169.254.1.2/16").value()};
  EXPECT_TRUE(check_endpoint_request(asked, {}));
  asked.link_local.push_back(asked.link_local.front());
  EXPECT_FALSE(check_endpoint_request(asked, {}));
}

}  // namespace
}  // namespace berth::engine
