// Reset, and what else has to go on where something in the store cannot be read.
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/change/lock.h"
#include "engine_fixture.h"

namespace berth::testing {
namespace {

class EngineReset : public EngineTest {
 protected:
  EngineReset() {
    nothing = kernel_state();
    instance.make_network(1);
    instance.make_network(2);
    must(instance->create_sandbox({.name = "box"}));
    must(instance->connect(
        {.network = "net1", .target = one.target(), .ports = ports({"7000:70"})}));
    must(instance->connect({.network = "net1", .target = "box"}));
    must(instance->connect({.network = "net2", .target = "box", .ports = ports({"7001:70/udp"})}));
  }
  void put(const std::string& key, const std::string& text) {
    must(instance.impl().store->commit({{key, text}}, store::Durability::kNormal));
  }
  // The first key with `prefix`.
  std::string key(const std::string& prefix) {
    const auto all = instance.stored();
    return all.lower_bound(prefix)->first;
  }
  // A reset removes everything, and says no more than what it passed over.
  void expect_all_gone(const std::vector<std::string>& passed_over) {
    std::string told;
    for (const auto& error : instance.open_again().reset()) {
      EXPECT_EQ(error.kind, ErrorKind::kCorrupt) << error.message;
      told += error.message + "\n";
    }
    EXPECT_EQ(std::ranges::count(told, '\n'), std::ssize(passed_over)) << told;
    for (const auto& each : passed_over)
      EXPECT_NE(told.find(each + " was passed over"), told.npos) << each << " in\n" << told;
    EXPECT_FALSE(std::filesystem::exists(instance.config().root));
    EXPECT_FALSE(std::filesystem::exists(instance.config().run));
    expect_same(kernel_state(), nothing);
    EXPECT_TRUE(must(must(Engine::open(instance.config())).sandboxes()).empty());
  }

  std::string nothing;
  Instance instance;
  TargetNs one;
};

// Until a process waits for a lock; proc_locks(5).
void until_it_waits(pid_t process) {
  const auto waits = [&] {
    std::ifstream locks("/proc/locks");
    for (std::string line; std::getline(locks, line);)
      if (line.find("->") != line.npos && line.find(fmt::format(" {} ", process)) != line.npos)
        return true;
    return false;
  };
  while (!waits()) usleep(1000);
}

// Who waits for the lock of an instance that is being reset gets a file that nobody else locks.
TEST_F(EngineReset, ALockThatIsNoLongerTheInstancesIsNone) {
  const auto& root = instance.config().root;
  engine::InstanceLock lock, another, next;
  auto held = must(lock.take(root));
  const auto child = fork();
  if (child == 0) {
    const auto waited = another.take(root);
    _exit(!waited && waited.error().kind == ErrorKind::kNotFound ? 0 : 1);
  }
  until_it_waits(child);
  std::filesystem::remove(root + "/lock");
  const auto successor = must(next.take(root));
  held.reset();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// It is one file that stays open, so the kernel alone would let its owner take it twice.
TEST_F(EngineReset, TheLockIsTakenOnceAtATime) {
  const auto& root = instance.config().root;
  engine::InstanceLock lock, another;
  for (int i = 0; i < 2; ++i) {
    const auto held = must(lock.take(root));
    EXPECT_EQ(lock.take(root).error().kind, ErrorKind::kInUse);
    EXPECT_EQ(another.take(root, LOCK_NB).error().kind, ErrorKind::kInUse);
  }
  const auto held = must(another.take(root, LOCK_NB));
  EXPECT_EQ(lock.take(root, LOCK_NB).error().kind, ErrorKind::kInUse);
}

// The store is made under the lock, which a reset keeps until everything is gone.
TEST_F(EngineReset, WhoOpensTheInstanceMeanwhileMakesAnother) {
  const auto& root = instance.config().root;
  engine::InstanceLock lock;
  auto held = must(lock.take(root));
  for (const auto* file : {"berth.db", "berth.db-wal", "berth.db-shm"})
    std::filesystem::remove(root + "/" + file);
  const auto child = fork();
  if (child == 0) _exit(Engine::open(instance.config()) ? 0 : 1);
  until_it_waits(child);
  EXPECT_FALSE(std::filesystem::exists(root + "/berth.db"));
  std::filesystem::remove(root + "/lock");
  held.reset();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(root + "/berth.db"));
}

// Else it would be the next instance's that it removes.
TEST_F(EngineReset, RemovesTheDirectoriesWhileTheLockIsThere) {
  const UniqueFd events(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  for (const auto& directory : {instance.config().root, instance.config().run})
    ASSERT_GE(inotify_add_watch(events.get(), directory.c_str(), IN_DELETE), 0);
  for (const auto& error : instance->reset()) ADD_FAILURE() << error.message;
  alignas(inotify_event) std::array<char, 16384> buffer{};
  const auto size = ::read(events.get(), buffer.data(), buffer.size());
  std::vector<std::string> removed;
  for (ssize_t at = 0; at < size;) {
    inotify_event event;
    std::memcpy(&event, buffer.data() + at, sizeof event);
    if (event.len != 0) removed.emplace_back(buffer.data() + at + sizeof event);
    at += static_cast<ssize_t>(sizeof event + event.len);
  }
  const auto directory = std::ranges::find(removed, "netns");
  ASSERT_NE(directory, removed.end());
  EXPECT_NE(std::find(directory, removed.end(), "lock"), removed.end());
}

TEST_F(EngineReset, LeavesNothing) {
  expect_all_gone({});
}

TEST_F(EngineReset, TakesTheDirectoriesOfDhcpClientsAndLabsIfNothingIsInThem) {
  for (const auto* name : {"/dhcp", "/labs"})
    std::filesystem::create_directory(instance.config().run + name);
  expect_all_gone({});
}

TEST_F(EngineReset, FindsTheDevicesOfDamagedNetworksByTheirIds) {
  run("ip link add lan0 type veth peer name lan1 && ip link set lan0 up");
  CreateNetwork lan{
      .name = "lan",
      .driver = "macvlan",
      .subnets = {{.subnet = cidr("10.8.0.0/24"), .range = {}, .gateway = {}, .aux = {}}},
      .options = {{"parent", "lan0"}, {"host_access", "true"}}};
  const auto network = must(instance->create_network(lan));
  TargetNs two;
  must(instance->connect({.network = "lan", .target = two.target()}));
  ASSERT_EQ(shell("ip link show " + network.parent.host_device.str()).status, 0);
  put("network/" + network.id, "{");
  EXPECT_EQ(instance->reset().size(), 1U);
  EXPECT_NE(shell("ip link show " + network.parent.host_device.str()).status, 0);
  EXPECT_NE(shell("nsenter --net=" + two.path + " ip link show eth0").status, 0);
  run("ip link del lan0");
  expect_same(kernel_state(), nothing);
}

// A stand-in for a DHCP client: a process with its directory in its command line.
TEST_F(EngineReset, EndsTheDhcpClientsOfDamagedRecords) {
  const auto endpoint = key("endpoint/");
  for (const auto& damaged :
       {endpoint, key("sandbox/"), "network/" + must(instance->network("net1")).id})
    put(damaged, "{");
  const auto directory =
      instance.config().run + "/dhcp/" + endpoint.substr(std::string("endpoint/").size());
  std::filesystem::create_directories(directory);
  const auto pid_file = directory + "/pid";
  const auto client = fork();
  if (client == 0) {
    std::ofstream(pid_file) << getpid();
    execlp("tail", "tail", "-n", "0", "-f", pid_file.c_str(), nullptr);
    _exit(1);
  }
  std::string command;  // once it is tail's
  while (command.find(directory) == command.npos)
    std::getline(std::ifstream(fmt::format("/proc/{}/cmdline", client)), command);
  EXPECT_EQ(instance->reset().size(), 3U);
  int status = 0;
  ASSERT_EQ(waitpid(client, &status, 0), client);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  EXPECT_FALSE(std::filesystem::exists(instance.config().run));
}

TEST_F(EngineReset, PassesOverEachKindOfDamagedRecord) {
  std::vector<std::string> damaged{"network/" + must(instance->network("net1")).id,
                                   "realised/" + must(instance->network("net2")).id,
                                   key("endpoint/"), key("sandbox/")};
  for (const auto& each : damaged) put(each, "{");
  must(instance.impl().journal.write("1", "{}"));
  damaged.push_back("unreadable/journal/1");
  expect_all_gone(damaged);
}

TEST_F(EngineReset, PassesOverAStoreWhereNoRecordCanBeRead) {
  std::vector<std::string> damaged;
  for (const auto& [key, text] : instance.stored())
    for (const auto* kind : {"network/", "endpoint/", "sandbox/"})
      if (key.starts_with(kind)) damaged.push_back(key);
  for (const auto& each : damaged) put(each, R"({"id": "another"})");
  expect_all_gone(damaged);
}

TEST_F(EngineReset, ADamagedRecordDoesNotKeepItFromOpeningAfterARestart) {
  const auto damaged = key("sandbox/");
  put(damaged, "[]");
  put("meta/boot", "the one before");
  expect_all_gone({damaged});
}

// The store is lost: overwritten, damaged, gone.
class EngineLostStore : public EngineReset {
 protected:
  EngineLostStore() {
    run("ip link add lan0 type veth peer name lan1 && ip link set lan0 up");
    must(instance->create_network(on_lan("lan", 8)));
    must(instance->connect({.network = "lan", .target = two.target()}));
  }
  static CreateNetwork on_lan(const std::string& name, int number) {
    return {.name = name,
            .driver = "macvlan",
            .subnets = {{.subnet = cidr(fmt::format("10.{}.0.0/24", number)),
                         .range = {},
                         .gateway = {},
                         .aux = {}}},
            .options = {{"parent", "lan0"}, {"host_access", "true"}}};
  }
  void lose() { std::filesystem::remove_all(instance.config().root); }
  // But for forwarding: what that was before was in the store.
  void expect_nothing_left() {
    run("sysctl -qw net.ipv4.ip_forward=0 && ip link del lan0");
    expect_same(kernel_state(), nothing);
    EXPECT_EQ(shell("ls " + instance.config().run + "/netns 2>/dev/null").output, "");
  }
  void expect_reset_without_store() {
    const auto errors = Engine::reset(instance.config());
    ASSERT_EQ(errors.size(), 1U);
    expect_refused(errors[0], ErrorKind::kCorrupt, {store, "passed over", "processes"});
    EXPECT_FALSE(std::filesystem::exists(instance.config().root));
    EXPECT_FALSE(std::filesystem::exists(instance.config().run));
    expect_nothing_left();
  }

  const std::string store = instance.config().root + "/berth.db";
  TargetNs two;
};

TEST_F(EngineLostStore, OneThatIsOverwrittenIsResetWithoutIt) {
  for (const auto* suffix : {"-wal", "-shm"}) std::filesystem::remove(store + suffix);
  std::ofstream(store, std::ios::trunc) << std::string(8192, 'x');
  expect_refused(Engine::open(instance.config()), ErrorKind::kCorrupt, {store});
  expect_reset_without_store();
}

TEST_F(EngineLostStore, OneWithDamagedPagesIsResetWithoutIt) {
  for (int i = 0; i < 500; ++i) put(fmt::format("filler/{}", i), std::string(2000, 'x'));
  {
    const auto closed = std::move(*instance);
  }
  const auto size = std::filesystem::file_size(store);
  ASSERT_GT(size, 100'000U);
  std::fstream file(store, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(size - 4096, '\xff');
  file.close();
  for (const auto* suffix : {"-wal", "-shm"}) std::filesystem::remove(store + suffix);
  expect_reset_without_store();
}

TEST_F(EngineLostStore, OneThatIsGoneIsMissedByItsSuccessor) {
  lose();
  auto next = instance.open_again();
  expect_refused(next.create_network({.name = "new"}), ErrorKind::kInUse,
                 {"earlier instance in " + instance.config().root, "berth system reset --foreign"});
  EXPECT_FALSE(must(next.plan(Reset{.foreign = true})).commands.empty());
  must(next.reset_foreign());
  must(next.create_network({.name = "new"}));
  for (const auto& error : next.reset()) ADD_FAILURE() << error.message;
  expect_nothing_left();
}

TEST_F(EngineLostStore, OneThatIsGoneIsTakenDownByAResetOfItsRoot) {
  lose();
  for (const auto& error : Engine::reset(instance.config())) ADD_FAILURE() << error.message;
  EXPECT_FALSE(std::filesystem::exists(instance.config().run));
  expect_nothing_left();
}

TEST_F(EngineLostStore, AnotherRootTakesItDownOnlyIfItIsLost) {
  Instance other;
  must(other->create_network(on_lan("mine", 7)));
  const auto before = kernel_state();
  expect_refused(other->reset_foreign().error(), ErrorKind::kInUse,
                 {instance.config().root, "is not lost"});
  expect_same(kernel_state(), before);
  lose();
  must(other->reset_foreign());
  EXPECT_TRUE(must(other->reconcile()).empty());
}

TEST_F(EngineReset, AJournalEntryThatCannotBeReadIsSetAsideUntilReconcileTellsOfIt) {
  must(instance.impl().journal.write(
      "1", R"({"verb":"connect","remove":false,"plan":[{"op":"unheard-of"}],"writes":[]})"));
  TargetNs two;
  must(instance->connect({.network = "net1", .target = two.target()}));
  const auto repairs = must(instance->reconcile());
  ASSERT_EQ(repairs.size(), 1U);
  EXPECT_NE(repairs[0].what.find("journal/1 cannot be read"), std::string::npos);
  must(repairs[0].status);
  expect_agreement(instance);
}

}  // namespace
}  // namespace berth::testing
