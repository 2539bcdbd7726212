// What the tests of the engine share: a host to work on, instances of berth on it, and pictures of
// the kernel and the store that can be compared.
//
// Every test gets a new network namespace for its host side and new directories, so nothing that
// one leaves behind reaches another. Targets are namespaces of kernel_test_ns.h.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "berth/engine.h"
#include "engine/access.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/endpoints/dhcp.h"
#include "engine/endpoints/endpoints.h"
#include "engine/ports/ports.h"
#include "engine/repair/repair.h"
#include "engine/sandboxes/attach.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/modes.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/targets/targets.h"
#include "kernel_test_ns.h"
#include "nft_shell.h"

namespace berth::testing {

/// Devices of the host that networks of a test may stand on, and that are none of berth's.
inline constexpr std::string_view kParent = "lan0", kGivenBridge = "br7";

/// The host side: the main thread is in a network namespace made for this test, lo up.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest();
};

/// Puts the calling thread into a new network namespace with lo up.
void become_new_host();

/// One instance of berth: directories of its own and an engine on them.
class Instance {
 public:
  Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  Engine& operator*() { return engine_; }
  Engine* operator->() { return &engine_; }
  [[nodiscard]] engine::Instance& impl() { return EngineAccess::instance(engine_); }
  [[nodiscard]] const Config& config() const { return config_; }
  /// Another engine on the same instance, as another process would open it.
  [[nodiscard]] Engine open_again() const { return must(Engine::open(config_)); }
  /// Everything in the store.
  [[nodiscard]] std::map<std::string, std::string> stored();
  /// A new network 10.<number>.0.0/24 on bridge br<number>.
  Network make_network(int number, const std::function<void(CreateNetwork&)>& change = {});

 private:
  Config config_;
  Engine engine_;
};

/// A namespace to connect, with lo up; removed with everything in it.
class TargetNs {
 public:
  TargetNs();
  explicit TargetNs(std::string path);
  TargetNs(const TargetNs&) = delete;
  TargetNs& operator=(const TargetNs&) = delete;
  ~TargetNs() { must(kernel::Netns::remove(path)); }
  [[nodiscard]] Target target() const { return "netns:" + path; }

  const std::string path;
  kernel::Netns netns;
  kernel::Socket route = must(kernel::open_socket_in(netns, NETLINK_ROUTE));
};

/// Runs a command of sh in `netns` or on the host side; it must succeed.
void run(const std::string& command, const kernel::Netns* netns = nullptr);
/// What `command` prints as JSON, run in `netns` or on the host side.
[[nodiscard]] nlohmann::json json_of(const std::string& command,
                                     const kernel::Netns* netns = nullptr);

/// Links, addresses and routes, the nft ruleset, net.ipv4.conf and net.ipv6.conf of a namespace as
/// text, without what differs from one making to the next: indexes, handles, times, random hardware
/// addresses, and what the kernel changes when it finds the time (carrier, operational state, IPv6
/// link-local).
[[nodiscard]] std::string kernel_state(const kernel::Netns* netns = nullptr);

/// Kernel state of host and targets, the store's content and the files in --run, as text.
[[nodiscard]] std::string picture(Instance& instance, const std::vector<TargetNs*>& targets = {});

/// Expects two pictures to be the same; the failure shows the lines that are not.
void expect_same(const std::string& now, const std::string& before);

/// Expects that the kernel holds what the store says and no link more than that and `others`, that
/// berth finds nothing to repair, and that the store's indexes, leases and ports are those of its
/// endpoints.
void expect_agreement(Instance& instance, const std::set<std::string>& others = {});

/// The plan in the instance's journal; for a fault hook at "journalled".
[[nodiscard]] plan::Plan journalled_plan(engine::Instance& impl);

[[nodiscard]] std::vector<PortSpec> ports(const std::vector<std::string>& specs);
[[nodiscard]] std::string ip_forward();

/// Expects an error of that kind whose one sentence contains every part of `said`.
void expect_refused(const Error& error, ErrorKind kind, const std::vector<std::string>& said);
template <typename T>
void expect_refused(const Result<T>& result, ErrorKind kind, const std::vector<std::string>& said) {
  ASSERT_FALSE(result) << "not refused";
  expect_refused(result.error(), kind, said);
}

}  // namespace berth::testing
