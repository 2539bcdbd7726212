// Addresses that somebody else has chosen, and containers that somebody else runs.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "dhcp/client.h"
#include "engine_fixture.h"
#include "sandbox/process_id.h"

namespace berth::testing {
namespace {

// What `command` prints inside the target.
Finished shell_in(const TargetNs& target, const std::string& command) {
  return shell(fmt::format("nsenter --net={} {}", target.path, command));
}

class EngineAttach : public EngineTest {
 protected:
  EngineAttach() { instance.make_network(1); }

  Connect attaching(const TargetNs& target, const std::vector<std::string>& addresses) {
    Connect request{.network = "net1", .target = target.target()};
    for (const auto& address : addresses) request.options.addresses.push_back(cidr(address));
    return request;
  }
  std::set<std::string> addresses_in(const TargetNs& target) {
    std::set<std::string> all;
    const auto shown = json_of("ip -j addr show eth0", &target.netns);
    for (const auto& each : shown[0]["addr_info"])
      if (each["scope"] == "global")
        all.insert(
            fmt::format("{}/{}", each["local"].get<std::string>(), each["prefixlen"].get<int>()));
    return all;
  }

  Instance instance;
  TargetNs one, two;
};

TEST_F(EngineAttach, AddressesAreTakenAsTheyAreGiven) {
  const auto before = kernel_state(&one.netns);
  const auto endpoint = must(instance->connect(
      attaching(one, {"192.0.2.5/28", "10.1.0.9/24", "fd00:9::5/64", "192.0.2.6/28"})));
  EXPECT_EQ(endpoint.address4, cidr("192.0.2.5/28"));
  EXPECT_EQ(endpoint.address6, cidr("fd00:9::5/64"));
  EXPECT_EQ(endpoint.mac.str(), "02:42:c0:00:02:05");
  EXPECT_EQ(addresses_in(one),
            (std::set<std::string>{"192.0.2.5/28", "10.1.0.9/24", "fd00:9::5/64", "192.0.2.6/28"}));
  EXPECT_EQ(shell_in(one, "ip route show default").output, "") << "no gateway was given";
  expect_agreement(instance);
  must(instance->disconnect({.network = "", .target = one.target(), .address = ip("10.1.0.9")}));
  expect_same(kernel_state(&one.netns), before);
  expect_agreement(instance);
}

TEST_F(EngineAttach, NobodyElseGetsThemMeanwhile) {
  must(instance->connect(attaching(one, {"192.0.2.5/28", "10.1.0.2/24"})));
  const auto before = picture(instance, {&two});
  expect_refused(instance->connect(attaching(two, {"192.0.2.5/28"})), ErrorKind::kInUse,
                 {"192.0.2.5", one.target()});
  expect_refused(instance->connect(attaching(two, {"10.1.0.2/16"})), ErrorKind::kInUse,
                 {"10.1.0.2", one.target()});
  expect_same(picture(instance, {&two}), before);
  EXPECT_EQ(must(instance->connect({.network = "net1", .target = two.target()})).address4,
            cidr("10.1.0.3/24"));
}

TEST_F(EngineAttach, APrivateSandboxTakesWhatItIsGiven) {
  auto sandbox = must(instance->create_sandbox({.name = "alone"}));
  sandbox.mode = NetworkMode::kNone;
  {
    engine::Draft change(*instance.impl().store);
    change.state.put(sandbox);
    must(engine::commit(instance.impl(), change));
  }
  expect_refused(instance->connect({.network = "net1", .target = "alone"}), ErrorKind::kInvalid,
                 {"alone", "--network none", "berth attach"});
  for (const auto& by : {std::string("alone"), "netns:" + sandbox.netns_path}) {
    auto request = attaching(one, {"192.0.2.5/24"});
    request.target = by;
    EXPECT_EQ(must(instance->connect(request)).address4, cidr("192.0.2.5/24"));
    expect_agreement(instance);
    must(instance->disconnect({"net1", by}));
  }
  expect_refused(instance->disconnect({"net1", "alone"}), ErrorKind::kInvalid, {"alone"});
}

// On a network with DHCP, without its client: what that is told is noted as it would be.
class EngineLeases : public EngineAttach {
 protected:
  void SetUp() override {
    run("ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up");
    const auto lan = instance->create_network(
        {.name = "lan", .driver = "macvlan", .ipam = "dhcp", .options = {{"parent", "lan0"}}});
    if (!lan && lan.error().kind == ErrorKind::kUnsupported) GTEST_SKIP() << lan.error().message;
    must(lan);
  }
  Endpoint attach(const Target& target, const std::optional<Ip>& gateway = {}) {
    return must(
        instance->connect({.network = "lan",
                           .target = target,
                           .options = {.addresses = {cidr("192.0.2.5/24")}, .gateway4 = gateway}}));
  }
  // As if a client had asked for what was given.
  void make_by_dhcp(Endpoint endpoint) {
    engine::Draft change(*instance.impl().store);
    endpoint.asked.addresses.clear();
    change.state.put(endpoint);
    must(engine::commit(instance.impl(), change));
    run("mkdir -p " + engine::dhcp_directory(instance.impl(), endpoint));
  }
  void note(const Endpoint& endpoint, const char* event) {
    must(dhcp::note(engine::dhcp_directory(instance.impl(), endpoint), event));
  }
  Endpoint take_lease(const Endpoint& endpoint) {
    return must(engine::take_lease(instance.impl(), endpoint.id));
  }
};

TEST_F(EngineLeases, NobodyAsksForWhatIsGiven) {
  const auto endpoint = attach(one.target());
  EXPECT_EQ(addresses_in(one), std::set<std::string>{"192.0.2.5/24"});
  EXPECT_TRUE(must(instance->reconcile()).empty());
  EXPECT_EQ(take_lease(endpoint).address4, cidr("192.0.2.5/24"));
}

TEST_F(EngineLeases, AreLostWhenTheClientSaysSoAndNotWhenItIsGone) {
  const auto endpoint = attach(one.target());
  make_by_dhcp(endpoint);
  EXPECT_EQ(take_lease(endpoint).address4, cidr("192.0.2.5/24"));
  note(endpoint, "deconfig");
  EXPECT_FALSE(take_lease(endpoint).address4);
  EXPECT_TRUE(addresses_in(one).empty());
}

TEST_F(EngineLeases, ANewRouterTakesThePlaceOfTheOldOne) {
  const auto endpoint = attach(one.target(), ip("192.0.2.1"));
  make_by_dhcp(endpoint);
  setenv("ip", "192.0.2.5", 1);
  setenv("mask", "24", 1);
  setenv("router", "192.0.2.254", 1);
  note(endpoint, "renew");
  EXPECT_TRUE(take_lease(endpoint).default4);
  const auto routes = json_of("ip -j route show default", &one.netns);
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes[0]["gateway"], "192.0.2.254");
}

TEST_F(EngineLeases, AreLostThoughSomebodyHasThePortThatWaitedByNow) {
  must(instance->create_sandbox({.name = "web"}));
  const auto specs = ports({"127.0.0.1:8080:80"});
  must(instance->connect({.network = "net1", .target = "web", .ports = specs}));
  const auto endpoint = attach("web", ip("192.0.2.1"));
  make_by_dhcp(endpoint);
  {  // as `run -p` would have it: the way out publishes nothing, so the port waits
    engine::Draft change(*instance.impl().store);
    auto sandbox = must(change.state.sandbox("web"));
    for (const auto& each : must(change.state.endpoints(sandbox.endpoints)))
      sandbox.ports.insert(sandbox.ports.end(), each.ports.begin(), each.ports.end());
    change.state.put(sandbox);
    must(engine::reassign_ports(instance.impl(), change, sandbox, engine::IfTaken::kRefuse));
    must(engine::commit(instance.impl(), change));
  }
  must(instance->connect({.network = "net1", .target = one.target(), .ports = specs}));
  note(endpoint, "deconfig");
  EXPECT_FALSE(take_lease(endpoint).address4);
  const auto web = must(instance->sandbox("web"));
  EXPECT_EQ(web.ports.size(), 1U);
  for (const auto& each : must(instance->endpoints_of_sandbox(web))) {
    EXPECT_EQ(each.default4, each.network_name == "net1");
    EXPECT_TRUE(each.ports.empty());
  }
}

TEST_F(EngineAttach, LinkLocalAddressesAreOneOwnersEach) {
  const auto with = [&](TargetNs& target, const Cidr& address) {
    return instance->connect(
        {.network = "net1", .target = target.target(), .options = {.link_local = {address}}});
  };
  must(with(one, cidr("169.254.7.7/16")));
  expect_refused(with(two, cidr("169.254.7.7/16")), ErrorKind::kInUse,
                 {"169.254.7.7", one.target()});
  expect_refused(with(two, cidr("169.254.255.255/16")), ErrorKind::kInvalid, {"broadcast"});
  expect_refused(with(two, cidr("169.254.0.0/16")), ErrorKind::kInvalid, {"169.254.0.0"});
  expect_refused(with(two, cidr("10.9.9.9/24")), ErrorKind::kInvalid, {"10.9.9.9", "link-local"});
  expect_refused(with(two, cidr("169.254.7.8/24")), ErrorKind::kInvalid, {"169.254.7.8/24", "16"});
  must(with(two, cidr("fe80::77/64")));
  TargetNs three;
  expect_refused(instance->connect(attaching(three, {"fe80::77/64"})), ErrorKind::kInUse,
                 {"fe80::77", "taken by " + two.target()});
  expect_agreement(instance);
}

TEST_F(EngineAttach, TheDefaultRouteGoesByTheGatewayThatIsGiven) {
  instance.make_network(2);
  must(instance->connect({.network = "net2", .target = one.target()}));
  auto request = attaching(one, {"192.0.2.5/28", "fd00:9::5/64"});
  request.options.gateway4 = ip("192.0.2.1");
  request.options.gateway6 = ip("fd00:9::1");
  must(instance->connect(request));
  EXPECT_EQ(json_of("ip -j route show default", &one.netns)[0]["gateway"], "192.0.2.1");
  EXPECT_EQ(json_of("ip -j -6 route show default", &one.netns)[0]["gateway"], "fd00:9::1");
  expect_agreement(instance);
  must(instance->disconnect({.network = "net1", .target = one.target()}));
  EXPECT_EQ(json_of("ip -j route show default", &one.netns)[0]["gateway"], "10.2.0.1");
}

// As routers have it: RFC 4861, section 4.2, knows them by their link-local addresses.
TEST_F(EngineAttach, TheGatewayMayBeALinkLocalAddress) {
  auto request = attaching(one, {"fd00:9::5/64"});
  request.options.gateway6 = ip("fe80::1");
  must(instance->connect(request));
  EXPECT_EQ(json_of("ip -j -6 route show default", &one.netns)[0]["gateway"], "fe80::1");
  expect_agreement(instance);
  auto without = attaching(two, {"192.0.2.5/28"});
  without.options.gateway6 = ip("fe80::1");
  expect_refused(instance->connect(without), ErrorKind::kInvalid, {"gateway fe80::1"});
}

TEST_F(EngineAttach, IsRefusedBeforeAnythingChanges) {
  run("ip link add d0 type veth peer name d1 && ip addr add 198.51.100.2/24 dev d0 && "
      "ip link set d1 up && ip link set d0 up && ip route add default via 198.51.100.1",
      &two.netns);
  const auto before = picture(instance, {&one, &two});
  const auto refused = [&](Connect request, ErrorKind kind, const std::vector<std::string>& said) {
    expect_refused(instance->connect(request), kind, said);
    expect_refused(instance->plan(request), kind, said);
  };
  refused(attaching(one, {"10.1.0.1/24"}), ErrorKind::kInUse, {"10.1.0.1", "gateway"});
  refused(attaching(one, {"192.0.2.0/24"}), ErrorKind::kInvalid, {"192.0.2.0", "network address"});
  for (const char* nobodys :
       {"0.0.0.0/8", "127.0.0.1/8", "224.0.0.1/24", "255.255.255.255/32", "::1/128", "ff02::5/64"})
    refused(attaching(one, {nobodys}), ErrorKind::kInvalid,
            {nobodys, "no address of an interface"});
  refused(attaching(one, {"192.0.2.5/24", "192.0.2.5/28"}), ErrorKind::kInvalid, {"given twice"});
  auto outside = attaching(one, {"192.0.2.5/28"});
  outside.options.gateway4 = ip("10.1.0.1");
  refused(outside, ErrorKind::kInvalid, {"gateway 10.1.0.1"});
  auto own = attaching(one, {"192.0.2.5/28"});
  own.options.gateway4 = ip("192.0.2.5");
  refused(own, ErrorKind::kInvalid, {"gateway 192.0.2.5"});
  own.options.gateway4 = ip("192.0.2.15");
  refused(own, ErrorKind::kInvalid, {"gateway 192.0.2.15", "broadcast"});
  auto taken = attaching(two, {"192.0.2.5/28"});
  taken.options.gateway4 = ip("192.0.2.1");
  refused(taken, ErrorKind::kExists, {"default route", "not berth's"});
  expect_same(picture(instance, {&one, &two}), before);
}

TEST_F(EngineAttach, DetachFindsTheAttachmentThatIsMeant) {
  instance.make_network(2);
  expect_refused(instance->disconnect({.network = "", .target = one.target()}),
                 ErrorKind::kNotFound, {"not connected"});
  must(instance->connect(attaching(one, {"192.0.2.5/28"})));
  must(instance->connect({.network = "net2", .target = one.target()}));
  expect_refused(instance->disconnect({.network = "", .target = one.target()}), ErrorKind::kInvalid,
                 {"net1", "net2"});
  expect_refused(
      instance->disconnect({.network = "", .target = one.target(), .address = ip("192.0.2.6")}),
      ErrorKind::kNotFound, {"192.0.2.6"});
  must(instance->disconnect({.network = "", .target = one.target(), .address = ip("192.0.2.5")}));
  must(instance->disconnect({.network = "", .target = one.target()}));
  expect_agreement(instance);
}

// A process in a namespace of its own, as a runtime starts it, and its state as runc keeps it.
TEST_F(EngineAttach, AContainerIsFoundByItsState) {
  const auto process = fork();
  if (process == 0) {
    if (unshare(CLONE_NEWNET) != 0) _exit(1);
    pause();
    _exit(0);
  }
  const auto start = must(sandbox::identify(process)).start_time;
  const auto path = scratch_dir() + "/state.json";
  const auto state = [&](pid_t pid, std::uint64_t at) {
    std::ofstream(path) << fmt::format(R"({{"init_process_pid":{},"init_process_start":{}}})", pid,
                                       at);
  };
  const Target target = "oci:" + path;
  const auto has_own_namespace = [&] {
    return must(kernel::Netns::open(fmt::format("/proc/{}/ns/net", process))).inode() !=
           must(kernel::Netns::current()).inode();
  };
  while (!has_own_namespace()) usleep(1000);

  state(process, start + 1);
  expect_refused(instance->connect({.network = "net1", .target = target}), ErrorKind::kNotFound,
                 {target, "gone"});
  state(process, start);
  const auto endpoint = must(instance->connect({.network = "net1", .target = target}));
  EXPECT_EQ(must(instance->sandbox(target)).name, target);
  EXPECT_EQ(must(instance->sandbox(fmt::format("pid:{}", process))).id, endpoint.sandbox_id);
  expect_agreement(instance);

  kill(process, SIGKILL);
  waitpid(process, nullptr, 0);
  expect_refused(instance->connect({.network = "net1", .target = target}), ErrorKind::kNotFound,
                 {target});
  // What was attached can still be named, or is collected.
  (void)instance->disconnect({.network = "net1", .target = target});
  EXPECT_TRUE(must(instance->sandboxes()).empty());
  expect_agreement(instance);
}

}  // namespace
}  // namespace berth::testing
