#include "engine_scenarios.h"

namespace berth::testing {
namespace {

template <typename T>
Status status_of(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

void without_icc(CreateNetwork& request) {
  request.options["com.docker.network.bridge.enable_icc"] = "false";
}

// Routes that go with the interface, and one that does not.
void with_routes(CreateNetwork& request) {
  without_icc(request);
  request.routes = {must(parse_route("10.201.0.0/16,10.1.0.200")),
                    must(parse_route("10.202.0.0/16,blackhole"))};
}

void connect(World& world, TargetNs& target, int network,
             const std::vector<std::string>& specs = {}) {
  must(world.instance->connect({.network = fmt::format("net{}", network),
                                .target = target.target(),
                                .ports = ports(specs)}));
}

void one_network(World& world) {
  world.instance.make_network(1, with_routes);
}

// A sandbox of berth's with a port on each of two networks, and a neighbour.
void busy_networks(World& world) {
  world.instance.make_network(1, with_routes);
  world.instance.make_network(2);
  must(world.instance->create_sandbox({.name = "box"}));
  for (const auto* network : {"net1", "net2"})
    must(world.instance->connect(
        {.network = network,
         .target = "box",
         .ports = ports({network == std::string("net1") ? "7001:70" : "7002:70/udp"})}));
  connect(world, world.one, 1, {"7000:70", "53:53/udp", "127.0.0.1:7003:70"});
  connect(world, world.one, 2);
}

// Two sandboxes of berth's, of which one links to the other on a network that both are on and on
// one that the linked one is not on yet.
void linked(World& world) {
  world.instance.make_network(1);
  world.instance.make_network(2);
  must(world.instance->create_sandbox({.name = "box"}));
  must(world.instance->create_sandbox({.name = "linker"}));
  must(world.instance->connect({.network = "net1", .target = "box"}));
  for (const auto* network : {"net1", "net2"}) {
    Connect request{.network = network, .target = "linker"};
    request.options.links = {"box:alias"};
    must(world.instance->connect(request));
  }
}

CreateNetwork macvlan(const std::string& name) {
  CreateNetwork lan{.name = name, .driver = "macvlan", .subnets = {}, .labels = {}};
  lan.subnets.push_back(
      {.subnet = Cidr::parse("192.168.7.0/24").value(), .range = {}, .gateway = {}, .aux = {}});
  lan.options = {{"parent", "lan0"}, {"host_access", "true"}};
  return lan;
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

void busy_macvlan(World& world) {
  macvlan_network(world);
  world.instance.make_network(1);
  connect(world, world.one, 1);
  must(world.instance->create_sandbox({.name = "box"}));
  for (const auto& target : {std::string("box"), world.one.target()})
    must(world.instance->connect({.network = "lan", .target = target}));
}

std::vector<Scenario> make_scenarios() {
  return {
      {"CreateFirstNetwork", [](World&) {},
       [](World&, Engine& engine) { return status_of(engine.create_network({.name = "new"})); }},
      {"CreateNetworkBesideOthers", busy_networks,
       [](World&, Engine& engine) {
         return status_of(engine.create_network({.name = "new", .internal = true}));
       }},
      {"ConnectWithPorts", one_network,
       [](World& world, Engine& engine) {
         return status_of(
             engine.connect({.network = "net1",
                             .target = world.one.target(),
                             .ports = ports({"7000:70", "53:53/udp", "127.0.0.1:7001:70"})}));
       }},
      {"ConnectForTheFirstTimeToBridge",
       [](World& world) { run("ip link set lo down", &world.one.netns); },
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "bridge", .target = world.one.target()}));
       }},
      {"ConnectASandbox", busy_networks,
       [](World&, Engine& engine) {
         return status_of(
             engine.connect({.network = "bridge", .target = "box", .ports = ports({"80:80"})}));
       }},
      {"ConnectASandboxThatOthersLinkTo", linked,
       [](World&, Engine& engine) {
         return status_of(engine.connect({.network = "net2", .target = "box"}));
       }},
      {"DisconnectASandboxThatOthersLinkTo", linked,
       [](World&, Engine& engine) {
         return engine.disconnect({.network = "net1", .target = "box"});
       },
       true},
      {"RemoveASandboxThatOthersLinkTo", linked,
       [](World&, Engine& engine) {
         return engine.remove_sandboxes({{"box"}, false})[0].status;
       },
       true},
      {"Publish", busy_networks,
       [](World& world, Engine& engine) {
         return status_of(
             engine.publish({"net2", world.one.target(), ports({"7100-7102:70-72", "54:53/udp"})}));
       }},
      {"CreateSandbox", [](World&) {},
       [](World&, Engine& engine) { return status_of(engine.create_sandbox({.name = "new"})); }},
      {"CreateMacvlan", segment,
       [](World&, Engine& engine) { return status_of(engine.create_network(macvlan("new"))); }},
      {"ConnectToMacvlan", macvlan_network,
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "lan",
                                          .target = world.one.target(),
                                          .options = {.ip4 = Ip::v4(192, 168, 7, 7)}}));
       }},
      {"DisconnectFromMacvlan", busy_macvlan,
       [](World& world, Engine& engine) {
         return engine.disconnect({.network = "lan", .target = world.one.target()});
       },
       true},
      {"RemoveAMacvlanInUse", busy_macvlan,
       [](World&, Engine& engine) { return engine.remove_networks({{"lan"}, true})[0].status; },
       true},
      {"Unpublish", busy_networks,
       [](World& world, Engine& engine) {
         return status_of(engine.unpublish(
             {"net1",
              world.one.target(),
              {{Protocol::kTcp, Ip(), 7000, 70}, {Protocol::kUdp, Ip(), 53, 53}}}));
       },
       true},
      {"DisconnectAndMoveTheDefaultRoute", busy_networks,
       [](World& world, Engine& engine) {
         return engine.disconnect({.network = "net1", .target = world.one.target()});
       },
       true},
      {"RemoveTheLastNetwork", [](World& world) { world.instance.make_network(1); },
       [](World&, Engine& engine) {
         return engine.remove_networks({{"net1"}, false})[0].status;
       },
       true},
      {"RemoveANetworkInUse", busy_networks,
       [](World&, Engine& engine) {
         return engine.remove_networks({{"net1"}, true})[0].status;
       },
       true},
      {"RemoveTwoSandboxes", busy_networks,
       [](World& world, Engine& engine) {
         const auto outcomes = engine.remove_sandboxes({{"box", world.one.target()}, false});
         return outcomes[0].status ? outcomes[1].status : outcomes[0].status;
       },
       true},
  };
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const auto all = make_scenarios();
  return all;
}

}  // namespace berth::testing
