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
  network.bridge = {IfName::parse("br0").value(), false, false, ip("127.0.0.1"), 1400};
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
  endpoint.ip = ip("10.1.0.2");
  endpoint.prefix = 24;
  endpoint.requested_ip = ip("10.1.0.2");
  endpoint.gateway = ip("10.1.0.1");
  endpoint.default_route = true;
  endpoint.mac = Mac::parse("02:42:0a:01:00:02").value();
  endpoint.mtu = 1400;
  endpoint.aliases = {"www", "api"};
  endpoint.ports = {{Protocol::kUdp, ip("127.0.0.1"), 53, 5353}};
  return endpoint;
}

Sandbox full_sandbox() {
  Sandbox sandbox;
  sandbox.id = std::string(64, 'c');
  sandbox.name = "box";
  sandbox.hostname = "host";
  sandbox.kind = SandboxKind::kForeign;
  sandbox.state = SandboxState::kExited;
  sandbox.netns_path = "/proc/1/ns/net";
  sandbox.netns_inode = 18446744073709551615U;
  sandbox.argv = {"sh", "-c", "echo \"ü\""};
  sandbox.rootfs = "/srv";
  sandbox.host_network = "none";
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
  EXPECT_EQ(back.bridge.mtu, 1400U);
  EXPECT_FALSE(back.bridge.icc);
  EXPECT_EQ(back.created, network.created);
}

TEST(ModelJson, EndpointsComeBackAsTheyWere) {
  const auto endpoint = full_endpoint();
  const auto back = endpoint_from_json(to_json(endpoint)).value();
  EXPECT_EQ(to_json(back), to_json(endpoint));
  EXPECT_EQ(back.ports, endpoint.ports);
  EXPECT_EQ(back.mac, endpoint.mac);
  EXPECT_EQ(back.gateway, endpoint.gateway);
  EXPECT_EQ(back.aliases, endpoint.aliases);

  auto internal = full_endpoint();
  internal.gateway = internal.requested_ip = std::nullopt;
  EXPECT_EQ(endpoint_from_json(to_json(internal)).value().gateway, std::nullopt);
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
  for (const char* text :
       {"", "x", "[]", "null", "5", R"({"id":5})", R"({"driver":"overlay"})", R"({"driver":5})",
        R"({"driver":"bridge"})", R"({"driver":"host","subnets":[{"cidr":"10.0.0.0"}]})"})
    expect_corrupt(network_from_json(text), text);
  for (const char* text : {"", "[]", R"({"ip":"10.0.0.256"})", R"({"mac":"x"})", R"({"prefix":33})",
                           R"({"prefix":-1})", R"({"ports":[{"protocol":"icmp"}]})"})
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
