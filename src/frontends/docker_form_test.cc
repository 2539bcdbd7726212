#include "frontends/docker_form.h"

#include <gtest/gtest.h>

namespace berth::frontends {
namespace {

constexpr std::int64_t kCreated = 1'604'397'605'250'000'000;  // 2020-11-03T10:00:05.25Z

Endpoint sample_endpoint() {
  Endpoint endpoint;
  endpoint.id = "56cd85c5121d7d14146fcacc75599f6c56034e758e81f405a51437276ac6ac9f";
  endpoint.network_id = "af1dbf619ac62be1ad8a6b63696d3e6edff77cceab6cd0ee78de4b51e0d33683";
  endpoint.network_name = "mybridge0";
  endpoint.address4 = Cidr(Ip::v4(192, 168, 100, 2), 24);
  endpoint.gateway4 = Ip::v4(192, 168, 100, 1);
  endpoint.mac = Mac::from_ip(endpoint.address4->ip());
  endpoint.ports = {{Protocol::kTcp, Ip(), 12211, 8080}};
  return endpoint;
}

Sandbox sample_sandbox() {
  Sandbox sandbox;
  sandbox.id = "882cac3e472f2a20fb3a975fa99cc2c92433a9581b5774ea58e63d447d86aa5a";
  sandbox.name = "br0_container";
  sandbox.hostname = "882cac3e472f";
  sandbox.state = SandboxState::kRunning;
  sandbox.argv = {"bash", "-l"};
  sandbox.pid = 4711;
  sandbox.created = sandbox.started = kCreated;
  sandbox.extra_hosts = {"db:10.0.0.1"};
  return sandbox;
}

TEST(EndpointForm, IsWhatDockerInspectShows) {
  EXPECT_EQ(endpoint_form(sample_sandbox(), sample_endpoint()).dump(4), R"({
    "IPAMConfig": null,
    "Links": null,
    "Aliases": [
        "882cac3e472f"
    ],
    "NetworkID": "af1dbf619ac62be1ad8a6b63696d3e6edff77cceab6cd0ee78de4b51e0d33683",
    "EndpointID": "56cd85c5121d7d14146fcacc75599f6c56034e758e81f405a51437276ac6ac9f",
    "Gateway": "192.168.100.1",
    "IPAddress": "192.168.100.2",
    "IPPrefixLen": 24,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "MacAddress": "02:42:c0:a8:64:02",
    "GwPriority": 0,
    "DriverOpts": null,
    "DNSNames": [
        "br0_container",
        "882cac3e472f"
    ]
})");
}

TEST(SandboxForm, KeepsHowItWasStarted) {
  auto sandbox = sample_sandbox();
  sandbox.first_network = "mybridge0";
  sandbox.ports = {{Protocol::kTcp, Ip(), 12211, 8080}};
  const auto settings = [&](const SandboxDetails& details) {
    const auto form = sandbox_form(sandbox, details);
    return form["HostConfig"]["NetworkMode"].dump() + form["HostConfig"]["PortBindings"].dump() +
           form["NetworkSettings"]["Ports"].dump();
  };
  const std::string kPort = R"({"8080/tcp":[{"HostIp":"0.0.0.0","HostPort":"12211"}]})";
  EXPECT_EQ(settings({}), R"("mybridge0")" + kPort + "{}");
  auto endpoint = sample_endpoint();
  endpoint.network_name = "another";
  const std::vector endpoints = {endpoint};
  EXPECT_EQ(settings({.endpoints = endpoints}), R"("mybridge0")" + kPort + kPort);
}

TEST(PortsForm, ARoutedPortIsNoneOfTheHosts) {
  auto endpoint = sample_endpoint();
  endpoint.ports = {{Protocol::kTcp, Ip(), 0, 80}};
  const std::vector endpoints = {endpoint};
  EXPECT_EQ(ports_form(endpoints).dump(), R"({"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""}]})");
}

TEST(EndpointForm, ShowsWhatWasAskedFor) {
  auto endpoint = sample_endpoint();
  endpoint.asked.ip4 = endpoint.address4->ip();
  endpoint.asked.aliases = {"db"};
  const auto form = endpoint_form(sample_sandbox(), endpoint);
  EXPECT_EQ(form["IPAMConfig"].dump(), R"({"IPv4Address":"192.168.100.2"})");
  EXPECT_EQ(form["Aliases"].dump(), R"(["db","882cac3e472f"])");
}

TEST(EndpointForm, Ipv6HasItsOwnFields) {
  auto endpoint = sample_endpoint();
  endpoint.address4.reset();
  endpoint.gateway4.reset();
  endpoint.address6 = *Cidr::parse("fd00::2/64");
  endpoint.gateway6 = *Ip::parse("fd00::1");
  const auto form = endpoint_form(sample_sandbox(), endpoint);
  EXPECT_EQ(form["GlobalIPv6Address"], "fd00::2");
  EXPECT_EQ(form["GlobalIPv6PrefixLen"], 64);
  EXPECT_EQ(form["IPv6Gateway"], "fd00::1");
  EXPECT_EQ(form["IPAddress"], "");
}

TEST(EndpointForm, TheDefaultNetworkHasNoNames) {
  auto endpoint = sample_endpoint();
  endpoint.network_name = "bridge";
  const auto form = endpoint_form(sample_sandbox(), endpoint);
  EXPECT_TRUE(form["Aliases"].is_null());
  EXPECT_TRUE(form["DNSNames"].is_null());
}

TEST(SandboxForm, HasDockersParts) {
  const std::vector<Endpoint> endpoints = {sample_endpoint()};
  const auto form = sandbox_form(
      sample_sandbox(), {.endpoints = endpoints, .hosts_path = "/run/berth/hosts", .log_path = ""});
  EXPECT_EQ(form["Path"], "bash");
  EXPECT_EQ(form["Args"].dump(), R"(["-l"])");
  EXPECT_EQ(form["Name"], "/br0_container");
  EXPECT_EQ(form["State"]["Pid"], 4711);
  EXPECT_EQ(form["State"]["Status"], "running");
  EXPECT_EQ(form["State"]["StartedAt"], "2020-11-03T10:00:05.25Z");
  EXPECT_EQ(form["State"]["FinishedAt"], "0001-01-01T00:00:00Z");
  EXPECT_EQ(form["HostsPath"], "/run/berth/hosts");
  EXPECT_EQ(form["HostConfig"]["NetworkMode"], "mybridge0");
  EXPECT_EQ(form["HostConfig"]["ExtraHosts"].dump(), R"(["db:10.0.0.1"])");
  EXPECT_EQ(form["NetworkSettings"]["Ports"].dump(),
            R"({"8080/tcp":[{"HostIp":"0.0.0.0","HostPort":"12211"}]})");
  EXPECT_EQ(form["NetworkSettings"]["IPAddress"], "");  // of the default network alone
  EXPECT_EQ(form["NetworkSettings"]["Networks"]["mybridge0"]["IPAddress"], "192.168.100.2");
}

TEST(SandboxForm, ADeadProcessHasNoPid) {
  auto sandbox = sample_sandbox();
  sandbox.state = SandboxState::kExited;
  sandbox.exit_code = 137;
  const auto form = sandbox_form(sandbox, {});
  EXPECT_EQ(form["State"]["Pid"], 0);
  EXPECT_EQ(form["State"]["ExitCode"], 137);
  EXPECT_EQ(form["HostConfig"]["NetworkMode"], "none");
}

TEST(SandboxForm, ShowsTheDefaultNetworksAddressesOnTop) {
  auto endpoint = sample_endpoint();
  endpoint.network_name = "bridge";
  const std::vector<Endpoint> endpoints = {endpoint};
  const auto form = sandbox_form(sample_sandbox(), {.endpoints = endpoints});
  EXPECT_EQ(form["NetworkSettings"]["IPAddress"], "192.168.100.2");
}

TEST(NetworkStatusForm, CountsWhatNobodyCanHaveAsInUse) {
  const std::vector<SubnetUse> uses = {{.network = "n",
                                        .subnet = *Cidr::parse("10.1.0.0/24"),
                                        .in_use = 2,
                                        .reserved = 3,
                                        .available = 251},
                                       {.network = "n",
                                        .subnet = *Cidr::parse("fd01::/32"),
                                        .in_use = 1,
                                        .reserved = UINT64_MAX,
                                        .available = UINT64_MAX}};
  EXPECT_EQ(network_status_form(uses).dump(),
            R"({"IPAM":{"Subnets":{"10.1.0.0/24":{"IPsInUse":5,"DynamicIPsAvailable":251},)"
            R"("fd01::/32":{"IPsInUse":18446744073709551615,)"
            R"("DynamicIPsAvailable":18446744073709551615}}}})");
}

TEST(NetworkForm, ShowsStaticRoutesWhereThereAreSome) {
  Network network;
  EXPECT_FALSE(network_form(network, {}).contains("Routes"));
  network.link.routes = {*parse_route("10.8.0.0/16,10.1.0.9,7"),
                         *parse_route("10.9.0.0/16,prohibit")};
  EXPECT_EQ(network_form(network, {})["Routes"].dump(),
            R"([{"destination":"10.8.0.0/16","gateway":"10.1.0.9","metric":7,)"
            R"("route_type":"unicast"},{"destination":"10.9.0.0/16","route_type":"prohibit"}])");
}

TEST(NetworkForm, ATemplateHasNoDriver) {
  Network network;
  network.config_only = true;
  EXPECT_EQ(network_form(network, {})["Driver"], "null");
  EXPECT_EQ(network_form(network, {})["ConfigOnly"], true);
}

TEST(NetworkForm, IsWhatDockerNetworkInspectShows) {
  Network network;
  network.id = "af1dbf619ac62be1ad8a6b63696d3e6edff77cceab6cd0ee78de4b51e0d33683";
  network.name = "mybridge0";
  network.created = kCreated;
  network.options = {{"com.docker.network.bridge.name", "mybr0"}};
  network.subnets = {{.cidr = *Cidr::parse("192.168.100.0/24"),
                      .range = *Cidr::parse("192.168.100.0/26"),
                      .gateway = Ip::v4(192, 168, 100, 1),
                      .aux = {{"router", Ip::v4(192, 168, 100, 5)}}}};
  auto endpoint = sample_endpoint();
  endpoint.sandbox_id = "882cac3e472f";
  const std::vector<NetworkMember> members = {{endpoint, "br0_container"}};
  EXPECT_EQ(network_form(network, members).dump(4), R"({
    "Name": "mybridge0",
    "Id": "af1dbf619ac62be1ad8a6b63696d3e6edff77cceab6cd0ee78de4b51e0d33683",
    "Created": "2020-11-03T10:00:05.25Z",
    "Scope": "local",
    "Driver": "bridge",
    "EnableIPv4": true,
    "EnableIPv6": false,
    "IPAM": {
        "Driver": "default",
        "Options": {},
        "Config": [
            {
                "Subnet": "192.168.100.0/24",
                "IPRange": "192.168.100.0/26",
                "Gateway": "192.168.100.1",
                "AuxiliaryAddresses": {
                    "router": "192.168.100.5"
                }
            }
        ]
    },
    "Internal": false,
    "Attachable": false,
    "Ingress": false,
    "ConfigFrom": {
        "Network": ""
    },
    "ConfigOnly": false,
    "Containers": {
        "882cac3e472f": {
            "Name": "br0_container",
            "EndpointID": "56cd85c5121d7d14146fcacc75599f6c56034e758e81f405a51437276ac6ac9f",
            "MacAddress": "02:42:c0:a8:64:02",
            "IPv4Address": "192.168.100.2/24",
            "IPv6Address": ""
        }
    },
    "Options": {
        "com.docker.network.bridge.name": "mybr0"
    },
    "Labels": {}
})");
}

TEST(Rfc3339, KeepsTheDecimalsThatItTakes) {
  EXPECT_EQ(rfc3339(kCreated), "2020-11-03T10:00:05.25Z");
  EXPECT_EQ(rfc3339(1'604'397'605'000'000'001), "2020-11-03T10:00:05.000000001Z");
  EXPECT_EQ(rfc3339(1'604'397'600'000'000'000), "2020-11-03T10:00:00Z");
}

}  // namespace
}  // namespace berth::frontends
