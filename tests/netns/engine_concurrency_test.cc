// Many processes on one instance at once.
#include <csignal>

#include "engine_fixture.h"

namespace berth::testing {
namespace {

class EngineConcurrency : public EngineTest {
 protected:
  static constexpr int kProcesses = 50;

  // Runs `body` in a child process with an engine of its own; exit status 0 if it succeeded.
  pid_t start(const std::function<Status(Engine&)>& body) {
    const auto child = fork();
    if (child != 0) return child;
    auto engine = Engine::open(instance.config());
    const auto done = engine ? body(*engine) : Status(std::unexpected(engine.error()));
    if (!done) fmt::print(stderr, "{}\n", done.error().message);
    _exit(done ? 0 : 1);
  }
  static void expect_success(pid_t child) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  static Status connect(Engine& engine, const TargetNs& target) {
    const auto done = engine.connect(
        {.network = "net1", .target = target.target(), .ports = ports({"80", "53/udp"})});
    if (!done) return std::unexpected(done.error());
    return {};
  }
  void expect_all_distinct(std::size_t count) {
    std::set<Ip> addresses;
    std::set<std::pair<Protocol, Port>> host_ports;
    const auto endpoints = must(instance->endpoints_of_network(must(instance->network("net1")).id));
    EXPECT_EQ(endpoints.size(), count);
    for (const auto& endpoint : endpoints) {
      addresses.insert(endpoint.address4->ip());
      for (const auto& mapping : endpoint.ports)
        host_ports.emplace(mapping.protocol, mapping.host_port);
    }
    EXPECT_EQ(addresses.size(), count);
    EXPECT_EQ(host_ports.size(), 2 * count);
    EXPECT_EQ(*addresses.rbegin(),
              Ip::from_number(Ip::Family::kV4, ip("10.1.0.1").number() + count))
        << "no address was skipped";
  }

  Instance instance;
  std::array<TargetNs, kProcesses> targets;
};

TEST_F(EngineConcurrency, FiftyProcessesConnectAtOnce) {
  instance.make_network(1);
  std::vector<pid_t> children;
  for (const auto& target : targets)
    children.push_back(start([&](Engine& engine) { return connect(engine, target); }));
  for (const auto child : children) expect_success(child);
  expect_all_distinct(kProcesses);
  expect_agreement(instance);
}

TEST_F(EngineConcurrency, AnInstanceIsMadeOnceByWhoeverIsFirst) {
  for (const auto& error : instance->reset()) ADD_FAILURE() << error.message;
  std::vector<pid_t> children;
  for (int i = 0; i < 10; ++i)
    children.push_back(start([&](Engine& engine) -> Status {
      CreateNetwork request{.name = fmt::format("n{}", i)};
      const auto made = engine.create_network(request);
      if (!made) return std::unexpected(made.error());
      return {};
    }));
  for (const auto child : children) expect_success(child);
  auto engine = instance.open_again();
  EXPECT_EQ(must(engine.networks()).size(), 3U + 10U);
  for (const auto& error : engine.reset()) ADD_FAILURE() << error.message;
}

// One that does nothing but connect and disconnect is killed in the middle of it, again and again.
TEST_F(EngineConcurrency, KilledOnesDoNoHarmToTheOthers) {
  instance.make_network(1);
  constexpr int kVictims = 10;
  std::vector<pid_t> children;
  for (int i = kVictims; i < kProcesses; ++i)
    children.push_back(start([&, i](Engine& engine) { return connect(engine, targets[i]); }));
  for (int i = 0; i < kVictims; ++i) {
    const auto victim = start([&](Engine& engine) -> Status {
      while (true) {
        (void)connect(engine, targets[i]);
        (void)engine.disconnect({.network = "net1", .target = targets[i].target()});
      }
    });
    usleep(10'000 + 7'000 * i);
    kill(victim, SIGKILL);
    waitpid(victim, nullptr, 0);
  }
  for (const auto child : children) expect_success(child);
  {
    const auto held = must(engine::lock_instance(instance.impl()));
  }
  expect_agreement(instance);
  for (int i = 0; i < kVictims; ++i)
    (void)instance->disconnect({.network = "net1", .target = targets[i].target()});
  EXPECT_EQ(must(instance->endpoints_of_network(must(instance->network("net1")).id)).size(),
            std::size_t{kProcesses - kVictims});
  for (int i = 0; i < kVictims; ++i) must(connect(*instance, targets[i]));
  expect_all_distinct(kProcesses);
  expect_agreement(instance);
}

}  // namespace
}  // namespace berth::testing
