// Endpoints: targets of every kind, their addresses and routes.
#include <csignal>
#include <memory>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

using EngineEndpoint = EngineTest;

std::string default_gateway(TargetNs& target) {
  const auto routes = json_of("ip -j route show default", &target.netns);
  return routes.size() == 1 ? routes[0]["gateway"].get<std::string>() : "";
}

// A process that does nothing, in a network namespace of its own; killed at the end.
class SleepingProcess {
 public:
  SleepingProcess() {
    int ready[2];
    if (pipe(ready) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      if (unshare(CLONE_NEWNET) != 0) _exit(1);
      if (write(ready[1], "x", 1) != 1) _exit(1);
      while (true) pause();
    }
    char byte;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
  }
  SleepingProcess(const SleepingProcess&) = delete;
  SleepingProcess& operator=(const SleepingProcess&) = delete;
  ~SleepingProcess() { end(); }

  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST_F(EngineEndpoint, Document000ComesAndGoesWithoutATrace) {
  Instance instance;
  TargetNs target;
  instance.make_network(1, [](CreateNetwork& request) {
    request.name = "mybridge0";
    request.subnets[0] = {.subnet = cidr("192.168.100.0/24"),
                          .range = cidr("192.168.100.0/26"),
                          .gateway = ip("192.168.100.1"),
                          .aux = {}};
  });
  const auto before = kernel_state() + kernel_state(&target.netns);
  const auto endpoint = must(instance->connect(
      {.network = "mybridge0", .target = target.target(), .ports = ports({"12211:8080"})}));

  EXPECT_EQ(endpoint.ifname, ifname("eth0"));
  EXPECT_TRUE(endpoint.host_ifname.str().starts_with("veth"));
  EXPECT_EQ(endpoint.host_ifname.str().size(), 11U);
  EXPECT_EQ(endpoint.address4->ip(), ip("192.168.100.2"));
  EXPECT_EQ(endpoint.address4->prefix(), 24);
  EXPECT_EQ(endpoint.mac.str(), "02:42:c0:a8:64:02");
  EXPECT_EQ(endpoint.gateway4, ip("192.168.100.1"));

  const auto link = json_of("ip -j -d link show eth0", &target.netns)[0];
  EXPECT_EQ(link["address"], "02:42:c0:a8:64:02");
  EXPECT_EQ(link["linkinfo"]["info_kind"], "veth");
  const auto address = json_of("ip -j -4 addr show eth0", &target.netns)[0]["addr_info"][0];
  EXPECT_EQ(address["local"], "192.168.100.2");
  EXPECT_EQ(address["prefixlen"], 24);
  EXPECT_EQ(address["broadcast"], "192.168.100.255");
  EXPECT_EQ(default_gateway(target), "192.168.100.1");
  EXPECT_EQ(json_of("ip -j link show " + endpoint.host_ifname.str())[0]["master"], "br1");
  expect_agreement(instance);

  must(instance->disconnect({.network = "mybridge0", .target = target.target()}));
  expect_same(kernel_state() + kernel_state(&target.netns), before);
  EXPECT_TRUE(must(instance->sandboxes()).empty())
      << "a foreign namespace is known by its endpoints";
}

TEST_F(EngineEndpoint, ASandboxOfBerthsAndAProcessAreTargetsToo) {
  Instance instance;
  instance.make_network(1);
  const auto before = picture(instance);
  const auto sandbox = must(instance->create_sandbox({.name = "box"}));
  EXPECT_EQ(must(instance->connect({.network = "net1", .target = "box"})).address4->ip(),
            ip("10.1.0.2"));
  const auto box = must(kernel::Netns::open(sandbox.netns_path));
  EXPECT_EQ(json_of("ip -j -4 addr show eth0", &box)[0]["addr_info"][0]["local"], "10.1.0.2");

  SleepingProcess process;
  const auto target = fmt::format("pid:{}", process.pid());
  must(instance->connect({.network = "net1", .target = target}));
  const auto inside = must(kernel::Netns::open_pid(process.pid()));
  EXPECT_EQ(json_of("ip -j -4 addr show eth0", &inside)[0]["addr_info"][0]["local"], "10.1.0.3");
  EXPECT_EQ(
      shell(fmt::format("nsenter -t {} -n ping -c 3 -i 0.2 -W 1 10.1.0.2", process.pid())).status,
      0);
  expect_agreement(instance);

  must(instance->disconnect({.network = "net1", .target = target}));
  for (const auto& outcome : instance->remove_sandboxes({{sandbox.id.substr(0, 10)}, false}))
    must(outcome.status);
  auto after = picture(instance);
  expect_same(after.substr(0, after.find("hint/")), before.substr(0, before.find("meta/")));
}

TEST_F(EngineEndpoint, OneNamespaceIsOneSandboxWhateverItIsCalled) {
  Instance instance;
  instance.make_network(1);
  SleepingProcess process;
  const auto by_pid = fmt::format("pid:{}", process.pid());
  const auto by_path = fmt::format("netns:/proc/{}/ns/net", process.pid());
  must(instance->connect({.network = "net1", .target = by_pid}));
  expect_refused(instance->connect({.network = "net1", .target = by_path}), ErrorKind::kExists,
                 {by_pid, "net1"});
  must(instance->disconnect({.network = "net1", .target = by_path}));
}

TEST_F(EngineEndpoint, ANamespaceThatIsGoneIsNotTakenForTheNextWithItsNumber) {
  Instance instance;
  instance.make_network(1);
  SleepingProcess first;
  const auto old_target = fmt::format("pid:{}", first.pid());
  must(instance->connect({.network = "net1", .target = old_target}));
  // The kernel gives numbers of namespaces out anew: as if the next namespace had got this one's.
  TargetNs second;
  engine::Draft change(*instance.impl().store);
  auto sandbox = must(change.state.sandbox(old_target));
  change.state.erase(sandbox);
  sandbox.netns_inode = second.netns.inode();
  change.state.put(sandbox);
  must(instance.impl().store->commit(change.transaction.writes(), store::Durability::kNormal));
  first.end();

  const auto endpoint = must(instance->connect({.network = "net1", .target = second.target()}));
  EXPECT_EQ(json_of("ip -j link show eth0", &second.netns)[0]["address"], endpoint.mac.str());
  expect_agreement(instance);
  ASSERT_EQ(must(instance->sandboxes()).size(), 1U);
  EXPECT_EQ(must(instance->sandbox(second.target())).name, second.target());
}

TEST_F(EngineEndpoint, APathThatNamesAnotherNamespaceByNowIsANewTarget) {
  Instance instance;
  instance.make_network(1);
  const auto path = scratch_dir() + "/reused";
  {
    TargetNs first(path);
    must(instance->connect({.network = "net1", .target = first.target()}));
  }
  TargetNs second(path);
  EXPECT_EQ(must(instance->connect({.network = "net1", .target = second.target()})).address4->ip(),
            ip("10.1.0.2"));
  expect_agreement(instance);
}

TEST_F(EngineEndpoint, WhatIsInAForeignNamespaceIsLeftAlone) {
  Instance instance;
  instance.make_network(1);
  TargetNs target;
  run("ip link set lo down", &target.netns);
  run("ip link add eth0 type veth peer name other && ip addr add 192.0.2.2/24 dev eth0 && "
      "ip link set eth0 up && ip link set other up && ip route add default via 192.0.2.1",
      &target.netns);
  const auto endpoint = must(instance->connect({.network = "net1", .target = target.target()}));
  EXPECT_EQ(endpoint.ifname, ifname("eth1"));
  EXPECT_FALSE(endpoint.default4);
  EXPECT_EQ(default_gateway(target), "192.0.2.1");
  const auto flags = json_of("ip -j link show lo", &target.netns)[0]["flags"];
  EXPECT_NE(std::ranges::find(flags, "UP"), flags.end());
}

TEST_F(EngineEndpoint, TheDefaultRouteIsTheOldestsWithAWayOut) {
  Instance instance;
  instance.make_network(1, [](auto& request) { request.internal = true; });
  instance.make_network(2);
  instance.make_network(3);
  TargetNs target;
  for (const auto* network : {"net1", "net2", "net3"})
    must(instance->connect({.network = network, .target = target.target()}));
  EXPECT_EQ(default_gateway(target), "10.2.0.1");
  must(instance->disconnect({.network = "net2", .target = target.target()}));
  EXPECT_EQ(default_gateway(target), "10.3.0.1");
  expect_agreement(instance);
  must(instance->disconnect({.network = "net3", .target = target.target()}));
  EXPECT_EQ(default_gateway(target), "");
  const auto again = must(instance->connect({.network = "net2", .target = target.target()}));
  EXPECT_TRUE(again.default4);
  EXPECT_EQ(again.ifname, ifname("eth1"));
}

TEST_F(EngineEndpoint, AddressesAreTheFirstFreeOfTheRange) {
  Instance instance;
  instance.make_network(1, [](CreateNetwork& request) {
    request.subnets[0].range = cidr("10.1.0.4/30");
    request.subnets[0].aux = {{"printer", ip("10.1.0.5")}};
  });
  TargetNs a, b, c, d, e;
  const auto connect = [&](TargetNs& target, std::optional<Ip> address = {}) {
    return instance->connect(
        {.network = "net1", .target = target.target(), .options = {.ip4 = address}});
  };
  EXPECT_EQ(must(connect(a)).address4->ip(), ip("10.1.0.4"));
  EXPECT_EQ(must(connect(b)).address4->ip(), ip("10.1.0.6"));
  EXPECT_EQ(must(connect(c)).address4->ip(), ip("10.1.0.7"));
  const auto full = picture(instance, {&d});
  expect_refused(connect(d), ErrorKind::kExhausted, {"net1", "10.1.0.4/30"});
  expect_same(picture(instance, {&d}), full);

  EXPECT_EQ(must(connect(d, ip("10.1.0.200"))).address4->ip(), ip("10.1.0.200"))
      << "--ip may be outside the range";
  must(instance->disconnect({.network = "net1", .target = a.target()}));
  EXPECT_EQ(must(connect(e)).address4->ip(), ip("10.1.0.4"))
      << "what was given back is given out again";
  expect_refused(connect(a, ip("10.1.0.6")), ErrorKind::kInUse, {"10.1.0.6", b.target()});
  must(instance->disconnect({.network = "net1", .target = b.target()}));
  EXPECT_EQ(must(connect(a, ip("10.1.0.6"))).mac.str(), "02:42:0a:01:00:06");
  expect_agreement(instance);
}

TEST_F(EngineEndpoint, AHardwareAddressCanBeGiven) {
  Instance instance;
  instance.make_network(1);
  TargetNs target;
  must(instance->connect({.network = "net1",
                          .target = target.target(),
                          .options = {.mac = must(Mac::parse("02:00:00:00:00:07"))}}));
  EXPECT_EQ(json_of("ip -j link show eth0", &target.netns)[0]["address"], "02:00:00:00:00:07");
}

TEST_F(EngineEndpoint, TheHostsFileNamesTheSandboxByItsAddresses) {
  Instance instance;
  instance.make_network(1);
  const auto sandbox = must(instance->create_sandbox({.name = "box", .hostname = "boxhost"}));
  const auto hosts = [&] {
    return shell("cat " + instance->sandbox_file(sandbox, "hosts")).output;
  };
  EXPECT_EQ(hosts().find("boxhost"), std::string::npos);
  must(instance->connect({.network = "net1", .target = "box"}));
  EXPECT_NE(hosts().find("10.1.0.2\tboxhost"), std::string::npos) << hosts();
  must(instance->disconnect({.network = "net1", .target = "box"}));
  EXPECT_EQ(hosts().find("10.1.0.2"), std::string::npos);
}

TEST_F(EngineEndpoint, OneThatIsGoneCanBeDisconnectedByItsName) {
  Instance instance;
  instance.make_network(1);
  SleepingProcess process;
  const auto target = fmt::format("pid:{}", process.pid());
  must(instance->connect({.network = "net1", .target = target}));
  process.end();
  must(instance->disconnect({.network = "net1", .target = target}));
  expect_agreement(instance);
}

TEST_F(EngineEndpoint, APlanWithoutAnInstanceMakesNone) {
  const auto before = kernel_state();
  Config config;
  config.root = scratch_dir() + "/no/root";
  config.run = scratch_dir() + "/no/run";
  config.only_plan = true;
  auto engine = must(Engine::open(config));
  TargetNs target;
  const auto plan = must(engine.plan(Connect{.network = "bridge", .target = target.target()}));
  EXPECT_GT(plan.commands.size(), 5U);
  EXPECT_NE(shell("ls " + scratch_dir() + "/no").status, 0);
  expect_same(kernel_state(), before);
}

TEST_F(EngineEndpoint, APlanChangesNothing) {
  Instance instance;
  instance.make_network(1);
  TargetNs target;
  must(instance->connect(
      {.network = "net1", .target = target.target(), .ports = ports({"7000:70"})}));
  const auto before = picture(instance, {&target});
  // Each kind of request, and whether there is something for it to do.
  const std::vector<std::pair<Engine::Request, bool>> requests = {
      {CreateNetwork{.name = "n"}, true},
      {UpdateNetwork{.network = "net1", .add_labels = {{"a", "b"}}}, false},
      {RemoveNetworks{{"net1"}, true}, true},
      {Connect{.network = "bridge", .target = target.target(), .ports = ports({"80"})}, true},
      {Disconnect{.network = "net1", .target = target.target()}, true},
      {Publish{"net1", target.target(), ports({"7001:70/udp"})}, true},
      {Unpublish{"net1", target.target(), {{Protocol::kTcp, Ip(), 7000, 70}}}, true},
      {CreateSandbox{.name = "box"}, true},
      {RunProcess{.name = "web", .networks = {{"net1", {}}}, .argv = {"true"}}, true},
      {StopSandboxes{}, false},
      {RemoveSandboxes{{target.target()}, true}, true},
      {Reconcile{}, false},
      {Reset{}, true}};
  static_assert(std::variant_size_v<Engine::Request> == 13, "every request has its line above");
  for (const auto& [request, has_commands] : requests) {
    const auto plan = instance->plan(request);
    ASSERT_TRUE(plan) << request.index() << ": " << plan.error().message;
    EXPECT_EQ(!plan->commands.empty(), has_commands) << request.index();
    expect_same(picture(instance, {&target}), before);
  }
  run("nft flush ruleset");
  const auto mending = must(instance->plan(Reconcile{}));
  ASSERT_EQ(mending.commands.size(), 1U);
  EXPECT_NE(mending.commands[0].find("publish4 { tcp . 7000"), std::string::npos);
  EXPECT_EQ(shell("nft list tables").output, "");
}

TEST_F(EngineEndpoint, ADeviceNameThatIsTakenIsDrawnAgain) {
  Instance instance;
  instance.make_network(1);
  TargetNs one, two;
  std::vector<std::string> ids{std::string(64, 'b'), std::string(64, 'c'), std::string(64, 'c'),
                               std::string(64, 'd')};
  instance.impl().faults.draw_id = [&, next = 0]() mutable { return ids.at(next++); };
  run("ip link add vethbbbbbbb type bridge");
  EXPECT_EQ(must(instance->connect({.network = "net1", .target = one.target()})).host_ifname,
            ifname("vethccccccc"));
  EXPECT_EQ(must(instance->connect({.network = "net1", .target = two.target()})).host_ifname,
            ifname("vethddddddd"));
  expect_agreement(instance, {"vethbbbbbbb"});
}

// Otherwise a kernel worker sees to it when it gets a processor: too late for some of these where the
// machine is busy. (What asking for the carrier does is shown in kernel_link_test.)
TEST_F(EngineEndpoint, CarriesPacketsAsSoonAsItIsThere) {
  Instance instance;
  instance.make_network(1);
  auto& socket = *must(instance.impl().kernel.route());
  int forwarding = 0;
  instance.impl().faults.at = [&](std::string_view step) {
    if (step != "applied") return;
    forwarding = 0;
    for (const auto& link :
         must(kernel::list_links(socket)))  // find_link would do the worker's part
      if (link.forwarding) ++forwarding;
  };
  std::vector<std::unique_ptr<TargetNs>> targets(10);
  for (auto& target : targets) {
    target = std::make_unique<TargetNs>();
    must(instance->connect({.network = "net1", .target = target->target()}));
    EXPECT_EQ(forwarding, &target - targets.data() + 1);
  }
}

}  // namespace
}  // namespace berth::testing
