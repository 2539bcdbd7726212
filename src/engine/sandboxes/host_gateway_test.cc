#include "engine/sandboxes/host_gateway.h"

#include <gtest/gtest.h>

#include "engine/change/transaction.h"
#include "store/store.h"

namespace berth::engine {
namespace {

Cidr cidr(const char* text) {
  return Cidr::parse(text).value();
}

class HostGateway : public testing::Test {
 protected:
  // A bridge network of 10.<number>.0.0/24 and fd0<number>::/64, whose bridge has the first
  // address.
  static Network bridge(int number) {
    Network network;
    network.id = std::string(64, static_cast<char>('0' + number));
    network.name = "net" + std::to_string(number);
    network.bridge.device = IfName::parse("br" + std::to_string(number)).value();
    for (const auto& subnet : {cidr(("10." + std::to_string(number) + ".0.0/24").c_str()),
                               cidr(("fd0" + std::to_string(number) + "::/64").c_str())})
      network.subnets.push_back(
          {.cidr = subnet,
           .range = {},
           .gateway = Ip::from_number(subnet.ip().family(), subnet.first().number() + 1),
           .aux = {}});
    return network;
  }
  static Network macvlan(int number) {
    auto network = bridge(number);
    network.driver = Driver::kMacvlan;
    network.bridge = {};
    network.parent.device = IfName::parse("eth0").value();
    return network;
  }

  // The sandbox is on the network, under the second address of each of its subnets.
  void join(const Network& network, bool way_out = false) {
    state_.put(network);
    Endpoint endpoint;
    endpoint.network_id = network.id;
    for (const auto& subnet : network.subnets) {
      const auto ip = Ip::from_number(subnet.cidr.ip().family(), subnet.cidr.first().number() + 2);
      (ip.is_v4() ? endpoint.address4 : endpoint.address6) = Cidr(ip, subnet.cidr.prefix());
    }
    endpoint.default4 = endpoint.default6 = way_out;
    endpoints_.push_back(std::move(endpoint));
  }

  std::string found() {
    const auto addresses = host_gateway(state_, sandbox_, endpoints_).value();
    std::string text;
    for (const auto& ip : addresses) text += (text.empty() ? "" : " ") + ip.str();
    return text;
  }

  Sandbox sandbox_;

 private:
  std::unique_ptr<store::Store> store_ = store::open_memory();
  Transaction transaction_{*store_};
  State state_{transaction_};
  std::vector<Endpoint> endpoints_;

 protected:
  Status check() { return check_host_gateway(state_, sandbox_, endpoints_); }
};

TEST_F(HostGateway, IsOnTheNetworkOfTheDefaultRoute) {
  join(bridge(1));
  join(bridge(2), /*way_out=*/true);
  join(bridge(3));
  EXPECT_EQ(found(), "10.2.0.1 fd02::1");
}

TEST_F(HostGateway, IsNoRouterOfAnotherMachine) {
  join(macvlan(1), /*way_out=*/true);
  EXPECT_EQ(found(), "");
  join(bridge(2));
  join(bridge(3));
  EXPECT_EQ(found(), "10.2.0.1 fd02::1");
}

TEST_F(HostGateway, IsTheHostsOwnSubInterface) {
  auto network = macvlan(1);
  network.parent.host_access = true;
  network.parent.host_addresses = {cidr("10.1.0.7/24")};
  join(bridge(2));
  join(network, /*way_out=*/true);
  EXPECT_EQ(found(), "10.1.0.7 fd02::1");
}

TEST_F(HostGateway, NeedsAnAddressOfTheBridge) {
  auto unmanaged = bridge(1);
  unmanaged.bridge.managed = false;
  join(unmanaged, /*way_out=*/true);
  EXPECT_EQ(found(), "");
  auto isolated = bridge(2);
  isolated.bridge.mode4 = GatewayMode::kIsolated;
  join(isolated);
  EXPECT_EQ(found(), "fd02::1");
}

TEST_F(HostGateway, OfTheHostsOwnNetworkIsTheLoopback) {
  sandbox_.mode = NetworkMode::kHost;
  EXPECT_EQ(found(), "127.0.0.1");
}

TEST_F(HostGateway, IsRefusedAtTheStartWhereThereIsNone) {
  EXPECT_TRUE(check());
  sandbox_.extra_hosts = {"db:10.0.0.1"};
  EXPECT_TRUE(check());
  sandbox_.extra_hosts.push_back("me:host-gateway");
  const auto refused = check();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(refused.error().message.find("--add-host me:host-gateway"), std::string::npos);
  join(bridge(1));
  EXPECT_TRUE(check());
}

}  // namespace
}  // namespace berth::engine
