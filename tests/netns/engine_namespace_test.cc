// An instance whose host is another network namespace than before: the machine is a container that
// was started again, or somebody is in the wrong namespace.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

class EngineNamespace : public EngineTest {
 protected:
  // A process that stays in the namespace that the test is in now.
  class Inhabitant {
   public:
    Inhabitant() : pid(fork()) {
      while (pid == 0) pause();
    }
    Inhabitant(const Inhabitant&) = delete;
    Inhabitant& operator=(const Inhabitant&) = delete;
    ~Inhabitant() {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    const pid_t pid;
  };

  // A network with an endpoint.
  void use() {
    instance.make_network(1);
    must(instance->connect({.network = "net1", .target = target.target()}));
  }
  // Reading goes on and nothing is forgotten; a change is refused with the way back.
  void expect_elsewhere(const std::string& way) {
    auto engine = instance.open_again();
    EXPECT_EQ(must(engine.sandboxes()).size(), 1U);
    EXPECT_EQ(must(engine.endpoints_of_network(must(engine.network("net1")).id)).size(), 1U);
    for (const auto& error :
         {engine.create_network({.name = "new"}).error(),
          engine.disconnect({"net1", target.target()}).error(), engine.reset().at(0)})
      expect_refused(error, ErrorKind::kInvalid,
                     {instance.config().root, "another network namespace", "nsenter --net=" + way});
  }
  // As after a restart of the machine.
  void expect_made_again() {
    auto engine = instance.open_again();
    EXPECT_TRUE(must(engine.sandboxes()).empty());
    for (const auto& repair : must(engine.reconcile())) must(repair.status);
    EXPECT_EQ(shell("ip link show br1").status, 0);
    EXPECT_EQ(ip_forward(), "1");
    for (const auto& error : engine.reset()) ADD_FAILURE() << error.message;
    EXPECT_EQ(ip_forward(), "0");
  }

  Instance instance;
  TargetNs target;
};

TEST_F(EngineNamespace, ANewOneOfTheSameBootHasNothingOfTheOldOne) {
  use();
  become_new_host();
  expect_made_again();
}

TEST_F(EngineNamespace, OneThatAProcessIsInKeepsTheInstance) {
  use();
  {
    const Inhabitant inhabitant;
    become_new_host();
    expect_elsewhere(fmt::format("/proc/{}/ns/net", inhabitant.pid));
  }
  expect_made_again();
}

TEST_F(EngineNamespace, OneThatIsMountedKeepsTheInstance) {
  use();
  const auto path = scratch_dir() + "/the host";  // a blank is \040 in mountinfo
  close(open(path.c_str(), O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr), 0);
  become_new_host();
  expect_elsewhere(path);
  must(kernel::Netns::remove(path));
  expect_made_again();
}

TEST_F(EngineNamespace, OneWithoutNetworksAndSandboxesKeepsNothing) {
  const Inhabitant inhabitant;
  become_new_host();
  auto engine = instance.open_again();
  must(engine.create_network({.name = "new"}));
}

}  // namespace
}  // namespace berth::testing
