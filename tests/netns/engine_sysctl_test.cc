// Settings of the host that safety or function relies on: they are made, whatever the host's own
// defaults are.
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <thread>

#include "engine_fixture.h"
#include "kernel/sysctl/sysctl.h"
#include "router.h"
#include "translator/translator.h"

namespace berth::testing {
namespace {

std::string value_of(const std::string& key) {
  const auto value = kernel::read_sysctl(key);
  return value ? *value : value.error().message;
}
void set(const std::string& key, std::string_view value) {
  must(kernel::write_sysctl(key, value));
}
std::string of(std::string_view family, std::string_view device, std::string_view name) {
  return fmt::format("net/{}/conf/{}/{}", family, device, name);
}

// What a new device begins with, as unfavourable as can be.
void make_defaults_hostile() {
  for (const auto& [name, value] : {std::pair{"forwarding", "0"},
                                    {"route_localnet", "1"},
                                    {"accept_redirects", "1"},
                                    {"accept_local", "1"},
                                    {"proxy_arp", "1"},
                                    {"arp_ignore", "8"},
                                    {"arp_announce", "0"},
                                    {"arp_filter", "1"},
                                    {"rp_filter", "1"}})
    set(of("ipv4", "default", name), value);
  for (const auto& [name, value] : {std::pair{"forwarding", "0"},
                                    {"disable_ipv6", "1"},
                                    {"accept_ra", "2"},
                                    {"accept_redirects", "1"},
                                    {"accept_dad", "2"},
                                    {"addr_gen_mode", "1"}})
    set(of("ipv6", "default", name), value);
}

// Whatever a device of the host is for, its neighbours do not change the host.
void expect_guarded(const std::string& device) {
  for (const auto* name : {"accept_redirects", "accept_local", "proxy_arp"})
    EXPECT_EQ(value_of(of("ipv4", device, name)), "0") << device << ' ' << name;
  EXPECT_EQ(value_of(of("ipv4", device, "arp_ignore")), "1") << device;
  for (const auto* name : {"accept_ra", "accept_redirects"})
    EXPECT_EQ(value_of(of("ipv6", device, name)), "0") << device << ' ' << name;
}

std::set<std::string> links() {
  std::set<std::string> names;
  for (const auto& each : json_of("ip -j link show")) names.insert(each["ifname"]);
  return names;
}

class EngineSysctl : public EngineTest {
 protected:
  Instance instance;
  TargetNs one, two;

  Endpoint connect(const std::string& network, const TargetNs& target,
                   const std::vector<std::string>& specs = {}) {
    return must(
        instance->connect({.network = network, .target = target.target(), .ports = ports(specs)}));
  }
};

struct Families {
  const char* name;
  bool ipv4, ipv6, internal;
};
class EngineSysctlOf : public EngineSysctl, public ::testing::WithParamInterface<Families> {
 protected:
  void make_network() {
    const auto& [name, ipv4, ipv6, internal] = GetParam();
    CreateNetwork request{.name = "net"};
    request.options["com.docker.network.bridge.name"] = "br1";
    request.ipv4 = ipv4;
    request.ipv6 = ipv6;
    request.internal = internal;
    must(instance->create_network(request));
  }
};

TEST_P(EngineSysctlOf, EverySettingOfTheBridgeIsMadeWhateverTheDefaultsAre) {
  const auto& [name, ipv4, ipv6, internal] = GetParam();
  set("net/ipv4/ip_forward", "1");  // so that nothing switches the devices' own values
  set("net/ipv6/conf/all/forwarding", "1");
  make_defaults_hostile();
  make_network();
  expect_guarded("br1");
  const bool ipv4_out = ipv4 && !internal;
  EXPECT_EQ(value_of(of("ipv4", "br1", "route_localnet")), ipv4_out ? "1" : "0");
  EXPECT_EQ(value_of(of("ipv6", "br1", "disable_ipv6")), ipv6 ? "0" : "1");
  if (ipv4_out) {
    EXPECT_EQ(value_of(of("ipv4", "br1", "forwarding")), "1");
  }
  if (ipv6) {
    EXPECT_EQ(value_of(of("ipv6", "br1", "accept_dad")), "0");
    EXPECT_EQ(value_of(of("ipv6", "br1", "addr_gen_mode")), "0");
  }
  expect_agreement(instance);

  // Reconcile looks at each of them.
  run("ip link set br1 down");  // addr_gen_mode is not read before the next "up"
  for (const auto* setting : {"ipv4/conf/br1/arp_ignore", "ipv4/conf/br1/proxy_arp"})
    set(std::string("net/") + setting, "0");
  set(of("ipv6", "br1", "accept_ra"), "2");
  set(of("ipv4", "br1", "accept_local"), "1");
  for (const auto& repair : must(instance->reconcile())) must(repair.status);
  expect_guarded("br1");
}

// The router advertisement is one that a host takes: RouterAdvertisement below shows it.
TEST_P(EngineSysctlOf, AContainerCannotMakeItselfARouterOfTheHost) {
  make_defaults_hostile();
  make_network();
  must(instance->connect({.network = "net", .target = one.target()}));
  for (const auto& to : kWaysIn) {
    advertise_router(one.netns, "eth0", to);
    EXPECT_EQ(learned_by_advertisement(), "") << "by a frame to " << to.str();
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EngineSysctlOf,
                         ::testing::Values(Families{"Ipv4", true, false, false},
                                           Families{"DualStack", true, true, false},
                                           Families{"Ipv6", false, true, false},
                                           Families{"InternalIpv4", true, false, true},
                                           Families{"InternalDualStack", true, true, true},
                                           Families{"InternalIpv6", false, true, true}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_F(EngineSysctl, AContainerOfAnIsolatedNetworkCannotMakeItselfARouterOfTheHost) {
  make_defaults_hostile();
  instance.make_network(1, [](CreateNetwork& request) {
    request.options["com.docker.network.bridge.gateway_mode_ipv4"] = "isolated";
    request.internal = true;
  });
  expect_guarded("br1");
  connect("net1", one);
  for (const auto& to : kWaysIn) {
    advertise_router(one.netns, "eth0", to);
    EXPECT_EQ(learned_by_advertisement(), "") << "by a frame to " << to.str();
  }
}

// What is on an unmanaged bridge is its owner's business; the port is berth's.
TEST_F(EngineSysctl, AContainerOnAnUnmanagedBridgeCannotMakeItselfARouterByItsPort) {
  make_defaults_hostile();
  run("ip link add br7 type bridge && ip addr add 10.7.0.1/24 dev br7 && ip link set br7 up");
  must(instance->create_network(
      {.name = "lan",
       .options = {{"com.docker.network.bridge.name", "br7"}, {"mode", "unmanaged"}}}));
  set(of("ipv6", "default", "disable_ipv6"), "0");
  const auto endpoint = connect("lan", one);
  EXPECT_EQ(value_of(of("ipv6", endpoint.host_ifname.str(), "disable_ipv6")), "1");
  for (const auto& to : kWaysIn) {
    advertise_router(one.netns, "eth0", to);
    EXPECT_EQ(learned_by_advertisement(), "") << "by a frame to " << to.str();
  }
  run("ip link set " + endpoint.host_ifname.str() + " name renamed");
  EXPECT_TRUE(must(instance->reconcile()).empty());
}

// Shows that what the tests above send is taken where nothing stands against it.
TEST_F(EngineSysctl, RouterAdvertisementIsOneThatAHostTakes) {
  run("ip link add br7 type bridge && ip link set br7 up");
  run("ip link add port7 master br7 up type veth peer name eth0 netns " + one.path);
  run("ip link set eth0 up", &one.netns);
  for (const auto& to : kWaysIn) {
    advertise_router(one.netns, "eth0", to);
    const auto learned = learned_by_advertisement();
    EXPECT_NE(learned.find("default via"), std::string::npos) << to.str();
    EXPECT_NE(learned.find("inet6 2001:db8:bad:"), std::string::npos) << to.str();
    run("ip -6 route flush proto ra; ip -6 route flush root 2001:db8:bad::/48; "
        "ip -6 addr flush to 2001:db8:bad::/48");
  }
}

// The host's own sub-interface of a macvlan network.
TEST_F(EngineSysctl, TheHostsSubInterfaceIsGuarded) {
  run("ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up");
  if (shell("ip link add link lan0 name probe type macvlan").status != 0)
    GTEST_SKIP() << "this kernel has no macvlan";
  run("ip link del probe");
  make_defaults_hostile();
  for (const bool ipv6 : {false, true}) {
    const auto before = links();
    must(instance->create_network({.name = "lan",
                                   .driver = "macvlan",
                                   .ipv6 = ipv6,
                                   .options = {{"parent", "lan0"}, {"host_access", "true"}}}));
    const auto after = links();
    for (const auto& device : after) {
      if (before.contains(device)) continue;
      expect_guarded(device);
      EXPECT_EQ(value_of(of("ipv4", device, "arp_announce")), "2");
      EXPECT_EQ(value_of(of("ipv6", device, "disable_ipv6")), ipv6 ? "0" : "1");
    }
    EXPECT_GT(after.size(), before.size());
    must(instance->remove_networks({{"lan"}, false}).front().status);
  }
}

TEST_F(EngineSysctl, TheTranslatorsDevicesAreGuardedWhateverTheDefaultsAre) {
  if (const auto possible = translator::possible(); !possible)
    GTEST_SKIP() << possible.error().message;
  set("net/ipv4/ip_forward", "1");
  make_defaults_hostile();
  instance.make_network(1);
  connect("net1", one, {"[::]:8080:80"});
  expect_guarded("berth64");
  expect_guarded("berth46");
  EXPECT_EQ(value_of(of("ipv6", "berth64", "disable_ipv6")), "0");
  EXPECT_EQ(value_of(of("ipv6", "berth46", "disable_ipv6")), "1");
  EXPECT_EQ(value_of(of("ipv4", "berth46", "forwarding")), "1");
  set(of("ipv4", "berth46", "forwarding"), "0");
  for (const auto& repair : must(instance->reconcile())) must(repair.status);
  EXPECT_EQ(value_of(of("ipv4", "berth46", "forwarding")), "1");
}

// A host between a machine and a container, and the ways through it.
TEST_F(EngineSysctl, PacketsPassTheHostWhateverTheDefaultsAre) {
  TargetNs machine;
  run("ip link add up0 type veth peer name eth0 netns " + machine.path);
  run("ip addr add 192.0.2.1/24 dev up0; ip addr add 2001:db8:1::1/64 dev up0 nodad; "
      "ip link set up0 up");
  run("ip addr add 192.0.2.9/24 dev eth0; ip addr add 2001:db8:1::9/64 dev eth0 nodad; "
      "ip link set eth0 up; ip -6 route add fd00:1::/64 via 2001:db8:1::1",
      &machine.netns);
  set("net/ipv4/ip_forward", "1");
  set("net/ipv6/conf/all/forwarding", "1");
  make_defaults_hostile();
  instance.make_network(1, [](CreateNetwork& request) {
    request.ipv6 = true;
    request.subnets.push_back(
        {.subnet = cidr("fd00:1::/64"), .range = {}, .gateway = {}, .aux = {}});
    request.options["com.docker.network.bridge.gateway_mode_ipv6"] = "routed";
  });
  connect("net1", one);
  run("ping -c1 -W3 192.0.2.9", &one.netns);
  run("ping -c1 -W3 2001:db8:1::9", &one.netns);
  run("ping -c1 -W3 fd00:1::2", &machine.netns);
}

TEST_F(EngineSysctl, AnAdoptedBridgeThatTheHostLivesByKeepsItsRouter) {
  run("ip link add br7 type bridge && ip addr add 10.7.0.1/24 dev br7 && ip link set br7 up");
  run("ip link add port7 master br7 up type veth peer name eth0 netns " + two.path);
  run("ip link set eth0 up", &two.netns);
  advertise_router(two.netns, "eth0", kWaysIn[0]);
  const auto learned = [] { return shell("ip -6 route show proto ra").output; };
  ASSERT_NE(learned(), "");
  for (const bool ipv6 : {false, true}) {
    must(instance->create_network({.name = "lan", .ipv6 = ipv6, .adopt = "br7"}));
    EXPECT_EQ(value_of(of("ipv6", "br7", "accept_ra")), ipv6 ? "2" : "1");
    EXPECT_EQ(value_of(of("ipv4", "br7", "arp_ignore")), "0");
    EXPECT_NE(learned(), "");
    EXPECT_TRUE(must(instance->reconcile()).empty());
    must(instance->remove_networks({{"lan"}, false}).front().status);
    EXPECT_EQ(value_of(of("ipv6", "br7", "accept_ra")), "1");
  }
}
TEST_F(EngineSysctl, AnAdoptedBridgeWithoutARouterTakesNone) {
  run("ip link add br7 type bridge && ip addr add 10.7.0.1/24 dev br7 && ip link set br7 up");
  must(instance->create_network({.name = "lan", .adopt = "br7"}));
  EXPECT_EQ(value_of(of("ipv6", "br7", "accept_ra")), "0");
  must(instance->remove_networks({{"lan"}, false}).front().status);
  EXPECT_EQ(value_of(of("ipv6", "br7", "accept_ra")), "1");
}

// A device whose router gives a prefix and is no default router.
TEST_F(EngineSysctl, APrefixThatARouterAdvertisesIsRenewedWhereTheHostForwards) {
  run("ip link add up0 type veth peer name eth0 netns " + two.path);
  set(of("ipv6", "up0", "accept_dad"), "0");  // so that the host asks for routers at once
  run("ip link set eth0 up", &two.netns);
  run("ip link set up0 up");
  const auto valid = [] {
    const auto shown = json_of("ip -j -6 addr show dev up0 to 2001:db8:bad::/48");
    return shown.empty() || shown[0]["addr_info"].empty()
               ? 0
               : shown[0]["addr_info"][0]["valid_life_time"].get<int>();
  };
  for (int i = 0; i < 30 && valid() == 0; ++i) {
    advertise_router(two.netns, "eth0", kWaysIn[0], {.router_lifetime = 0, .valid = 9000});
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_GT(valid(), 8000);
  ASSERT_EQ(shell("ip -6 route show default").output, "");

  instance.make_network(1, [](CreateNetwork& request) { request.ipv6 = true; });
  EXPECT_EQ(value_of("net/ipv6/conf/all/forwarding"), "1");
  EXPECT_EQ(value_of(of("ipv6", "up0", "accept_ra")), "2");
  advertise_router(two.netns, "eth0", kWaysIn[0], {.router_lifetime = 0, .valid = 20000});
  EXPECT_GT(valid(), 10000);
  must(instance->remove_networks({{"net1"}, false}).front().status);
  EXPECT_EQ(value_of(of("ipv6", "up0", "accept_ra")), "1");
}

// As after `sysctl --system` of a host whose files switch forwarding off.
TEST_F(EngineSysctl, TheNextConnectSwitchesForwardingOnAgain) {
  const auto before = kernel_state();
  instance.make_network(1, [](CreateNetwork& request) { request.ipv6 = true; });
  for (const auto& target : {&one, &two}) {
    set("net/ipv4/ip_forward", "0");
    set("net/ipv6/conf/all/forwarding", "0");
    connect("net1", *target);
    EXPECT_EQ(ip_forward(), "1");
    EXPECT_EQ(value_of("net/ipv6/conf/all/forwarding"), "1");
    EXPECT_EQ(value_of(of("ipv4", "br1", "forwarding")), "1");
  }
  must(instance->remove_networks({{"net1"}, true}).front().status);
  expect_same(kernel_state(), before);
}

// Whoever made the network did not have to switch it, so nothing is known of a value before.
TEST_F(EngineSysctl, WhatReconcileSwitchesGoesBackWithTheLastNetwork) {
  set("net/ipv4/ip_forward", "1");
  instance.make_network(1);
  set("net/ipv4/ip_forward", "0");
  for (const auto& repair : must(instance->reconcile())) must(repair.status);
  EXPECT_EQ(ip_forward(), "1");
  expect_agreement(instance);
  must(instance->remove_networks({{"net1"}, false}).front().status);
  EXPECT_EQ(ip_forward(), "0");
}

// As many servers have it. What is asked for is a port; the way from IPv6 is an extra.
TEST_F(EngineSysctl, APortIsPublishedWhereIpv6IsSwitchedOff) {
  set(of("ipv6", "all", "disable_ipv6"), "1");
  instance.make_network(1);
  const auto before = links();
  EXPECT_EQ(connect("net1", one, {"8080:80"}).ports.size(), 1U);
  EXPECT_EQ(links().size(), before.size() + 1);
  expect_refused(instance->publish({"net1", one.target(), ports({"[::]:8081:80"})}),
                 ErrorKind::kUnsupported, {"IPv6 is switched off", "disable_ipv6"});
  expect_agreement(instance);
}

TEST_F(EngineSysctl, APortIsPublishedOnIpv6WhereNewDevicesHaveNone) {
  if (const auto possible = translator::possible(); !possible)
    GTEST_SKIP() << possible.error().message;
  set(of("ipv6", "default", "disable_ipv6"), "1");
  instance.make_network(1);
  connect("net1", one, {"8080:80"});
  EXPECT_TRUE(links().contains("berth64"));
  expect_agreement(instance);
}

TEST_F(EngineSysctl, ASandboxWithoutIpv6GetsANetwork) {
  must(kernel::run_in(one.netns,
                      [] { return kernel::write_sysctl("net/ipv6/conf/all/disable_ipv6", "1"); }));
  instance.make_network(1);
  instance.make_network(2, [](CreateNetwork& request) { request.ipv6 = true; });
  connect("net1", one, {"8080:80"});
  const auto dual = connect("net2", one, {"8081:80"});
  run("ping -c1 -W3 " + dual.gateway6->str(), &one.netns);
}

// /proc/sys as containers have it, for as long as the object lives.
class ReadOnlyProcSys {
 public:
  ReadOnlyProcSys() {
    const auto remount = [](unsigned long flags) {
      return mount("/proc/sys", "/proc/sys", nullptr, flags, nullptr) == 0;
    };
    done = remount(MS_BIND) &&
           remount(MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  }
  ReadOnlyProcSys(const ReadOnlyProcSys&) = delete;
  ReadOnlyProcSys& operator=(const ReadOnlyProcSys&) = delete;
  ~ReadOnlyProcSys() { umount2("/proc/sys", MNT_DETACH); }

  bool done = false;
};

TEST_F(EngineSysctl, WhereEveryValueIsRightAlreadyProcSysMayBeReadOnly) {
  set("net/ipv4/ip_forward", "1");
  for (const auto& [name, value] :
       {std::pair{"accept_redirects", "0"}, {"arp_ignore", "1"}, {"route_localnet", "1"}})
    set(of("ipv4", "default", name), value);
  for (const auto& [name, value] :
       {std::pair{"disable_ipv6", "1"}, {"accept_ra", "0"}, {"accept_redirects", "0"}})
    set(of("ipv6", "default", name), value);
  must(kernel::run_in(
      one.netns, [] { return kernel::write_sysctl("net/ipv6/conf/default/disable_ipv6", "1"); }));
  {
    const ReadOnlyProcSys read_only;
    if (!read_only.done) GTEST_SKIP() << "cannot mount /proc/sys read-only: " << strerror(errno);
    instance.make_network(1);
    connect("net1", one, {"8080:80"});
    expect_agreement(instance);
    expect_refused(instance->connect({.network = "net1", .target = two.target()}),
                   ErrorKind::kPermission, {"disable_ipv6", "read-only"});
  }
}

}  // namespace
}  // namespace berth::testing
