// Bad input: every refusal is one sentence that says what was given and what is allowed, and leaves
// kernel and store as they were.
#include "engine_fixture.h"

namespace berth::testing {
namespace {

// Two networks, an endpoint with a port, and a sandbox: something to collide with.
class EngineRefusal : public EngineTest {
 protected:
  EngineRefusal() {
    instance.make_network(1);
    instance.make_network(2, [](CreateNetwork& request) {
      request.internal = true;
      request.subnets[0].aux = {{"printer", ip("10.2.0.9")}};
    });
    must(instance->connect(
        {.network = "net1", .target = user.target(), .ports = ports({"7000:70"})}));
    must(instance->create_sandbox({.name = "box"}));
    before = picture(instance, {&user, &target});
  }
  ~EngineRefusal() override { expect_same(picture(instance, {&user, &target}), before); }

  struct Case {
    std::function<void(CreateNetwork&)> with;
    ErrorKind kind;
    std::vector<std::string> said;
  };
  void expect_network_refused(const std::vector<Case>& cases) {
    for (const auto& [with, kind, said] : cases) {
      CreateNetwork request{.name = "new"};
      with(request);
      expect_refused(instance->create_network(request), kind, said);
      expect_refused(instance->plan(request), kind, said);
    }
  }
  static SubnetRequest subnet(std::string_view text) {
    return {.subnet = cidr(text), .range = {}, .gateway = {}, .aux = {}};
  }
  // With --subnet 10.9.0.0/24 and what `change` adds.
  static auto subnet_with(const std::function<void(SubnetRequest&)>& change) {
    return [change](CreateNetwork& request) {
      request.subnets = {subnet("10.9.0.0/24")};
      change(request.subnets[0]);
    };
  }
  static auto option(const std::string& key, const std::string& value) {
    return [=](CreateNetwork& request) { request.options["com.docker.network." + key] = value; };
  }

  Instance instance;
  TargetNs user, target;
  std::string before;
};

TEST_F(EngineRefusal, OfNetworksByNameDriverAndOption) {
  const auto named = [](const std::string& name) {
    return [=](CreateNetwork& request) { request.name = name; };
  };
  expect_network_refused({
      {named("net1"), ErrorKind::kExists, {"net1", "exists"}},
      {named("bridge"), ErrorKind::kExists, {"bridge"}},
      {named(""), ErrorKind::kInvalid, {"''", "letter or digit"}},
      {named("a b"), ErrorKind::kInvalid, {"'a b'", "letter or digit"}},
      {named("-x"), ErrorKind::kInvalid, {"'-x'"}},
      {named("a/b"), ErrorKind::kInvalid, {"'a/b'"}},
      {named(std::string(129, 'a')), ErrorKind::kInvalid, {"128 bytes"}},
      {[](auto& request) { request.driver = "bridges"; },
       ErrorKind::kInvalid,
       {"bridges", "the drivers are bridge"}},
      {[](auto& request) { request.driver = "host"; }, ErrorKind::kInvalid, {"host", "only one"}},
      {[](auto& request) { request.ipam_options = {{"foo", "bar"}}; },
       ErrorKind::kInvalid,
       {"--ipam-opt foo", "ipam driver default", "com.docker.network.ipam.serial"}},
      {[](auto& request) {
         request.options = {{"mtu", "1400"}, {"com.docker.network.driver.mtu", "1300"}};
       },
       ErrorKind::kInvalid,
       {"mtu=1400", "com.docker.network.driver.mtu", "1300"}},
      {option("bridge.nmae", "x"),
       ErrorKind::kInvalid,
       {"bridge.nmae", "com.docker.network.bridge.name"}},
      {option("bridge.enable_icc", "perhaps"),
       ErrorKind::kInvalid,
       {"enable_icc", "perhaps", "true or false"}},
      {option("driver.mtu", "67"), ErrorKind::kInvalid, {"driver.mtu", "67", "68"}},
      {option("bridge.host_binding_ipv4", "::1"),
       ErrorKind::kInvalid,
       {"host_binding_ipv4", "::1", "IPv4"}},
      {option("bridge.name", "sixteen-letters0"), ErrorKind::kInvalid, {"sixteen-letters0", "15"}},
      {option("bridge.name", "all"), ErrorKind::kInvalid, {"all", "kernel"}},
      {option("bridge.name", "br1"), ErrorKind::kExists, {"br1", "net1"}},
      {option("bridge.name", "lo"), ErrorKind::kExists, {"lo", "com.docker.network.bridge.name"}},
  });
}

TEST_F(EngineRefusal, OfNetworksBySubnet) {
  expect_network_refused({
      {[](auto& request) { request.subnets = {subnet("10.9.0.1/24")}; },
       ErrorKind::kInvalid,
       {"10.9.0.1/24", "10.9.0.0/24"}},
      {[](auto& request) { request.subnets = {subnet("10.1.0.128/25")}; },
       ErrorKind::kInvalid,
       {"10.1.0.128/25", "10.1.0.0/24", "net1"}},
      {[](auto& request) { request.subnets = {subnet("172.16.0.0/12")}; },
       ErrorKind::kInvalid,
       {"172.16.0.0/12", "network bridge"}},
      {[](auto& request) { request.subnets = {subnet("10.9.0.0/31")}; },
       ErrorKind::kInvalid,
       {"/31", "/30"}},
      {[](auto& request) { request.subnets = {subnet("127.0.0.0/24")}; },
       ErrorKind::kInvalid,
       {"127.0.0.0/24", "loopback"}},
      {[](auto& request) {
         request.subnets = {subnet("fd00::/64")};
         request.ipv6 = false;
       },
       ErrorKind::kInvalid,
       {"fd00::/64", "no IPv6"}},
      {[](auto& request) { request.subnets = {subnet("10.8.0.0/24"), subnet("10.9.0.0/24")}; },
       ErrorKind::kInvalid,
       {"2 IPv4 subnets"}},
      {[](auto& request) {
         request.subnets = {{.subnet = {}, .range = {}, .gateway = ip("10.9.0.1"), .aux = {}}};
       },
       ErrorKind::kInvalid,
       {"--subnet"}},
      {subnet_with([](auto& subnet) { subnet.gateway = ip("10.8.0.1"); }),
       ErrorKind::kInvalid,
       {"gateway 10.8.0.1", "10.9.0.0/24"}},
      {subnet_with([](auto& subnet) { subnet.gateway = ip("10.9.0.255"); }),
       ErrorKind::kInvalid,
       {"broadcast"}},
      {subnet_with([](auto& subnet) { subnet.range = cidr("10.8.0.0/26"); }),
       ErrorKind::kInvalid,
       {"range 10.8.0.0/26"}},
      {subnet_with([](auto& subnet) { subnet.aux = {{"a", ip("10.8.0.1")}}; }),
       ErrorKind::kInvalid,
       {"a=10.8.0.1"}},
  });
}

TEST_F(EngineRefusal, OfConnections) {
  const struct {
    Connect request;
    ErrorKind kind;
    std::vector<std::string> said;
  } cases[] = {
      {{.network = "nowhere", .target = "box"}, ErrorKind::kNotFound, {"network", "nowhere"}},
      {{.network = "host", .target = "box"}, ErrorKind::kInvalid, {"host"}},
      {{.network = "net1", .target = "nobody"}, ErrorKind::kNotFound, {"nobody"}},
      {{.network = "net1", .target = "netns:relative"},
       ErrorKind::kInvalid,
       {"netns:relative", "absolute"}},
      {{.network = "net1", .target = "netns:/nonexistent"}, ErrorKind::kNotFound, {"/nonexistent"}},
      {{.network = "net1", .target = "netns:/dev/null"},
       ErrorKind::kInvalid,
       {"/dev/null", "namespace"}},
      {{.network = "net1", .target = "netns:/proc/self/ns/net"},
       ErrorKind::kInvalid,
       {"host's own"}},
      {{.network = "net1", .target = "pid:x"}, ErrorKind::kInvalid, {"pid:x", "process number"}},
      {{.network = "net1", .target = "pid:4194305"}, ErrorKind::kNotFound, {"4194305"}},
      {{.network = "net1", .target = user.target()},
       ErrorKind::kExists,
       {user.target(), "net1", "already"}},
      {{.network = "net1", .target = "box", .options = {.ip4 = ip("10.1.1.1")}},
       ErrorKind::kInvalid,
       {"net1", "10.1.1.1", "10.1.0.0/24"}},
      {{.network = "net1", .target = "box", .options = {.ip4 = ip("10.1.0.1")}},
       ErrorKind::kInUse,
       {"10.1.0.1", "gateway"}},
      {{.network = "net1", .target = "box", .options = {.ip4 = ip("10.1.0.255")}},
       ErrorKind::kInvalid,
       {"10.1.0.255", "broadcast"}},
      {{.network = "net1", .target = "box", .options = {.ip4 = ip("10.1.0.2")}},
       ErrorKind::kInUse,
       {"10.1.0.2", user.target()}},
      {{.network = "net2", .target = "box", .options = {.ip4 = ip("10.2.0.9")}},
       ErrorKind::kInUse,
       {"10.2.0.9", "printer"}},
      {{.network = "net1", .target = "box", .ports = ports({"7000:80"})},
       ErrorKind::kInUse,
       {"7000", user.target()}},
      {{.network = "net1", .target = "box", .ports = ports({"192.0.2.1:80:80"})},
       ErrorKind::kNotFound,
       {"192.0.2.1", "not an address of this host"}},
      {{.network = "net2", .target = "box", .ports = ports({"80:80"})},
       ErrorKind::kInvalid,
       {"net2", "internal"}},
  };
  for (const auto& [request, kind, said] : cases) {
    expect_refused(instance->connect(request), kind, said);
    expect_refused(instance->plan(request), kind, said);
  }
}

TEST_F(EngineRefusal, OfNoNameAtAll) {
  expect_refused(instance->network(""), ErrorKind::kInvalid, {"'' names no network"});
  expect_refused(instance->sandbox(""), ErrorKind::kInvalid, {"'' names no sandbox"});
}

TEST_F(EngineRefusal, OfWhatIsNotThereOrInUse) {
  expect_refused(instance->disconnect({.network = "net2", .target = "box"}), ErrorKind::kNotFound,
                 {"box", "net2"});
  expect_refused(instance->disconnect({.network = "net1", .target = target.target()}),
                 ErrorKind::kNotFound, {target.target()});
  expect_refused(instance->create_sandbox({.name = "box"}), ErrorKind::kExists, {"box"});
  expect_refused(instance->create_sandbox({.name = "b x"}), ErrorKind::kInvalid, {"b x"});
  expect_refused(instance->create_sandbox({.hostname = std::string(64, 'h')}), ErrorKind::kInvalid,
                 {"hhh", "63"});
  expect_refused(instance->create_sandbox({.hostname = "a b"}), ErrorKind::kInvalid, {"'a b'"});
  expect_refused(instance->remove_networks({{"net1"}, false})[0].status, ErrorKind::kInUse,
                 {"net1", user.target()});
  expect_refused(instance->remove_sandboxes({{"nobody"}, false})[0].status, ErrorKind::kNotFound,
                 {"nobody"});
  expect_refused(instance->network("nowhere"), ErrorKind::kNotFound, {"nowhere"});
}

TEST_F(EngineRefusal, OfWhoLacksTheCapabilitySaysWhich) {
  without_capabilities([&] {
    auto unprivileged = instance.open_again();
    expect_refused(unprivileged.create_network({.name = "new"}), ErrorKind::kPermission,
                   {"CAP_NET_ADMIN"});
    expect_refused(unprivileged.connect({.network = "net2", .target = "box"}),
                   ErrorKind::kPermission, {"CAP_"});
  });
}

// A bridge of that name comes into being after the check: the kernel refuses, in its own words.
TEST_F(EngineRefusal, OfWhoMayNotOpenTheInstanceSaysWhatToDo) {
  const auto closed = scratch_dir() + "/closed";
  run("mkdir -m 0 " + closed);
  without_capabilities([&] {
    expect_refused(Engine::open({.root = closed + "/root", .run = closed + "/run", .pools = {}}),
                   ErrorKind::kPermission,
                   {closed + "/root", closed + "/run", "Permission denied", "as root", "--run"});
  });
}

TEST_F(EngineRefusal, OfTheKernelIsInItsOwnWords) {
  instance.impl().faults.at = [](std::string_view step) {
    if (step == "journalled") run("ip link add brx type bridge");
  };
  CreateNetwork request{.name = "new", .options = {{"com.docker.network.bridge.name", "brx"}}};
  expect_refused(instance->create_network(request), ErrorKind::kExists, {"brx", "File exists"});
  run("ip link del brx");
}

}  // namespace
}  // namespace berth::testing
