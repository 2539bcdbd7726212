// Devices that somebody has given another name behind berth's back.
#include <filesystem>

#include "engine_fixture.h"
#include "plan/whose.h"

namespace berth::testing {
namespace {

class EngineRenamed : public EngineTest {
 protected:
  Instance instance;
  TargetNs target;
};

TEST_F(EngineRenamed, AHostEndIsNotLeftWhenItsSandboxLeaves) {
  instance.make_network(1);
  const auto before = picture(instance, {&target});
  const auto endpoint =
      must(instance->connect({.network = "net1", .target = target.target(), .options = {}}));
  run(fmt::format("ip link set {} name foo0", endpoint.host_ifname.str()));
  must(instance->disconnect({.network = "net1", .target = target.target()}));
  EXPECT_EQ(json_of("ip -j link show type veth", &target.netns).size(), 0U);
  EXPECT_EQ(json_of("ip -j link show type veth").size(), 0U);
  expect_agreement(instance);
}

TEST_F(EngineRenamed, NeitherIsASubInterface) {
  run("ip link add lan0 type veth peer name lan1; ip link set lan0 up; ip link set lan1 up");
  CreateNetwork request{.name = "lan", .driver = "macvlan", .options = {{"parent", "lan0"}}};
  request.subnets.push_back({.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = {}, .aux = {}});
  must(instance->create_network(request));
  must(instance->connect({.network = "lan", .target = target.target(), .options = {}}));
  run("ip link set eth0 down; ip link set eth0 name foo0", &target.netns);
  must(instance->disconnect({.network = "lan", .target = target.target()}));
  EXPECT_EQ(json_of("ip -j link show type macvlan", &target.netns).size(), 0U);
  expect_agreement(instance, {"lan1"});
}

TEST_F(EngineRenamed, ABridgeIsNamedInTheRefusalAndGoesWithItsNetwork) {
  const auto before = picture(instance);
  instance.make_network(1);
  run("ip link set br1 name mine");
  const std::vector<std::string> said = {"net1", "br1", "mine"};
  expect_refused(instance->connect({.network = "net1", .target = target.target(), .options = {}}),
                 ErrorKind::kNotFound, said);
  const auto repairs = must(instance->reconcile());
  ASSERT_EQ(repairs.size(), 1U);
  expect_refused(repairs[0].status.error(), ErrorKind::kNotFound, said);

  run("ip link set mine name br1");
  expect_agreement(instance);
  run("ip link set br1 name mine");
  must(instance->remove_networks({{"net1"}, false})[0].status);
  expect_same(picture(instance), before);
}

TEST_F(EngineRenamed, AHostEndDoesItsWorkUnderItsNewName) {
  instance.make_network(1);
  const auto endpoint =
      must(instance->connect({.network = "net1", .target = target.target(), .options = {}}));
  run(fmt::format("ip link set {} name foo0", endpoint.host_ifname.str()));
  EXPECT_TRUE(must(instance->reconcile()).empty());
  run("ip link set foo0 nomaster");
  const auto repairs = must(instance->reconcile());
  ASSERT_EQ(repairs.size(), 1U);
  must(repairs[0].status);
  EXPECT_TRUE(must(instance->reconcile()).empty());
}

TEST_F(EngineRenamed, TheHostsSubInterfaceIsNamedInTheRefusalAndGoesWithItsNetwork) {
  run("ip link add lan0 type veth peer name lan1; ip link set lan0 up; ip link set lan1 up");
  const auto before = kernel_state();
  CreateNetwork asked{
      .name = "lan", .driver = "macvlan", .options = {{"parent", "lan0"}, {"host_access", "true"}}};
  asked.subnets.push_back({.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = {}, .aux = {}});
  const auto shim = must(instance->create_network(asked)).parent.host_device.str();
  run("ip link set " + shim + " name shimx");
  const std::vector<std::string> said = {"lan", shim, "shimx"};
  expect_refused(instance->connect({.network = "lan", .target = target.target(), .options = {}}),
                 ErrorKind::kNotFound, said);
  const auto repairs = must(instance->reconcile());
  ASSERT_EQ(repairs.size(), 1U);
  expect_refused(repairs[0].status.error(), ErrorKind::kNotFound, said);
  must(instance->remove_networks({{"lan"}, false})[0].status);
  expect_same(kernel_state(), before);
}

// Interface indexes of several namespaces that are the same by chance.
class EngineSameIndexes : public EngineRenamed {
 protected:
  EngineSameIndexes() {
    instance.make_network(1);
    // An index that no link of the host has.
    std::string batch;
    for (int i = 0; i < 20; ++i) batch += "link add d0 type bridge\nlink del d0\n";
    run("printf '" + batch + "' | ip -batch -", &target.netns);
    endpoint = must(instance->connect({.network = "net1", .target = target.target()}));
    host_end = must(kernel::find_link(*must(instance.impl().kernel.route()), endpoint.host_ifname))
                   .value();
  }
  Endpoint endpoint;
  kernel::LinkInfo host_end;
  TargetNs outside, beyond;
};

// The host is a namespace itself, and its uplink one end of a veth pair.
TEST_F(EngineSameIndexes, TheHostsUplinkIsNotTakenForTheOtherEndOfAPair) {
  run(fmt::format("ip link add up0 index {} type veth peer name up1 index {} netns {}",
                  host_end.peer_index, host_end.index, outside.path));
  plan::Namespaces namespaces;
  const plan::DeleteLink gone{
      .name = endpoint.host_ifname, .kind = "veth", .peer_ns = {target.path + "-gone", 1}};
  EXPECT_FALSE(plan::is_others(instance.impl().kernel, namespaces, gone));
  run("umount -l " + target.path);  // the namespace lives on, and nobody can say where
  must(instance->remove_networks({{"net1"}, true}).front().status);
  EXPECT_NE(shell("ip link show " + endpoint.host_ifname.str()).status, 0);
  EXPECT_EQ(shell("ip link show up0").status, 0);
}

TEST_F(EngineSameIndexes, TwoHalvesOfOtherPairsAreNoPair) {
  run("ip link del " + endpoint.host_ifname.str());
  const auto make = [&](const IfName& name, int index, const TargetNs& to, int other,
                        const kernel::Netns* in) {
    run(fmt::format("ip link add {} index {} type veth peer name x index {} netns {}", name.str(),
                    index, other, to.path),
        in);
  };
  make(endpoint.host_ifname, host_end.index, outside, host_end.peer_index, nullptr);
  make(endpoint.ifname, host_end.peer_index, beyond, host_end.index, &target.netns);
  const auto repairs = must(instance->reconcile());
  ASSERT_EQ(repairs.size(), 1U);
  expect_refused(repairs[0].status, ErrorKind::kExists, {endpoint.host_ifname.str()});
}

// What somebody else has made under a name of berth's: left alone, and said in a sentence.
class EngineNameTaken : public EngineRenamed {
 protected:
  // What `command` prints of a link that is not berth's, before and after it is removed by name.
  void expect_left(const std::string& link, const std::function<Status()>& removal) {
    const auto before = shell("ip -o -d link show " + link + " && ip -o addr show " + link).output;
    expect_refused(removal(), ErrorKind::kExists,
                   {"completed with errors", link, "somebody else's"});
    EXPECT_EQ(shell("ip -o -d link show " + link + " && ip -o addr show " + link).output, before);
  }
  Status remove(const std::string& network) {
    return instance->remove_networks({{network}, false})[0].status;
  }
  // Nothing is done to the link, and reconcile says why each time.
  void expect_told(const std::string& link) {
    const auto before = shell("ip -o -d link show " + link + " && ip -o addr show " + link).output;
    const auto repairs = must(instance->reconcile());
    ASSERT_EQ(repairs.size(), 1U);
    expect_refused(repairs[0].status, ErrorKind::kExists, {link, "somebody else's"});
    EXPECT_EQ(shell("ip -o -d link show " + link + " && ip -o addr show " + link).output, before);
  }
};

TEST_F(EngineNameTaken, OfABridge) {
  for (const auto* theirs : {"type veth peer name other", "type bridge"}) {
    instance.make_network(1);
    run("ip link del br1 && ip link add br1 " + std::string(theirs));
    run("ip addr add 203.0.113.1/24 dev br1");
    expect_refused(instance->connect({.network = "net1", .target = target.target(), .options = {}}),
                   ErrorKind::kExists, {"net1", "br1", "somebody else's"});
    expect_told("br1");
    EXPECT_TRUE(must(instance->plan(RemoveNetworks{{"net1"}, false})).commands.back().find("br1") ==
                std::string::npos);
    expect_left("br1", [&] { return remove("net1"); });
    EXPECT_TRUE(must(instance->reconcile()).empty());
    run("ip link del br1");
  }
}

TEST_F(EngineNameTaken, OfABridgeThatHasAnother) {
  instance.make_network(1);
  run("ip link set br1 name old && ip link add br1 type bridge");
  const auto refused =
      instance->connect({.network = "net1", .target = target.target(), .options = {}});
  expect_refused(refused, ErrorKind::kNotFound, {"net1", "br1", "old"});
  expect_left("br1", [&] { return remove("net1"); });
  EXPECT_NE(shell("ip link show old").status, 0);
}

TEST_F(EngineNameTaken, OfAHostEnd) {
  instance.make_network(1);
  Connect request{.network = "net1", .target = target.target(), .options = {}};
  request.options.host_ifname = ifname("port1");
  for (const auto* theirs : {"type veth peer name other", "type bridge"}) {
    must(instance->connect(request));
    run("ip link del port1 && ip link add port1 " + std::string(theirs));
    expect_told("port1");
    expect_left("port1", [&] {
      return instance->disconnect({.network = "net1", .target = target.target()});
    });
    run("ip link del port1");
  }
}

// It is told of, and keeps nobody from what else is to be done.
TEST_F(EngineNameTaken, OfAHostEndWhoseSandboxGoes) {
  instance.make_network(1);
  Connect request{.network = "net1", .target = "box", .options = {}};
  request.options.host_ifname = ifname("port1");
  const auto files = [&](const Sandbox& of) {
    return std::filesystem::exists(instance.config().run + "/sandboxes/" + of.id);
  };
  const auto make_box = [&] {
    auto box = must(instance->create_sandbox({.name = "box"}));
    must(instance->connect(request));
    run("ip link del port1 && ip link add port1 type bridge");
    EXPECT_TRUE(files(box));
    return box;
  };
  const auto removed = make_box();
  must(instance->create_sandbox({.name = "other"}));
  const auto outcomes = instance->remove_sandboxes({{"box", "other"}, true});
  expect_refused(outcomes[0].status, ErrorKind::kExists,
                 {"completed with errors", "port1", "somebody else's"});
  must(outcomes[1].status);
  EXPECT_FALSE(files(removed));
  run("ip link del port1");

  const auto dead = make_box();
  run("umount " + dead.netns_path);
  EXPECT_TRUE(must(instance->sandboxes()).empty()) << "it has ended, and nothing is said";
  EXPECT_TRUE(must(instance->endpoints_of_network(must(instance->network("net1")).id)).empty());
  EXPECT_EQ(shell("ip link show port1").status, 0);
}

TEST_F(EngineNameTaken, OfTheHostsSubInterface) {
  run("ip link add lan0 type veth peer name lan1; ip link set lan0 up; ip link set lan1 up");
  CreateNetwork asked{
      .name = "lan", .driver = "macvlan", .options = {{"parent", "lan0"}, {"host_access", "true"}}};
  asked.subnets.push_back({.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = {}, .aux = {}});
  const auto shim = must(instance->create_network(asked)).parent.host_device.str();
  run("ip link del " + shim + " && ip link add " + shim + " link lan0 type macvlan mode bridge");
  expect_told(shim);
  expect_left(shim, [&] { return remove("lan"); });
}

TEST_F(EngineNameTaken, IsToldOfByAResetThatGoesOn) {
  instance.make_network(1);
  run("ip link del br1 && ip link add br1 type bridge");
  const auto errors = instance->reset();
  ASSERT_EQ(errors.size(), 1U);
  expect_refused(errors[0], ErrorKind::kExists, {"br1", "somebody else's"});
  EXPECT_EQ(shell("ip link show br1").status, 0);
  EXPECT_NE(shell("ls " + instance.config().root).status, 0);
}

}  // namespace
}  // namespace berth::testing
