// What the tests of the nft layer and of berth's table have in common: berth's table in an
// otherwise empty ruleset, some elements, and a connection.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "firewall/intents.h"
#include "firewall/table.h"
#include "kernel/nft/connection.h"
#include "nft_shell.h"

namespace berth::testing {

inline IfName ifname(std::string_view text) {
  return IfName::parse(text).value();
}
inline Cidr cidr(std::string_view text) {
  return Cidr::parse(text).value();
}

inline const nft::SetSpec& spec(std::string_view set) {
  const auto& sets = firewall::table().sets;
  return *std::ranges::find(sets, set, &nft::SetSpec::name);
}

inline nft::Element published(Port port, std::string owner = "web") {
  return firewall::publish_element({.protocol = Protocol::kTcp,
                                    .host_port = port,
                                    .to = Ip::v4(10, 1, 0, 2),
                                    .to_port = 8080,
                                    .owner = std::move(owner)})
      .value();
}

// One element or more for every set of the table.
inline std::vector<nft::Element> some_of_everything() {
  std::vector<nft::Element> elements{published(12211)};
  elements.push_back(firewall::publish_element({.protocol = Protocol::kUdp,
                                                .host_ip = Ip::v4(127, 0, 0, 1),
                                                .host_port = 53,
                                                .to = Ip::v4(10, 2, 0, 3),
                                                .to_port = 5353,
                                                .owner = "dns"})
                         .value());
  for (const char* host : {"::", "::1"}) {
    elements.push_back(firewall::publish_element({.host_ip = Ip::parse(host).value(),
                                                  .host_port = 443,
                                                  .to = Ip::parse("fd00:1::2").value(),
                                                  .to_port = 8443,
                                                  .owner = "web"})
                           .value());
  }
  for (const char* to : {"10.5.0.2", "fd00:5::2"}) {
    const firewall::OpenIntent open{.to = Ip::parse(to).value(), .to_port = 80, .owner = "web"};
    elements.push_back(firewall::open_element(open).value());
    elements.push_back(firewall::trusted_element(ifname("eth1"), open).value());
  }
  const auto add = [&](const firewall::NetworkIntent& network) {
    for (auto& element : firewall::network_elements(network)) elements.push_back(element);
  };
  // Neighbouring subnets: an interval's end is the next one's start.
  add({.bridge = ifname("br0"), .subnets = {cidr("10.1.0.0/24")}, .owner = "front"});
  add({.bridge = ifname("br-fifteenbytes"),
       .subnets = {cidr("10.1.1.0/25"), cidr("10.9.0.0/16"), cidr("fd00:1::/64"),
                   cidr("fd00:1:0:1::/64")},
       .source4 = Ip::v4(192, 0, 2, 7),
       .source6 = Ip::parse("2001:db8::7").value()});
  add({.bridge = ifname("br2"), .subnets = {cidr("10.3.0.0/29")}, .internal = true});
  for (const auto mode : {GatewayMode::kRouted, GatewayMode::kNatUnprotected}) {
    const bool routed = mode == GatewayMode::kRouted;
    add({.bridge = ifname(routed ? "br3" : "br4"), .mode4 = mode, .mode6 = mode});
  }
  return elements;
}

inline std::string listing(const std::string& options) {
  auto finished = shell("nft " + options + " list ruleset");
  EXPECT_EQ(finished.status, 0) << finished.output;
  return finished.output;
}

class NftTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(shell("nft flush ruleset").status, 0);
    ASSERT_TRUE(firewall::ensure_table(connection_));
  }

  Status add(const std::vector<nft::Element>& elements) {
    nft::Batch batch("berth");
    batch.add_elements(elements);
    return connection_.commit(std::move(batch));
  }
  Status remove(const std::vector<nft::Element>& elements) {
    nft::Batch batch("berth");
    batch.remove_elements(elements);
    return connection_.commit(std::move(batch));
  }
  std::vector<nft::Element> list(std::string_view set) {
    auto found = connection_.list_elements("berth", spec(set));
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<nft::Element>{});
  }

  nft::Connection connection_ = nft::Connection::open().value();
};

}  // namespace berth::testing
