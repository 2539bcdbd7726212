// Published ports: which are given out, to whom, and that packets get there.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine_fixture.h"

namespace berth::testing {
namespace {

sockaddr_in address_of(const Ip& ip, Port port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  memcpy(&address.sin_addr, ip.bytes().data(), 4);
  return address;
}

// A TCP socket born in `netns` (the host side without one); it speaks for that from any thread.
UniqueFd tcp_socket(const kernel::Netns* netns, int flags = 0) {
  const auto open = [&]() -> Result<UniqueFd> {
    return UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  };
  return must(netns != nullptr ? kernel::run_in(*netns, open) : open());
}

UniqueFd listener(const kernel::Netns* netns, const Ip& ip, Port port) {
  auto fd = tcp_socket(netns);
  const auto address = address_of(ip, port);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(fd.get(), 8), 0);
  return fd;
}

// Within the second or two that the kernel may take to see that a new link has a carrier.
constexpr int kPatience = 3000;  // ms
// What is dropped is never answered; for links that have carried something already.
constexpr int kUntilGivenUp = 400;  // ms

bool reaches(const kernel::Netns* from, const Ip& ip, Port port, int patience = kPatience) {
  const auto fd = tcp_socket(from, SOCK_NONBLOCK);
  const auto address = address_of(ip, port);
  (void)connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  pollfd wait{fd.get(), POLLOUT, 0};
  if (poll(&wait, 1, patience) != 1) return false;
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

class EnginePublish : public EngineTest {
 protected:
  EnginePublish() {
    instance.make_network(1);
    instance.make_network(2);
  }
  Result<Endpoint> connect(TargetNs& to, const std::vector<std::string>& specs,
                           const char* network = "net1") {
    return instance->connect({.network = network, .target = to.target(), .ports = ports(specs)});
  }
  Result<Endpoint> publish(const std::vector<std::string>& specs) {
    return instance->publish({"net1", target.target(), ports(specs)});
  }
  static std::vector<int> host_ports(const Endpoint& endpoint) {
    std::vector<int> found;
    for (const auto& mapping : endpoint.ports) found.push_back(mapping.host_port);
    return found;
  }

  Instance instance;
  TargetNs target, other;
};

// Bridged frames pass through netfilter or they do not; the same must hold
// (drivers/bridge/bridge.h).
class EnginePackets : public EnginePublish, public ::testing::WithParamInterface<const char*> {
 protected:
  EnginePackets() {
    run(fmt::format("sysctl -qew net.bridge.bridge-nf-call-iptables={}", GetParam()));
  }
};

TEST_P(EnginePackets, GetToAPublishedPortAndNowhereElse) {
  must(connect(target, {"7000:80", "127.0.0.1:7001:80"}));
  must(connect(other, {}));
  TargetNs elsewhere;
  must(connect(elsewhere, {}, "net2"));
  const auto server = listener(&target.netns, Ip(), 80);
  const auto gateway = ip("10.1.0.1");
  EXPECT_TRUE(reaches(nullptr, gateway, 7000)) << "from the host";
  EXPECT_TRUE(reaches(nullptr, ip("127.0.0.1"), 7000)) << "from the host by its loopback";
  EXPECT_TRUE(reaches(nullptr, ip("127.0.0.1"), 7001));
  EXPECT_FALSE(reaches(nullptr, gateway, 7001, kUntilGivenUp))
      << "it is published on 127.0.0.1 alone";
  EXPECT_TRUE(reaches(&other.netns, ip("10.1.0.2"), 80)) << "a neighbour directly";
  EXPECT_TRUE(reaches(&other.netns, gateway, 7000)) << "a neighbour through the host";
  EXPECT_TRUE(reaches(&target.netns, gateway, 7000)) << "itself through the host";
  EXPECT_TRUE(reaches(&elsewhere.netns, ip("10.2.0.1"), 7000)) << "another network by the host";
  EXPECT_FALSE(reaches(&elsewhere.netns, ip("10.1.0.2"), 80, kUntilGivenUp))
      << "another network directly";

  const auto unpublish = [&](Port port) {
    must(instance->unpublish({"net1", target.target(), {{Protocol::kTcp, Ip(), port, 80}}}));
  };
  unpublish(7000);
  EXPECT_FALSE(reaches(nullptr, gateway, 7000, kUntilGivenUp));
  must(instance->unpublish(
      {"net1", target.target(), {{Protocol::kTcp, ip("127.0.0.1"), 7001, 80}}}));
  must(publish({"7002:80"}));
  EXPECT_TRUE(reaches(nullptr, gateway, 7002));
  EXPECT_TRUE(reaches(&target.netns, gateway, 7002)) << "hairpin mode is back with the port";
}

TEST_P(EnginePackets, WithoutIccGetToANeighboursPublishedPortsOnly) {
  instance.make_network(
      3, [](auto& request) { request.options["com.docker.network.bridge.enable_icc"] = "false"; });
  must(connect(target, {"7000:80"}, "net3"));
  must(connect(other, {}, "net3"));
  const auto server = listener(&target.netns, Ip(), 80);
  EXPECT_TRUE(reaches(nullptr, ip("10.3.0.2"), 80));
  EXPECT_TRUE(reaches(&other.netns, ip("10.3.0.1"), 7000));
  EXPECT_FALSE(reaches(&other.netns, ip("10.3.0.2"), 80, kUntilGivenUp));
}

// By the link that they share the answer would not come back through the host.
TEST_P(EnginePackets, GetToAServerOnTwoNetworksFromEachOfThem) {
  must(connect(target, {"7000:80"}));
  must(connect(target, {}, "net2"));
  TargetNs on_net2;
  must(connect(on_net2, {}, "net2"));
  must(connect(other, {}));
  const auto server = listener(&target.netns, Ip(), 80);
  for (const auto* asked : {"10.1.0.1", "10.2.0.1"})
    for (const auto* from : {&on_net2.netns, &other.netns, &target.netns})
      EXPECT_TRUE(reaches(from, ip(asked), 7000)) << asked;
  expect_agreement(instance);
}

INSTANTIATE_TEST_SUITE_P(, EnginePackets, ::testing::Values("1", "0"), [](const auto& each) {
  return each.param == std::string("1") ? "WhereBridgedFramesAreFiltered" : "WhereTheyAreNot";
});

TEST_F(EnginePublish, WhatSharedLinksNeedComesAndGoesWithThem) {
  const auto linked = [] {
    return shell("nft list set inet berth linked4 | grep -o '{.*}'").output;
  };
  must(connect(target, {}));
  must(connect(target, {}, "net2"));
  EXPECT_EQ(linked(), "") << "no port is published";
  const auto before = picture(instance, {&target});
  must(publish({"7000:80"}));
  EXPECT_NE(linked().find("10.2.0.0/24 . 10.1.0.2"), std::string::npos) << linked();
  expect_agreement(instance);

  ASSERT_EQ(shell("nft flush set inet berth linked4").status, 0);
  EXPECT_FALSE(must(instance->reconcile()).empty());
  EXPECT_NE(linked().find("10.2.0.0/24 . 10.1.0.2"), std::string::npos) << linked();
  must(instance->unpublish({"net1", target.target(), {{Protocol::kTcp, Ip(), 7000, 80}}}));
  expect_same(picture(instance, {&target}), before);

  must(publish({"7000:80"}));
  must(instance->disconnect({.network = "net2", .target = target.target()}));
  EXPECT_EQ(linked(), "");
  must(connect(target, {}, "net2"));
  EXPECT_NE(linked(), "");
  must(instance->disconnect({.network = "net1", .target = target.target()}));
  EXPECT_EQ(linked(), "");
}

// A look at the kernel's table of flows for each port, and two more for [::1], made 2,000 ports of UDP
// cost as many times 20 ms, where those of TCP cost less than 0.4 s.
TEST_F(EnginePublish, ManyUdpPortsTakeOneLookAtTheFlows) {
  must(connect(target, {}));
  run("ping -c 1 -W 3 10.1.0.2");  // without any flow the kernel does not look
  const auto time_for = [&](const char* range) {
    const auto begin = std::chrono::steady_clock::now();
    must(publish({range}));
    return std::chrono::steady_clock::now() - begin;
  };
  const auto tcp = time_for("20000-20399:20000-20399");
  const auto udp = time_for("20000-20399:20000-20399/udp");
  EXPECT_LT(udp, 3 * tcp + std::chrono::seconds(1));
}

TEST_F(EnginePublish, PublishAndUnpublishLeaveNoTrace) {
  must(connect(target, {}));
  const auto before = picture(instance, {&target});
  const auto endpoint = must(publish({"7000-7002:80-82", "127.0.0.1:5353:53/udp"}));
  EXPECT_EQ(host_ports(endpoint), (std::vector{7000, 7001, 7002, 5353}));
  expect_agreement(instance);
  must(instance->unpublish({"net1", target.target(), endpoint.ports}));
  expect_same(picture(instance, {&target}), before);
  expect_refused(instance->unpublish({"net1", target.target(), endpoint.ports}),
                 ErrorKind::kNotFound, {"7000", target.target()});
  expect_refused(instance->publish({"net2", target.target(), ports({"80"})}), ErrorKind::kNotFound,
                 {"net2", target.target()});
}

TEST_F(EnginePublish, ARangeOfHostPortsOffersItsFirstFreeOne) {
  must(connect(other, {"7000:80"}));
  EXPECT_EQ(host_ports(must(connect(target, {"7000-7002:80", "7000-7002:81"}))),
            (std::vector{7001, 7002}));
  expect_refused(publish({"7000-7002:82"}), ErrorKind::kExhausted, {"7000-7002", "7002"});
}

TEST_F(EnginePublish, WithoutAHostPortAFreeOneIsFound) {
  const auto found = host_ports(must(connect(target, {"80", "80-81", "53/udp"})));
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(std::set<int>(found.begin(), found.begin() + 3).size(), 3U);
  for (const int port : found) EXPECT_GE(port, 1024);
}

TEST_F(EnginePublish, PortsOfOneRequestLeaveEachOtherTheNumbersTheyNeed) {
  EXPECT_EQ(
      host_ports(must(connect(
          target, {"8000-8003:80", "8000-8001:81", "8000:82", "[::]:8001-8001:83/udp"}, "net1"))),
      (std::vector{8002, 8001, 8000, 8001}))
      << "in the order asked";
  run("sysctl -qw net.ipv4.ip_local_port_range='40000 40001'");
  for (int i = 0; i < 8; ++i) {  // a number drawn at random clashes in every second one
    EXPECT_EQ(host_ports(must(connect(other, {"80", "40000:81"}))), (std::vector{40001, 40000}));
    must(instance->disconnect({.network = "net1", .target = other.target()}));
  }
  must(connect(other, {}));
  EXPECT_EQ(
      host_ports(must(instance->publish({"net1", other.target(), ports({"80", "40000:81"})}))),
      (std::vector{40001, 40000}));
}

TEST_F(EnginePublish, OnAnAddressThatTheHostGetsWithTheSameChange) {
  EXPECT_EQ(
      host_ports(must(connect(target, {"172.17.0.1:6379:80", "172.17.0.1::81"}, "bridge")))[0],
      6379);
  expect_agreement(instance);
  EXPECT_NE(shell("ip addr show berth0").output.find("172.17.0.1/16"), std::string::npos);
  expect_refused(connect(other, {"172.16.0.1:6379:80"}), ErrorKind::kNotFound,
                 {"172.16.0.1", "not an address of this host"});
  expect_refused(connect(other, {"172.16.0.1::80"}), ErrorKind::kNotFound,
                 {"172.16.0.1", "not an address of this host"});
}

TEST_F(EnginePublish, OnANetworksOwnAddressAfterAReboot) {
  must(instance->create_network(
      {.name = "both",
       .subnets = {{.subnet = cidr("10.9.0.0/24")}, {.subnet = cidr("fd09::/64")}},
       .options = {}}));
  auto& store = *instance.impl().store;
  must(store.commit({{"meta/boot", "the one before"}}, store::Durability::kNormal));
  become_new_host();
  auto engine = instance.open_again();
  const auto program = listener(nullptr, Ip(), 7000);
  const auto connect = [&](const std::string& spec) {
    return engine.connect({.network = "both", .target = target.target(), .ports = ports({spec})});
  };
  expect_refused(connect("10.9.0.1:7000:80"), ErrorKind::kInUse,
                 {"7000", fmt::format("{}/", getpid())});
  must(connect("10.9.0.1:7001:80"));
  must(engine.disconnect({.network = "both", .target = target.target()}));
  must(connect("[fd09::1]:7002:80"));
  // Of a network that is yet to be made.
  must(engine.publish({"both", target.target(), ports({"10.1.0.1:7003:80"})}));
  for (const auto& error : engine.reset()) ADD_FAILURE() << error.message;
}

TEST_F(EnginePublish, APortThatBerthHasGivenAwayIsRefusedWithItsOwnersName) {
  must(connect(other, {"127.0.0.1:7000:80", "7001:80"}));
  expect_refused(connect(target, {"7002:80", "7002:81"}), ErrorKind::kInUse,
                 {"7002", "this request"});
  must(connect(target, {}));
  const auto before = picture(instance, {&target});
  for (const auto* spec : {"7000:80", "127.0.0.1:7000:80", "7001:80", "10.1.0.1:7001:80"})
    expect_refused(publish({spec}), ErrorKind::kInUse,
                   {std::string(spec).substr(std::string(spec).find("700"), 4), other.target()});
  expect_same(picture(instance, {&target}), before);
  must(publish({"10.1.0.1:7000:80", "7000:80/udp"}));
}

TEST_F(EnginePublish, APortThatAProgramListensOnIsRefusedWithItsName) {
  const auto program = listener(nullptr, Ip(), 7000);
  const auto on_loopback = listener(nullptr, ip("127.0.0.1"), 7001);
  const auto before = picture(instance, {&target});
  const auto me = fmt::format("{}/", getpid());
  expect_refused(connect(target, {"7000:80"}), ErrorKind::kInUse, {"7000", me});
  expect_refused(connect(target, {"7001:80"}), ErrorKind::kInUse, {"7001", me});
  expect_same(picture(instance, {&target}), before);
  EXPECT_EQ(host_ports(must(connect(target, {"7000-7002:80"}))), (std::vector{7002}));
}

TEST_F(EnginePublish, ARangeThatIsNoneIsRefused) {
  for (const PortSpec& spec :
       {PortSpec{.host_first = 65535, .container_first = 80, .container_last = 81},
        PortSpec{
            .host_first = 65535, .host_last = 65535, .container_first = 80, .container_last = 81},
        PortSpec{.host_first = 8080, .host_last = 8080}})
    expect_refused(
        instance->connect({.network = "net1", .target = target.target(), .ports = {spec}}),
        ErrorKind::kInvalid, {"ports", "one size"});
}

TEST_F(EnginePublish, PortsGoWithTheirEndpointAndCanBeTakenAgain) {
  must(connect(target, {"7000:80", "7000:80/udp"}));
  must(instance->disconnect({.network = "net1", .target = target.target()}));
  expect_agreement(instance);
  must(connect(other, {"7000:80", "7000:80/udp"}));
  expect_agreement(instance);
}

TEST_F(EnginePublish, TheNetworkSaysWhereAPortWithoutAddressIsPublished) {
  instance.make_network(3, [](auto& request) {
    request.options["com.docker.network.bridge.host_binding_ipv4"] = "127.0.0.1";
  });
  const auto endpoint = must(connect(target, {"7000:80", "0.0.0.0:7001:80"}, "net3"));
  EXPECT_EQ(endpoint.ports[0].host_ip, ip("127.0.0.1"));
  EXPECT_EQ(endpoint.ports[1].host_ip, Ip());
}

TEST_F(EnginePublish, AThousandPortsMakeNoMoreRules) {
  const auto rules = [] {
    const auto ruleset = json_of("nft -j list ruleset")["nftables"];
    return std::ranges::count_if(ruleset, [](const auto& each) { return each.contains("rule"); });
  };
  must(connect(target, {"7000:80"}));
  const auto one = rules();
  must(publish({"8000-8998:1-999"}));
  EXPECT_EQ(rules(), one);
  expect_agreement(instance);
}

// Nothing gets there: firewall/table.h.
// The ports of `run -p`, without the process.
class EngineRoamingPorts : public EngineTest {
 protected:
  Result<std::vector<Endpoint>> start(const std::vector<Attachment>& networks,
                                      const std::vector<std::string>& specs) {
    must(instance->create_sandbox({.name = "srv"}));
    const auto attach = [&]() -> Result<std::vector<Endpoint>> {
      engine::Draft change(*instance.impl().store);
      const RunProcess request{.networks = networks, .ports = ports(specs)};
      auto target = TRY(engine::find_target(instance.impl(), change, "srv"));
      auto endpoints = TRY(engine::attach_all(instance.impl(), change, request, std::move(target)));
      TRY(engine::commit(instance.impl(), change));
      return endpoints;
    };
    auto started = attach();
    if (!started) must(instance->remove_sandboxes({{"srv"}, true}).front().status);
    return started;
  }
  // "NETWORK:ADDRESS:PORT" of all that are published.
  std::vector<std::string> published() {
    std::vector<std::string> all;
    for (const auto& each : must(instance->endpoints_of_sandbox(must(instance->sandbox("srv")))))
      for (const auto& port : each.ports)
        all.push_back(
            fmt::format("{} {} {}", each.network_name, port.host_ip.str(), port.host_port));
    std::ranges::sort(all);
    expect_agreement(instance);
    return all;
  }
  // The network lan, whose containers are reached at their own addresses alone.
  void make_lan_without_ports() {
    run("ip link add br7 type bridge && ip addr add 10.7.0.1/24 dev br7 && ip link set br7 up");
    must(instance->create_network(
        {.name = "lan",
         .subnets = {{.subnet = Cidr::parse("10.7.0.0/24").value(), .gateway = ip("10.7.0.1")}},
         .options = {{"com.docker.network.bridge.name", "br7"}, {"mode", "unmanaged"}}}));
  }
  using Strings = std::vector<std::string>;

  Instance instance;
};

TEST_F(EngineRoamingPorts, WaitForAWayOutThatCanPublishThem) {
  make_lan_without_ports();
  instance.make_network(1);
  must(start({{"lan", {.gw_priority = 1}}, {"net1", {}}}, {"8080:80"}));
  EXPECT_EQ(published(), Strings{});
  must(instance->disconnect({"lan", "srv"}));
  EXPECT_EQ(published(), Strings{"net1 0.0.0.0 8080"});
}

TEST_F(EngineRoamingPorts, ComeFromTheNetworkThatCanServeTheAddress) {
  instance.make_network(2);
  must(instance->create_network(
      {.name = "net1", .subnets = {{.subnet = Cidr::parse("fd01::/64").value()}}, .ipv4 = false}));
  must(start({{"net1", {.gw_priority = 1}}, {"net2", {}}}, {"127.0.0.1:8085:80", "8086:80"}));
  EXPECT_EQ(published(), (Strings{"net1 :: 8086", "net2 0.0.0.0 8086", "net2 127.0.0.1 8085"}));
}

TEST_F(EngineRoamingPorts, LeaveEachOtherTheNumbersTheyNeed) {
  instance.make_network(1);
  instance.make_network(2);
  run("sysctl -qw net.ipv4.ip_local_port_range='40000 40001'");
  must(start({{"net1", {}}, {"net2", {}}}, {"80", "40000:81", "8000-8001:82", "8000:83"}));
  EXPECT_EQ(published(), (Strings{"net1 0.0.0.0 40000", "net1 0.0.0.0 40001", "net1 0.0.0.0 8000",
                                  "net1 0.0.0.0 8001"}));
  EXPECT_EQ(must(instance->sandbox("srv")).ports.front().host_port, 40001);
}

TEST_F(EngineRoamingPorts, ThatWaitKeepTheirNumbers) {
  make_lan_without_ports();
  instance.make_network(1);
  instance.make_network(2);
  run("sysctl -qw net.ipv4.ip_local_port_range='40000 40001'");
  must(start({{"lan", {.gw_priority = 1}}, {"net1", {}}}, {"40000:81", "8000:82"}));
  for (int i = 0; i < 8; ++i) {
    must(instance->connect(
        {.network = "net2", .target = "srv", .ports = ports({"80", "8000-8001:80"})}));
    EXPECT_EQ(published(), (Strings{"net2 0.0.0.0 40001", "net2 0.0.0.0 8001"}));
    must(instance->disconnect({.network = "net2", .target = "srv"}));
  }
  must(instance->disconnect({"lan", "srv"}));
  EXPECT_EQ(published(), (Strings{"net1 0.0.0.0 40000", "net1 0.0.0.0 8000"}));
}

TEST_F(EngineRoamingPorts, AreRefusedWhereNoNetworkCanEverPublishThem) {
  for (const int number : {1, 2})
    instance.make_network(number, [](auto& request) { request.internal = true; });
  expect_refused(start({{"net1", {}}, {"net2", {}}}, {"8080:80"}), ErrorKind::kInvalid,
                 {"net1", "internal"});
}

TEST_F(EngineRoamingPorts, GoBackToANetworkWithoutADefaultRoute) {
  instance.make_network(1, [](auto& request) { request.options["no_default_route"] = "true"; });
  instance.make_network(2);
  instance.make_network(3, [](auto& request) { request.internal = true; });
  must(start({{"net1", {}}, {"net2", {}}}, {"8080:80"}));
  EXPECT_EQ(published(), Strings{"net2 0.0.0.0 8080"});
  must(instance->disconnect({"net2", "srv"}));
  EXPECT_EQ(published(), Strings{"net1 0.0.0.0 8080"});
  must(instance->connect({.network = "net3", .target = "srv"}));
  EXPECT_EQ(published(), Strings{"net1 0.0.0.0 8080"});
}

TEST_F(EngineRoamingPorts, DoNotTakeBackWhatTheSandboxGaveAwayMeanwhile) {
  instance.make_network(1);
  instance.make_network(2);
  instance.make_network(3, [](auto& request) {
    request.options["com.docker.network.bridge.gateway_mode_ipv4"] = "routed";
  });
  must(start({{"net1", {}}}, {"8080:80"}));
  must(instance->connect({.network = "net3", .target = "srv", .options = {.gw_priority = 5}}));
  must(instance->connect({.network = "net2", .target = "srv", .ports = ports({"8080:81"})}));
  must(instance->disconnect({"net3", "srv"}));
  EXPECT_EQ(published(), Strings{"net2 0.0.0.0 8080"});
  instance.make_network(4);
  must(instance->connect({.network = "net4", .target = "srv"}));  // which has no part in it
  EXPECT_EQ(published(), Strings{"net2 0.0.0.0 8080"});
  must(instance->disconnect({"net1", "srv"}));
  expect_refused(instance->connect({.network = "net1", .target = "srv"}), ErrorKind::kInUse,
                 {"8080", "srv", "started with it"});
}

TEST_F(EngineRoamingPorts, ThatWaitCanBeGivenToAnEndpointForGood) {
  make_lan_without_ports();
  instance.make_network(1);
  instance.make_network(2);
  must(start({{"lan", {.gw_priority = 1}}, {"net1", {}}}, {"8080:80", "8081:81"}));
  must(instance->connect({.network = "net2", .target = "srv", .ports = ports({"8080:80"})}));
  EXPECT_EQ(published(), Strings{"net2 0.0.0.0 8080"});
  must(instance->publish({"net1", "srv", ports({"8081:81"})}));
  EXPECT_EQ(published(), (Strings{"net1 0.0.0.0 8081", "net2 0.0.0.0 8080"}));
  instance.make_network(3);
  must(instance->connect({.network = "net3", .target = "srv", .options = {.gw_priority = 5}}));
  EXPECT_EQ(published(), (Strings{"net1 0.0.0.0 8081", "net2 0.0.0.0 8080"}));
}

TEST_F(EngineRoamingPorts, StayUnpublished) {
  instance.make_network(1);
  instance.make_network(2);
  must(start({{"net1", {}}}, {"8080:80", "8081:81"}));
  must(instance->unpublish({"net1", "srv", {{Protocol::kTcp, Ip(), 8080, 80}}}));
  must(instance->connect({.network = "net2", .target = "srv", .options = {.gw_priority = 5}}));
  EXPECT_EQ(published(), Strings{"net2 0.0.0.0 8081"});
  const auto record = must(instance->sandbox("srv"));
  EXPECT_TRUE(std::ranges::none_of(record.ports,
                                   [](const PortMapping& each) { return each.host_port == 8080; }));
}

TEST_F(EnginePublish, LoopbackOfIpv6IsRefusedForAContainerWithIpv6Alone) {
  instance.make_network(6, [](CreateNetwork& request) {
    request.ipv4 = false;
    request.subnets = {{.subnet = cidr("fd06::/64"), .range = {}, .gateway = {}, .aux = {}}};
  });
  TargetNs alone;
  const auto before = picture(instance);
  expect_refused(
      instance->connect(
          {.network = "net6", .target = alone.target(), .ports = ports({"[::1]:8081:80"})}),
      ErrorKind::kUnsupported, {"[::1]", "net6", "IPv6 alone", "br_netfilter", "IPv4"});
  expect_same(picture(instance), before);
  must(instance->connect(
      {.network = "net6", .target = alone.target(), .ports = ports({"[::]:8081:80"})}));
}

}  // namespace
}  // namespace berth::testing
