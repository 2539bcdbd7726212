// Sharing a network namespace: owners, sharers, and what is kept for whom.
#include <csignal>

#include "fake_sandbox.h"

namespace berth::testing {
namespace {

using EngineModes = EngineTest;

std::vector<std::string> sharers_of(Instance& instance, const std::string& id) {
  engine::Draft look(*instance.impl().store);
  std::vector<std::string> names;
  for (const auto& sharer : must(look.state.sharers(id))) names.push_back(sharer.name);
  return names;
}

TEST_F(EngineModes, AnOwnerIsNotRemovedUnderItsSharers) {
  Instance instance;
  const auto pod = must(instance->create_sandbox({.name = "pod"}));
  FakeSandbox sharer(instance, "sharer", pod.id);
  EXPECT_EQ(sharers_of(instance, pod.id), std::vector<std::string>{"sharer"});
  const auto before = picture(instance);
  for (const bool force : {false, true}) {
    const RemoveSandboxes request{{"pod"}, force};
    expect_refused(instance->remove_sandboxes(request)[0].status, ErrorKind::kInUse,
                   {"pod shares its network namespace with sharer", "rm"});
    expect_refused(instance->plan(request), ErrorKind::kInUse, {"sharer"});
  }
  expect_same(picture(instance), before);

  // One that has died without a word is in nobody's way, and is collected.
  sharer.end();
  EXPECT_EQ(must(instance->sandboxes()).size(), 2U);
  EXPECT_TRUE(sharers_of(instance, pod.id).empty());
  must(instance->remove_sandboxes({{"pod"}, false})[0].status);
}

TEST_F(EngineModes, ASharerThatHasEndedIsJoinedByNobody) {
  Instance instance;
  const auto pod = must(instance->create_sandbox({.name = "pod"}));
  FakeSandbox sharer(instance, "sharer", pod.id);
  engine::Draft change(*instance.impl().store);
  const RunProcess request{.networks = {{"container:sharer", {}}}, .argv = {"true"}};
  EXPECT_EQ(must(engine::mode_of(change.state, request)).owner->id, pod.id);
  sharer.end();
  sharer.record.state = SandboxState::kExited;
  change.state.put(sharer.record);
  expect_refused(engine::mode_of(change.state, request), ErrorKind::kNotFound,
                 {"sharer", "not running"});
}

TEST_F(EngineModes, OwnerAndSharersGoInOneRequestInAnyOrder) {
  for (const bool owner_first : {true, false}) {
    Instance instance;
    const auto pod = must(instance->create_sandbox({.name = "pod"}));
    FakeSandbox sharer(instance, "sharer", pod.id);
    RemoveSandboxes request{{"pod", "sharer"}, true};
    if (!owner_first) std::ranges::reverse(request.targets);
    must(instance->plan(request));
    signal(SIGCHLD, SIG_IGN);  // nobody waits for the process but this test
    for (const auto& outcome : instance->remove_sandboxes(request)) must(outcome.status);
    signal(SIGCHLD, SIG_DFL);
    EXPECT_TRUE(must(instance->sandboxes()).empty());
    for (const auto& [key, value] : instance.stored())
      EXPECT_FALSE(key.starts_with("share/")) << key;
  }
}

TEST_F(EngineModes, AnOwnerStaysIfOneOfItsSharersCannotGo) {
  Instance instance;
  const auto pod = must(instance->create_sandbox({.name = "pod"}));
  FakeSandbox sharer(instance, "sharer", pod.id);
  const auto outcomes = instance->remove_sandboxes({{"pod", "sharer"}, false});
  expect_refused(outcomes[0].status, ErrorKind::kInUse, {"shares its network namespace"});
  expect_refused(outcomes[1].status, ErrorKind::kInUse, {"is running"});
  EXPECT_EQ(must(instance->sandboxes()).size(), 2U);
}

// The path that an owner was started with may be gone, or another namespace's, while the owner lives.
TEST_F(EngineModes, SharingFollowsTheOwnersProcessAndNotThePathItWasStartedWith) {
  Instance instance;
  FakeSandbox owner(instance, "owner");
  TargetNs another;
  for (const auto& path : {another.path, another.path + "-gone"}) {
    owner.record.mode = NetworkMode::kPath;
    owner.record.netns_path = path;
    engine::Draft look(*instance.impl().store);
    const engine::Mode mode{NetworkMode::kContainer, owner.record, {}};
    const auto joined = must(engine::namespace_to_join(look.state, mode));
    EXPECT_EQ(joined->inode(), must(kernel::Netns::current()).inode());
  }
  owner.end();
  engine::Draft look(*instance.impl().store);
  const engine::Mode mode{NetworkMode::kContainer, owner.record, {}};
  expect_refused(engine::namespace_to_join(look.state, mode), ErrorKind::kNotFound,
                 {"owner", "not running"});
}

// What is left in the namespace of an owner that has died is reached through one that shares it.
TEST_F(EngineModes, ADeadOwnersNamespaceIsItsSharers) {
  Instance instance;
  FakeSandbox owner(instance, "owner");
  FakeSandbox sharer(instance, "sharer", owner.record.id);
  engine::Draft look(*instance.impl().store);
  const auto path = [&] { return must(engine::namespace_of(look.state, owner.record)).path; };
  EXPECT_EQ(path(), owner.record.netns_path);
  owner.end();
  EXPECT_EQ(path(), sharer.record.netns_path);
  sharer.end();
  EXPECT_EQ(path(), owner.record.netns_path);
}

}  // namespace
}  // namespace berth::testing
