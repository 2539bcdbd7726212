// What berth prints is what berth does: the plan's commands, run by sh in one namespace, leave the
// kernel as the engine left another one.
#include "engine_fixture.h"
#include "plan/render.h"

namespace berth::testing {
namespace {

struct Setup {
  std::string name;
  std::function<void(CreateNetwork&)> network;
  std::string host;    ///< command that prepares the host side
  bool vlans = false;  ///< needs a kernel whose bridges know VLANs
};

std::function<void(CreateNetwork&)> option(const std::string& key, const std::string& value) {
  return [=](CreateNetwork& request) { request.options["com.docker.network." + key] = value; };
}

class EngineDifferential : public ::testing::TestWithParam<Setup> {
 protected:
  // A host as the parameter wants it.
  static void new_host() {
    become_new_host();
    if (!GetParam().host.empty()) run(GetParam().host);
  }
  // As on a machine without the package netbase, which has /etc/protocols.
  static void run_all(const std::vector<std::string>& commands) {
    const bool hide = std::filesystem::exists("/etc/protocols");
    if (hide) run("mount --bind /dev/null /etc/protocols");
    run_each(commands);
    if (hide) run("umount /etc/protocols");
  }

 private:
  static void run_each(const std::vector<std::string>& commands) {
    for (auto command : commands) {
      // The program stands beside berth, not beside this test.
      const std::string object = " object-file berth-translate.o";
      if (const auto at = command.find(object); at != std::string::npos)
        command.replace(at, object.size(), " object-file " BERTH_TRANSLATE_OBJECT);
      // conntrack(8) fails where there was nothing to forget.
      if (command.find("conntrack -D") != std::string::npos)
        (void)shell(command);
      else
        run(command);
    }
  }
};

TEST_P(EngineDifferential, ThePrintedPlanDoesWhatTheEngineDoes) {
  become_new_host();
  if (GetParam().vlans && shell("ip link add v type bridge vlan_filtering 1").status != 0)
    GTEST_SKIP() << "this kernel's bridges know no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)";
  const auto path = scratch_dir() + "/differential";
  std::string empty, made, removed;
  std::vector<std::string> making, removing;
  {
    new_host();
    Instance instance;
    TargetNs target(path);
    empty = kernel_state() + kernel_state(&target.netns);
    auto* commands = &making;
    instance.impl().faults.at = [&](std::string_view step) {
      if (step != "journalled") return;
      for (auto& command : plan::render(journalled_plan(instance.impl())))
        commands->push_back(command);
    };
    instance.make_network(1, GetParam().network);
    instance.make_network(2, [](auto& request) { request.internal = true; });
    const bool internal = must(instance->network("net1")).internal;
    must(instance->connect({.network = "net2", .target = target.target()}));
    must(instance->connect(
        {.network = "net1",
         .target = target.target(),
         .ports = internal ? std::vector<PortSpec>{} : ports({"7000:70", "53:53/udp"})}));
    const auto box = must(instance->create_sandbox({.name = "box"}));
    must(instance->connect({.network = "net1", .target = "box"}));
    if (!internal)
      must(instance->publish({"net1", "box", ports({"127.0.0.1:7001:70", "7002:70/sctp"})}));
    const auto inside = must(kernel::Netns::open(box.netns_path));
    made = kernel_state() + kernel_state(&target.netns) + kernel_state(&inside);

    commands = &removing;
    for (const auto& outcome : instance->remove_sandboxes({{"box"}, false})) must(outcome.status);
    must(instance->disconnect({.network = "net1", .target = target.target()}));
    for (const auto& outcome : instance->remove_networks({{"net1", "net2"}, true}))
      must(outcome.status);
    removed = kernel_state() + kernel_state(&target.netns);
    expect_same(removed, empty);
  }
  new_host();
  TargetNs target(path);
  run_all(making);
  const auto box_path = [&] {  // of the `touch PATH && unshare --net=PATH` that makes the sandbox
    const std::string touch = " && touch ";
    for (const auto& command : making) {
      if (const auto at = command.find(touch); at != std::string::npos) {
        const auto path_at = at + touch.size();
        return command.substr(path_at, command.find(" && ", path_at) - path_at);
      }
    }
    return std::string();
  }();
  {
    const auto inside = must(kernel::Netns::open(box_path));
    expect_same(kernel_state() + kernel_state(&target.netns) + kernel_state(&inside), made);
  }
  run_all(removing);
  expect_same(kernel_state() + kernel_state(&target.netns), removed);
}

INSTANTIATE_TEST_SUITE_P(
    , EngineDifferential,
    ::testing::Values(
        Setup{"Plain", {}, ""}, Setup{"WithoutIcc", option("bridge.enable_icc", "false"), ""},
        Setup{"WithoutIccWhereBridgedFramesAreNotFiltered", option("bridge.enable_icc", "false"),
              "sysctl -qew net.bridge.bridge-nf-call-iptables=0"},
        Setup{"WithoutMasquerade", option("bridge.enable_ip_masquerade", "false"), ""},
        Setup{"Internal", [](CreateNetwork& request) { request.internal = true; }, ""},
        Setup{"WithMtu", option("driver.mtu", "1300"), ""},
        Setup{"GuardedPorts",
              [](CreateNetwork& request) {
                request.options["port_isolation"] = "true";
                request.options["mac_spoof_check"] = "true";
              },
              ""},
        Setup{"Isolated",
              [](CreateNetwork& request) {
                request.internal = true;
                request.options["com.docker.network.bridge.gateway_mode_ipv4"] = "isolated";
              },
              ""},
        Setup{"Adopted", [](CreateNetwork& request) { request.adopt = "br1"; },
              "ip link add br1 address 02:00:00:00:00:01 type bridge"},
        Setup{"WithVlan", [](CreateNetwork& request) { request.options["vlan"] = "10"; }, "", true},
        Setup{"AdoptedWithVlan",
              [](CreateNetwork& request) {
                request.adopt = "br1";
                request.options["vlan"] = "10";
              },
              "ip link add br1 address 02:00:00:00:00:01 type bridge && ip link set br1 up", true},
        Setup{"WhereForwardingIsOn", {}, "sysctl -qw net.ipv4.ip_forward=1"}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace berth::testing
