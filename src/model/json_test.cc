#include "model/json.h"

#include <gtest/gtest.h>

namespace berth::model {
namespace {

Ip ip(std::string_view text) {
  return Ip::parse(text).value();
}

// Every member has a value that is not its default's, so that one which is not kept is noticed.
Network full_network() {
  Network network;
  network.id = std::string(64, 'a');
  network.name = "web";
  network.driver = Driver::kBridge;
  network.created = 1700000000123456789;
  network.internal = true;
  network.predefined = true;
  network.labels = {{"a", "1"}, {"b\"", "\n"}};
  network.options = {{"com.docker.network.driver.mtu", "1400"}};
  network.subnets = {{Cidr::parse("10.1.0.0/24").value(),
                      Cidr::parse("10.1.0.64/26").value(),
                      ip("10.1.0.1"),
                      {{"printer", ip("10.1.0.9")}}}};
  network.ipv4 = false;
  network.ipv6 = network.attachable = network.config_only = true;
  network.config_from = "template";
  network.ipam = Ipam::kDhcp;
  network.ipam_options = {{"a", "b"}};
  network.link = {1400,
                  "net",
                  50,
                  false,
                  {{Cidr::parse("10.2.0.0/16").value(), RouteKind::kBlackhole, ip("10.1.0.7"), 9}},
                  1,
                  200};
  auto& bridge = network.bridge;
  bridge.device = IfName::parse("br0").value();
  bridge.adopted = bridge.inhibit_ipv4 = bridge.port_isolation = bridge.mac_spoof_check = true;
  bridge.managed = bridge.icc = bridge.masquerade = bridge.translate6to4 = false;
  bridge.mode4 = GatewayMode::kRouted;
  bridge.mode6 = GatewayMode::kIsolated;
  bridge.host_binding = ip("127.0.0.1");
  bridge.snat4 = ip("10.0.0.9");
  bridge.snat6 = ip("fd00::9");
  bridge.vlan = 7;
  bridge.vrf = IfName::parse("vrf0").value();
  bridge.trusted = {IfName::parse("eth1").value()};
  network.parent = {IfName::parse("eth0.50").value(),
                    ParentSettings::Origin::kVlan,
                    IfName::parse("eth0").value(),
                    50,
                    MacvlanMode::kSource,
                    IpvlanMode::kL3s,
                    IpvlanFlag::kVepa,
                    {Mac::parse("02:42:0a:01:00:02").value()},
                    -1,
                    true,
                    IfName::parse("shim0").value()};
  return network;
}

Endpoint full_endpoint() {
  Endpoint endpoint;
  endpoint.id = std::string(64, 'b');
  endpoint.network_id = std::string(64, 'a');
  endpoint.network_name = "web";
  endpoint.sandbox_id = std::string(64, 'c');
  endpoint.ifname = IfName::parse("eth0").value();
  endpoint.host_ifname = IfName::parse("veth1234567").value();
  endpoint.address4 = Cidr::parse("10.1.0.2/24").value();
  endpoint.address6 = Cidr::parse("fd00::2/64").value();
  endpoint.gateway4 = ip("10.1.0.1");
  endpoint.gateway6 = ip("fd00::1");
  endpoint.on_link = endpoint.default4 = endpoint.default6 = true;
  endpoint.sysctls = {"net/ipv4/conf/eth0/log_martians=1"};
  auto& asked = endpoint.asked;
  asked.ip4 = asked.gateway4 = ip("10.1.0.2");
  asked.ip6 = asked.gateway6 = ip("fd00::2");
  asked.mac = Mac::parse("02:42:0a:01:00:02").value();
  asked.link_local = {Cidr::parse("169.254.1.1/16").value()};
  asked.addresses = {Cidr::parse("10.1.0.9/24").value()};
  asked.aliases = {"www", "api"};
  asked.links = {"db:database"};
  asked.ifname = IfName::parse("eth0").value();
  asked.host_ifname = IfName::parse("veth1234567").value();
  asked.gw_priority = 5;
  asked.vlan = 7;
  asked.driver_options = {{"a", "b"}};
  endpoint.mac = Mac::parse("02:42:0a:01:00:02").value();
  endpoint.mtu = 1400;
  endpoint.ports = {{Protocol::kUdp, ip("127.0.0.1"), 53, 5353}};
  return endpoint;
}

Sandbox full_sandbox() {
  Sandbox sandbox;
  sandbox.id = std::string(64, 'c');
  sandbox.name = "box";
  sandbox.hostname = "host";
  sandbox.domainname = "example.org";
  sandbox.kind = SandboxKind::kForeign;
  sandbox.state = SandboxState::kExited;
  sandbox.netns_path = "/proc/1/ns/net";
  sandbox.netns_inode = 18446744073709551615U;
  sandbox.argv = {"sh", "-c", "echo \"ü\""};
  sandbox.rootfs = "/srv";
  sandbox.mode = NetworkMode::kContainer;
  sandbox.first_network = "net";
  sandbox.shares = std::string(64, 'd');
  sandbox.ports = {{Protocol::kUdp, ip("127.0.0.1"), 53, 5353}};
  sandbox.dns = {"10.0.0.53"};
  sandbox.dns_search = {"lan"};
  sandbox.dns_options = {"ndots:1"};
  sandbox.extra_hosts = {"db:10.0.0.1"};
  sandbox.labels = {{"a", "1"}};
  sandbox.auto_remove = sandbox.tty = sandbox.log = true;
  sandbox.pid = 11;
  sandbox.pid_start = 12;
  sandbox.shim_pid = 13;
  sandbox.shim_start = 14;
  sandbox.exit_code = -1;
  sandbox.created = 15;
  sandbox.started = 16;
  sandbox.finished = 17;
  sandbox.endpoints = {std::string(64, 'b')};
  return sandbox;
}

TEST(ModelJson, NetworksComeBackAsTheyWere) {
  const auto network = full_network();
  const auto back = network_from_json(to_json(network)).value();
  EXPECT_EQ(to_json(back), to_json(network));
  EXPECT_EQ(back.subnets, network.subnets);
  EXPECT_EQ(back.labels, network.labels);
  EXPECT_EQ(back.bridge.device, network.bridge.device);
  EXPECT_EQ(back.link.mtu, 1400U);
  EXPECT_EQ(back.link.routes, network.link.routes);
  EXPECT_EQ(back.parent.macvlan_mode, MacvlanMode::kSource);
  EXPECT_FALSE(back.bridge.icc);
  EXPECT_EQ(back.created, network.created);
}

TEST(ModelJson, EndpointsComeBackAsTheyWere) {
  const auto endpoint = full_endpoint();
  const auto back = endpoint_from_json(to_json(endpoint)).value();
  EXPECT_EQ(to_json(back), to_json(endpoint));
  EXPECT_EQ(back.ports, endpoint.ports);
  EXPECT_EQ(back.mac, endpoint.mac);
  EXPECT_EQ(back.gateway4, endpoint.gateway4);
  EXPECT_EQ(back.address6, endpoint.address6);
  EXPECT_EQ(back.asked.aliases, endpoint.asked.aliases);

  auto internal = full_endpoint();
  internal.gateway4 = internal.asked.ip4 = std::nullopt;
  EXPECT_EQ(endpoint_from_json(to_json(internal)).value().gateway4, std::nullopt);
}

TEST(ModelJson, SandboxesComeBackAsTheyWere) {
  const auto sandbox = full_sandbox();
  const auto back = sandbox_from_json(to_json(sandbox)).value();
  EXPECT_EQ(to_json(back), to_json(sandbox));
  EXPECT_EQ(back.kind, SandboxKind::kForeign);
  EXPECT_EQ(back.state, SandboxState::kExited);
  EXPECT_EQ(back.argv, sandbox.argv);
  EXPECT_EQ(back.netns_inode, sandbox.netns_inode);
  EXPECT_EQ(back.exit_code, -1);
}

TEST(ModelJson, ArgumentsThatAreNoUtf8CanStillBeRead) {
  auto sandbox = full_sandbox();
  sandbox.argv = {"\xff"};
  EXPECT_TRUE(sandbox_from_json(to_json(sandbox)));
}

TEST(ModelJson, UnknownMembersAreIgnoredAndMissingOnesTakeTheirDefaults) {
  const auto network = network_from_json(R"({"id":"a","driver":"host","colour":"red"})").value();
  EXPECT_EQ(network.id, "a");
  EXPECT_EQ(network.driver, Driver::kHost);
  EXPECT_TRUE(network.bridge.icc);
  EXPECT_EQ(sandbox_from_json("{}").value().kind, SandboxKind::kProcess);
}

TEST(ModelJson, WhatIsNoSuchDocumentIsCorrupt) {
  const auto expect_corrupt = [](const auto& result, const char* what) {
    ASSERT_FALSE(result) << what;
    EXPECT_EQ(result.error().kind, ErrorKind::kCorrupt) << what;
  };
  for (const char* text : {"", "x", "[]", "null", "5", R"({"id":5})", R"({"driver":"overlay"})",
                           R"({"driver":5})", R"({"driver":"bridge"})", R"({"driver":"macvlan"})",
                           R"({"driver":"host","subnets":[{"cidr":"10.0.0.0"}]})"})
    expect_corrupt(network_from_json(text), text);
  for (const char* text :
       {"", "[]", R"({"address4":"10.0.0.256/24"})", R"({"address4":"fd00::2/64"})",
        R"({"mac":"x"})", R"({"address4":"10.0.0.1/33"})", R"({"ports":[{"protocol":"icmp"}]})"})
    expect_corrupt(endpoint_from_json(text), text);
  for (const char* text :
       {"", "[]", R"({"kind":"vm"})", R"({"state":"paused"})", R"({"argv":"sh"})"})
    expect_corrupt(sandbox_from_json(text), text);
}

TEST(ModelNames, AreDockers) {
  EXPECT_EQ(name(Driver::kBridge), "bridge");
  EXPECT_EQ(name(Driver::kHost), "host");
  EXPECT_EQ(name(Driver::kNone), "null");
  EXPECT_EQ(name(SandboxState::kCreated), "created");
  EXPECT_EQ(name(SandboxState::kRunning), "running");
  EXPECT_EQ(name(SandboxState::kExited), "exited");
}

}  // namespace
}  // namespace berth::model
