#include "engine/asked.h"

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
    EXPECT_TRUE(check_asked(aliased(good), {})) << good;
  for (const auto& bad : {std::string(), std::string("b c"), std::string("b#c"), std::string("b:c"),
                          std::string("b\nc"), std::string(254, 'a')})
    EXPECT_FALSE(check_asked(aliased(bad), {})) << bad;
}

TEST(Asked, ThePredefinedNetworkHasNoAliases) {
  Network bridge;
  bridge.predefined = true;
  EXPECT_FALSE(check_asked(aliased("db"), bridge));
  EXPECT_TRUE(check_asked({}, bridge));
}

TEST(Asked, NamesOfTheKernelsAreNotAnInterfaces) {
  for (const char* name : {"lo", "all", "default"}) {
    EndpointOptions asked;
    asked.ifname = IfName::parse(name).value();
    EXPECT_FALSE(check_asked(asked, {})) << name;
    asked = {};
    asked.host_ifname = IfName::parse(name).value();
    EXPECT_FALSE(check_asked(asked, {})) << name;
  }
}

TEST(Asked, NoLinkLocalAddressTwice) {
  EndpointOptions asked;
  asked.link_local = {Cidr::parse("169.254.1.1/16").value(), Cidr::parse("169.254.1.2/16").value()};
  EXPECT_TRUE(check_asked(asked, {}));
  asked.link_local.push_back(asked.link_local.front());
  EXPECT_FALSE(check_asked(asked, {}));
}

}  // namespace
}  // namespace berth::engine
