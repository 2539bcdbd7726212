// Devices that somebody has given another name behind berth's back.
#include "engine_fixture.h"

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

}  // namespace
}  // namespace berth::testing
