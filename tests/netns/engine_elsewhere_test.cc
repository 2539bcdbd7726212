// Namespaces that live where berth does not see them: they are not dead.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <csignal>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

class EngineElsewhere : public EngineTest {
 protected:
  EngineElsewhere() { instance.make_network(1); }
  Instance instance;

  [[nodiscard]] std::size_t listed() { return must(instance->sandboxes()).size(); }
};

// A child process in a network namespace of its own, or in that of `beside`.
pid_t sleeper(pid_t beside = 0) {
  int ready[2];
  EXPECT_EQ(pipe(ready), 0);
  const auto child = fork();
  if (child == 0) {
    if (beside == 0) {
      if (unshare(CLONE_NEWNET) != 0) _exit(1);
    } else {
      const UniqueFd fd(open(fmt::format("/proc/{}/ns/net", beside).c_str(), O_RDONLY));
      if (setns(fd.get(), CLONE_NEWNET) != 0) _exit(1);
    }
    (void)!write(ready[1], "x", 1);
    while (true) pause();
  }
  char byte;
  close(ready[1]);
  EXPECT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  return child;
}
void end(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(EngineElsewhere, ANamespaceLivesOnWithoutTheProcessThatItWasNamedBy) {
  const auto named = sleeper();
  const auto other = sleeper(named);
  must(instance->connect(
      {.network = "net1", .target = fmt::format("pid:{}", named), .ports = ports({"7000:70"})}));
  end(named);
  EXPECT_EQ(listed(), 1U);
  EXPECT_TRUE(must(instance->reconcile()).empty());
  EXPECT_EQ(shell("nft get element inet berth publish4 '{ tcp . 7000 }'").status, 0);
  EXPECT_EQ(shell(fmt::format("nsenter -t {} -n ip link show eth0", other)).status, 0);
  end(other);
  EXPECT_EQ(listed(), 0U);
}

TEST_F(EngineElsewhere, WhoIsStillInItLeadsToTheSandboxThatItIs) {
  instance.make_network(2);
  const auto named = sleeper();
  const auto other = sleeper(named);
  const auto by_other = fmt::format("pid:{}", other);
  must(instance->connect({.network = "net1", .target = fmt::format("pid:{}", named)}));
  const auto id = must(instance->sandbox(by_other)).id;
  end(named);
  EXPECT_EQ(must(instance->sandbox(by_other)).id, id);
  must(instance->connect({.network = "net2", .target = by_other}));
  ASSERT_EQ(listed(), 1U);
  EXPECT_EQ(must(instance->endpoints_of_sandbox(must(instance->sandbox(by_other)))).size(), 2U);
  expect_agreement(instance);
  must(instance->disconnect({"net1", by_other}));
  must(instance->disconnect({"net2", by_other}));
  EXPECT_EQ(listed(), 0U);
  end(other);
}

TEST_F(EngineElsewhere, ItsInterfacesGoByTheWayInOfWhoIsStillInIt) {
  run("ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up");
  const auto lan = instance->create_network({.name = "lan",
                                             .driver = "macvlan",
                                             .subnets = {{.subnet = cidr("192.0.2.0/24")}},
                                             .options = {{"parent", "lan0"}}});
  if (!lan && lan.error().kind == ErrorKind::kUnsupported) GTEST_SKIP() << lan.error().message;
  must(lan);
  const auto named = sleeper();
  const auto other = sleeper(named);
  const auto target = fmt::format("pid:{}", named);
  must(instance->connect({.network = "lan", .target = target, .options = {.gw_priority = 1}}));
  must(instance->connect({.network = "net1", .target = target}));
  end(named);
  const auto in_it = [&](const std::string& command) {
    return shell(fmt::format("nsenter -t {} -n {}", other, command));
  };
  must(instance->disconnect({"lan", target}));
  EXPECT_NE(in_it("ip link show eth0").status, 0);
  EXPECT_NE(in_it("ip route show default").output.find("via 10.1.0.1 dev eth1"), std::string::npos);
  EXPECT_TRUE(must(instance->reconcile()).empty());
  must(instance->disconnect({"net1", target}));
  EXPECT_EQ(listed(), 0U);
  end(other);
}

TEST_F(EngineElsewhere, AMountThatIsNotSeenFromHere) {
  const auto box = must(instance->create_sandbox({.name = "box"}));
  must(instance->connect({.network = "net1", .target = "box", .options = {}}));
  const auto child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        umount2(box.netns_path.c_str(), MNT_DETACH) != 0)
      _exit(2);
    auto engine = must(Engine::open(instance.config()));
    _exit(must(engine.sandboxes()).size() == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(listed(), 1U);
  expect_agreement(instance);
}

}  // namespace
}  // namespace berth::testing
