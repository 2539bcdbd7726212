#include "model/options.h"

#include <gtest/gtest.h>

namespace berth::model {
namespace {

Result<Network> read(Driver driver, const Labels& options) {
  Network network;
  network.driver = driver;
  if (auto done = read_options(network, options); !done) return std::unexpected(done.error());
  return network;
}
Result<Network> read_bridge(const Labels& options) {
  return read(Driver::kBridge, options);
}

TEST(ReadOptions, WithoutAnyAreTheDefaults) {
  const auto settings = read_bridge({}).value();
  EXPECT_TRUE(settings.bridge.device.empty());
  EXPECT_TRUE(settings.bridge.icc);
  EXPECT_TRUE(settings.bridge.masquerade);
  EXPECT_TRUE(!settings.bridge.host_binding);
  EXPECT_EQ(settings.link.mtu, 0U);
}

TEST(ReadOptions, TakesDockersNames) {
  const auto settings = read_bridge({{"com.docker.network.bridge.name", "mybr0"},
                                     {"com.docker.network.bridge.enable_icc", "false"},
                                     {"com.docker.network.bridge.enable_ip_masquerade", "0"},
                                     {"com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"},
                                     {"com.docker.network.driver.mtu", "1450"}})
                            .value();
  EXPECT_EQ(settings.bridge.device.str(), "mybr0");
  EXPECT_FALSE(settings.bridge.icc);
  EXPECT_FALSE(settings.bridge.masquerade);
  EXPECT_EQ(settings.bridge.host_binding->str(), "127.0.0.1");
  EXPECT_EQ(settings.link.mtu, 1450U);
}

TEST(ReadOptions, BooleansAreGosAndMtuHasItsLimits) {
  const auto icc = [](const char* value) {
    return read_bridge({{std::string(kOptionIcc), value}});
  };
  for (const char* value : {"1", "t", "T", "true", "TRUE", "True"})
    EXPECT_TRUE(icc(value).value().bridge.icc) << value;
  for (const char* value : {"0", "f", "F", "false", "FALSE", "False"})
    EXPECT_FALSE(icc(value).value().bridge.icc) << value;
  for (const char* value : {"", "yes", "tRUE", "2", "true "}) EXPECT_FALSE(icc(value)) << value;

  const auto mtu = [](const char* value) {
    return read_bridge({{std::string(kOptionMtu), value}});
  };
  for (const char* value : {"0", "68", "65535"}) EXPECT_TRUE(mtu(value)) << value;
  for (const char* value : {"", "67", "65536", "-1", "1500x", "4294967296"})
    EXPECT_FALSE(mtu(value)) << value;
}

TEST(ReadOptions, NamesTheNearestOfThoseThatAreKnown) {
  const struct {
    const char* given;
    std::string_view nearest;
  } cases[] = {{"com.docker.network.bridge.nam", kOptionBridgeName},
               {"com.docker.network.driver.mut", kOptionMtu},
               {"com.docker.network.bridge.enable_ipmasquerade", kOptionMasquerade},
               {"com.docker.network.bridge.enable_ic", kOptionIcc},
               {"com.docker.network.bridge.host_binding_ip", kOptionHostBinding}};
  for (const auto& [given, nearest] : cases) {
    const auto refused = read_bridge({{given, "1"}});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.ends_with("the nearest is " + std::string(nearest)))
        << refused.error().message;
  }
}

TEST(ReadOptions, AnErrorNamesTheOptionItsValueAndWhatIsAllowed) {
  const struct {
    std::string_view option;
    const char* value;
    const char* allowed;
  } cases[] = {{kOptionIcc, "maybe", "true or false"},
               {kOptionMtu, "9", "68 to 65535"},
               {kOptionHostBinding, "localhost", "IP address"},
               {kOptionBridgeName, "a/b", ""},
               {kOptionBridgeName, "default", "kernel"}};
  for (const auto& [option, value, allowed] : cases) {
    const auto refused = read_bridge({{std::string(option), value}});
    ASSERT_FALSE(refused) << option;
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
    for (const std::string_view part : {option, std::string_view(value), std::string_view(allowed)})
      EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
  }
}

TEST(ReadOptions, OneOptionByTwoNamesHasOneValue) {
  EXPECT_TRUE(read_bridge({{"mtu", "1400"}, {"com.docker.network.driver.mtu", "1400"}}));
  EXPECT_TRUE(read(Driver::kMacvlan, {{"mode", "vepa"}, {"macvlan_mode", "vepa"}}));
  const auto mtu = read_bridge({{"mtu", "1400"}, {"com.docker.network.driver.mtu", "1300"}});
  ASSERT_FALSE(mtu);
  EXPECT_EQ(
      mtu.error().message,
      "option mtu=1400: that is com.docker.network.driver.mtu by another name, which is 1300: "
      "give one of them");
  EXPECT_FALSE(read(Driver::kMacvlan, {{"mode", "vepa"}, {"macvlan_mode", "bridge"}}));
  EXPECT_FALSE(read(Driver::kIpvlan, {{"mode", "l3"}, {"ipvlan_mode", "l2"}}));
}

TEST(CheckTemplateOptions, TakesWhatSomeDriverTakes) {
  EXPECT_TRUE(
      check_template_options({{"parent", "eth0"}, {"com.docker.network.bridge.name", "b0"}}));
  EXPECT_TRUE(check_template_options({{"mode", "l3"}}));
  const auto bad_value = check_template_options({{"macvlan_mode", "loud"}});
  ASSERT_FALSE(bad_value);
  EXPECT_NE(bad_value.error().message.find("passthru"), std::string::npos);
  const auto unknown = check_template_options({{"parrent", "eth0"}});
  ASSERT_FALSE(unknown);
  EXPECT_TRUE(unknown.error().message.ends_with("the nearest is parent"));
}

TEST(ParseDriver, OnlyBridgeCanBeAskedFor) {
  EXPECT_EQ(parse_driver("bridge").value(), Driver::kBridge);
  for (const char* text : {"host", "null", "none", "", "Bridge", "overlay"}) {
    const auto refused = parse_driver(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_NE(refused.error().message.find("bridge"), std::string::npos);
  }
}

}  // namespace
}  // namespace berth::model
