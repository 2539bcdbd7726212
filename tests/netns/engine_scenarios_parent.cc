// Networks whose endpoints are sub-interfaces of a parent: macvlan and ipvlan.
#include "engine_scenarios.h"

namespace berth::testing {
namespace {

CreateNetwork on_parent(const std::string& name, const std::string& driver,
                        const Labels& options = {}) {
  return {.name = name,
          .driver = driver,
          .subnets = {{.subnet = cidr("192.168.7.0/24")}, {.subnet = cidr("fd17::/64")}},
          .ipv6 = true,
          .options = options};
}

CreateNetwork macvlan(const std::string& name) {
  return on_parent(name, "macvlan", {{"parent", "lan0"}, {"host_access", "true"}});
}
CreateNetwork passthru(const std::string& name) {
  return on_parent(name, "macvlan", {{"parent", "lan0"}, {"macvlan_mode", "passthru"}});
}
CreateNetwork ipvlan(const std::string& name) {
  return on_parent(name, "ipvlan", {{"parent", "lan0"}, {"host_access", "true"}});
}

// A segment with the host's lan0 and lan1 of target two on it.
void segment(World& world) {
  run("ip link add lan0 type veth peer name lan1 netns " + world.two.path +
      " && ip link set lan0 up");
  run("ip link set lan1 up", &world.two.netns);
}

void macvlan_network(World& world) {
  segment(world);
  must(world.instance->create_network(macvlan("lan")));
}

void passthru_network(World& world) {
  segment(world);
  must(world.instance->create_network(passthru("lan")));
}

void ipvlan_network(World& world) {
  segment(world);
  must(world.instance->create_network(ipvlan("lan")));
}

Status connect_to_lan(World& world, Engine& engine) {
  return status_of(engine.connect({.network = "lan", .target = world.one.target()}));
}
Status disconnect_from_lan(World& world, Engine& engine) {
  return engine.disconnect({.network = "lan", .target = world.one.target()});
}

void busy_macvlan(World& world) {
  macvlan_network(world);
  world.instance.make_network(1);
  connect(world, world.one, 1);
  must(world.instance->create_sandbox({.name = "box"}));
  for (const auto& target : {std::string("box"), world.one.target()})
    must(world.instance->connect({.network = "lan", .target = target}));
}

}  // namespace

std::vector<Scenario> parent_scenarios() {
  return {
      {"CreateMacvlan", segment,
       [](World&, Engine& engine) { return status_of(engine.create_network(macvlan("new"))); }},
      {"ConnectToMacvlan", macvlan_network,
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "lan",
                                          .target = world.one.target(),
                                          .options = {.ip4 = Ip::v4(192, 168, 7, 7)}}));
       }},
      {"AttachToMacvlan", macvlan_network,
       [](World& world, Engine& engine) {
         Connect request{.network = "lan", .target = world.one.target()};
         request.options.addresses = {cidr("192.168.7.9/24"), cidr("fd17::9/64")};
         return status_of(engine.connect(request));
       }},
      {"ConnectToPassthru", passthru_network, connect_to_lan},
      {"CreateIpvlan", segment,
       [](World&, Engine& engine) { return status_of(engine.create_network(ipvlan("new"))); },
       false, "ipvlan"},
      {"ConnectToIpvlan", ipvlan_network, connect_to_lan, false, "ipvlan"},
      {"CreateMacvlanOnAVlan", segment,
       [](World&, Engine& engine) {
         return status_of(
             engine.create_network(on_parent("new", "macvlan", {{"parent", "lan0.50"}})));
       },
       false, "vlan"},
      {"CreateMacvlanOnADummy", [](World&) {},
       [](World&, Engine& engine) {
         return status_of(engine.create_network(on_parent("new", "macvlan")));
       },
       false, "dummy"},
      {"DisconnectFromPassthru",
       [](World& world) {
         passthru_network(world);
         must(connect_to_lan(world, *world.instance));
       },
       disconnect_from_lan, true},
      {"DisconnectFromIpvlan",
       [](World& world) {
         ipvlan_network(world);
         must(connect_to_lan(world, *world.instance));
       },
       disconnect_from_lan, true, "ipvlan"},
      {"RemoveTheLastNetworkOnAVlan",
       [](World& world) {
         segment(world);
         must(world.instance->create_network(on_parent("lan", "macvlan", {{"parent", "lan0.50"}})));
         must(connect_to_lan(world, *world.instance));
       },
       [](World&, Engine& engine) { return engine.remove_networks({{"lan"}, true})[0].status; },
       true, "vlan"},
      {"DisconnectFromMacvlan", busy_macvlan, disconnect_from_lan, true},
      {"RemoveAMacvlanInUse", busy_macvlan,
       [](World&, Engine& engine) { return engine.remove_networks({{"lan"}, true})[0].status; },
       true},
  };
}

}  // namespace berth::testing
