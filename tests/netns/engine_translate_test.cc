// Ports on IPv6 for containers with IPv4 alone: what is published, and when the translator comes and
// goes. That packets get there: tests/e2e/translate.bats.
#include "engine_fixture.h"
#include "firewall/table.h"
#include "kernel/sysctl/sysctl.h"
#include "translator/translator.h"

namespace berth::testing {
namespace {

class EngineTranslate : public EngineTest {
 protected:
  void SetUp() override {
    if (const auto possible = translator::possible(); !possible)
      GTEST_SKIP() << possible.error().message;
  }
  Result<Endpoint> connect(TargetNs& to, const std::vector<std::string>& specs,
                           const char* network = "net1") {
    return instance->connect({.network = network, .target = to.target(), .ports = ports(specs)});
  }
  // "[::1]" and the like of what leads to IPv6 addresses, with ports: "* 8080", "::1 8080".
  std::set<std::string> on_ipv6() {
    std::set<std::string> found;
    auto nft = must(nft::Connection::open());
    for (const auto& set : firewall::table().sets) {
      if (set.name != "publish6" && set.name != "publish6_addr") continue;
      for (const auto& element : must(nft.list_elements("berth", set))) {
        const auto* ip = std::get_if<Ip>(&element.key.front());
        EXPECT_EQ(std::get<Ip>(element.data.front()), translator::translated(Ip::v4(10, 1, 0, 2)));
        found.insert(
            fmt::format("{} {}", ip ? ip->str() : "*", std::get<Port>(element.key.back())));
      }
    }
    return found;
  }
  bool there() {
    auto route = must(kernel::Socket::open(NETLINK_ROUTE));
    return must(translator::is_there(route));
  }

  Instance instance;
  TargetNs one, two;
};

using Set = std::set<std::string>;

TEST_F(EngineTranslate, EveryAddressMeansIpv6TooAndIsListedOnce) {
  instance.make_network(1);
  EXPECT_EQ(must(connect(one, {"8080:80"})).ports.size(), 1U);
  EXPECT_EQ(on_ipv6(), (Set{"* 8080", "::1 8080"}));
  must(instance->unpublish({"net1", one.target(), {{Protocol::kTcp, Ip(), 8080, 80}}}));
  EXPECT_EQ(on_ipv6(), Set{});
  must(instance->publish({"net1", one.target(), ports({"8080:80"})}));
  EXPECT_EQ(on_ipv6(), (Set{"* 8080", "::1 8080"}));
  must(instance->disconnect({"net1", one.target()}));
  EXPECT_EQ(on_ipv6(), Set{});
}

TEST_F(EngineTranslate, OneAddressMeansThatAddress) {
  instance.make_network(1);
  must(connect(one, {"127.0.0.1:8080:80", "0.0.0.0:8081:80"}));
  EXPECT_EQ(on_ipv6(), Set{});
  EXPECT_FALSE(there());
  EXPECT_EQ(must(instance->publish({"net1", one.target(), ports({"[::1]:8082:80"})})).ports.size(),
            3U);
  EXPECT_EQ(on_ipv6(), (Set{"::1 8082"}));
  must(instance->publish({"net1", one.target(), ports({"[::]:8083:80"})}));
  EXPECT_EQ(on_ipv6(), (Set{"::1 8082", "* 8083", "::1 8083"}));
}

TEST_F(EngineTranslate, APortThatIsTakenOnIpv6IsTaken) {
  instance.make_network(1);
  must(connect(one, {"8080:80"}));
  const auto again = connect(two, {"[::1]:8080:80"});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kInUse) << again.error().message;
}

TEST_F(EngineTranslate, TheOptionSwitchesItOff) {
  instance.make_network(1, [](CreateNetwork& request) {
    request.options["com.docker.network.driver.private.no_proxy_6to4"] = "true";
  });
  const auto refused = connect(one, {"[::1]:8080:80"});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("no_proxy_6to4"), std::string::npos);
  must(connect(one, {"8080:80"}));
  EXPECT_EQ(on_ipv6(), Set{});
  EXPECT_FALSE(there());
}

TEST_F(EngineTranslate, ARoutedNetworkPublishesOnNoAddressOfTheHost) {
  instance.make_network(1, [](CreateNetwork& request) {
    request.options["com.docker.network.bridge.gateway_mode_ipv4"] = "routed";
  });
  must(connect(one, {"8080:80"}));
  EXPECT_EQ(on_ipv6(), Set{});
  EXPECT_FALSE(there());
}

TEST_F(EngineTranslate, ItGoesWithTheLastNetwork) {
  instance.make_network(1);
  instance.make_network(2);
  must(connect(one, {"8080:80"}));
  EXPECT_TRUE(there());
  must(instance->remove_networks({{"net1"}, true})[0].status);
  EXPECT_TRUE(there());
  must(instance->remove_networks({{"net2"}, true})[0].status);
  EXPECT_FALSE(there());
}

TEST_F(EngineTranslate, TheHostForwardsForOthersOnlyIfTheyCanReachIt) {
  const auto forwards = [] {
    return must(kernel::read_sysctl("net/ipv6/conf/all/forwarding")) == "1";
  };
  instance.make_network(1);
  must(connect(one, {"8080:80"}));
  EXPECT_FALSE(forwards());
  must(instance->remove_networks({{"net1"}, true})[0].status);

  run("ip link add lan0 type veth peer name lan1 && ip link set lan0 up && "
      "ip addr add 2001:db8::1/64 dev lan0 nodad");
  instance.make_network(1);
  instance.make_network(2);
  must(connect(one, {"8080:80"}));
  EXPECT_TRUE(forwards());
  run("nft flush ruleset");
  for (const auto& repair : must(instance->reconcile())) must(repair.status);
  must(instance->remove_networks({{"net2"}, true})[0].status);
  EXPECT_TRUE(forwards());
  must(instance->remove_networks({{"net1"}, true})[0].status);
  EXPECT_FALSE(forwards());
}

// A network that has nothing to do with it keeps neither the translator nor forwarding for it.
TEST_F(EngineTranslate, ItGoesWithTheLastNetworkThatPublishes) {
  run("ip link add lan0 type veth peer name lan1 && ip link set lan0 up && "
      "ip addr add 2001:db8::1/64 dev lan0 nodad");
  must(instance->create_network({.name = "lan",
                                 .driver = "macvlan",
                                 .subnets = {{.subnet = cidr("192.168.7.0/24")}},
                                 .options = {{"parent", "lan0"}}}));
  instance.make_network(1);
  must(connect(one, {"8080:80"}));
  EXPECT_EQ(must(kernel::read_sysctl("net/ipv6/conf/all/forwarding")), "1");
  must(instance->remove_networks({{"net1"}, true})[0].status);
  EXPECT_FALSE(there());
  EXPECT_EQ(must(kernel::read_sysctl("net/ipv6/conf/all/forwarding")), "0");
  EXPECT_NE(shell("nft list table inet berth").status, 0);
}

// No port leads into it, and it is not removed with the last network.
TEST_F(EngineTranslate, ADeviceOfItsNameIsNotTakenForIt) {
  run("ip link add berth64 type veth peer name peer64");
  instance.make_network(1);
  expect_refused(connect(one, {"[::1]:8080:80"}), ErrorKind::kExists,
                 {"net1", "berth64", "not the translator's"});
  EXPECT_TRUE(must(connect(one, {"8080:80"})).translated.empty());
  EXPECT_EQ(on_ipv6(), Set{});
  must(instance->remove_networks({{"net1"}, true})[0].status);
  run("ip link show berth64");
}

TEST_F(EngineTranslate, ReconcilePutsItBack) {
  instance.make_network(1);
  must(connect(one, {"8080:80"}));
  EXPECT_TRUE(must(instance->reconcile()).empty());
  for (const char* damage : {"ip link del berth64", "tc filter del dev berth46 egress"}) {
    run(damage);
    EXPECT_EQ(must(instance->reconcile()).size(), 1U) << damage;
    EXPECT_TRUE(must(instance->reconcile()).empty()) << damage;
  }
}

}  // namespace
}  // namespace berth::testing
