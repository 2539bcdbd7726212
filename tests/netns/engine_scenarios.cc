// Networks on bridges, and what they share with all: ports, links, sandboxes.
#include "engine_scenarios.h"

namespace berth::testing {
namespace {

void without_icc(CreateNetwork& request) {
  request.options["com.docker.network.bridge.enable_icc"] = "false";
}

// Routes that go with the interface, and one that does not.
void with_routes(CreateNetwork& request) {
  without_icc(request);
  request.routes = {must(parse_route("10.201.0.0/16,10.1.0.200")),
                    must(parse_route("10.202.0.0/16,blackhole"))};
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

// Two sandboxes in one namespace.
void shared_sandbox(World& world) {
  busy_networks(world);
  world.guest.emplace(world.instance, "guest", must(world.instance->sandbox("box")).id);
}

// Somebody else's namespace with addresses that somebody else has chosen.
Connect attaching(World& world) {
  Connect request{.network = "net1", .target = world.one.target()};
  request.options.addresses = {cidr("10.1.0.9/24"), cidr("192.0.2.9/28"), cidr("fd01::9/64")};
  request.options.gateway4 = ip("192.0.2.1");
  return request;
}

// An administrator's bridge, down and with an address of its own in the subnet.
void given_bridge(World&) {
  run("ip link add br7 address 02:00:00:00:00:07 type bridge && ip addr add 10.7.0.254/24 dev br7");
}

CreateNetwork adopting() {
  return {.name = "adopted",
          .subnets =
              {{.subnet = cidr("10.7.0.0/24"), .range = {}, .gateway = ip("10.7.0.1"), .aux = {}}},
          .adopt = "br7"};
}

// A server on the first of two networks.
void two_networks(World& world) {
  for (const int number : {1, 2}) world.instance.make_network(number);
  connect(world, world.one, 1, {"7000:70"});
}

// Ports that are isolated and locked to their addresses.
void guarded(CreateNetwork& request) {
  request.options["port_isolation"] = "true";
  request.options["mac_spoof_check"] = "true";
}

// net1 is an ordinary network, net2 one whose default route leads nowhere.
void default_by_route(World& world) {
  world.instance.make_network(1);
  world.instance.make_network(2, [](CreateNetwork& request) {
    request.routes = {must(parse_route("0.0.0.0/0,blackhole"))};
    request.options["no_default_route"] = "true";
  });
}
Connect to_kill_switch(const World& world) {
  return {.network = "net2", .target = world.one.target(), .options = {.gw_priority = 1}};
}

}  // namespace

std::vector<Scenario> bridge_scenarios() {
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
       [](World&, Engine& engine) { return engine.remove_sandboxes({{"box"}, false})[0].status; },
       true},
      {"Publish", busy_networks,
       [](World& world, Engine& engine) {
         return status_of(
             engine.publish({"net2", world.one.target(), ports({"7100-7102:70-72", "54:53/udp"})}));
       }},
      {"ConnectAServerToASecondNetwork", two_networks,
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "net2", .target = world.one.target()}));
       }},
      {"DisconnectAServerFromASecondNetwork",
       [](World& world) {
         two_networks(world);
         connect(world, world.one, 2);
       },
       [](World& world, Engine& engine) {
         return engine.disconnect({.network = "net2", .target = world.one.target()});
       },
       true},
      {"AdoptABridge", given_bridge,
       [](World&, Engine& engine) { return status_of(engine.create_network(adopting())); }},
      {"ConnectToGuardedPorts", [](World& world) { world.instance.make_network(1, guarded); },
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "net1", .target = world.one.target()}));
       }},
      {"AttachGivenAddresses", one_network,
       [](World& world, Engine& engine) { return status_of(engine.connect(attaching(world))); }},
      {"Detach",
       [](World& world) {
         busy_networks(world);
         must(world.instance->disconnect({.network = "net1", .target = world.one.target()}));
         must(world.instance->connect(attaching(world)));
       },
       [](World& world, Engine& engine) {
         return engine.disconnect({.target = world.one.target(), .address = ip("192.0.2.9")});
       },
       true},
      {"ConnectToAnUnmanagedBridge",
       [](World& world) {
         given_bridge(world);
         must(world.instance->create_network(
             {.name = "lan",
              .ipv6 = false,
              .options = {{"mode", "unmanaged"}, {"com.docker.network.bridge.name", "br7"}}}));
       },
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "lan", .target = world.one.target()}));
       }},
      {"ConnectASandboxThatIsShared", shared_sandbox,
       [](World&, Engine& engine) {
         return status_of(engine.connect({.network = "bridge", .target = "box"}));
       }},
      {"CreateSandbox", [](World&) {},
       [](World&, Engine& engine) { return status_of(engine.create_sandbox({.name = "new"})); }},
      {"Unpublish", busy_networks,
       [](World& world, Engine& engine) {
         return status_of(engine.unpublish(
             {"net1",
              world.one.target(),
              {{Protocol::kTcp, Ip(), 7000, 70}, {Protocol::kUdp, Ip(), 53, 53}}}));
       },
       true},
      {"ConnectToWhatTakesTheDefaultRoutesPlace",
       [](World& world) {
         default_by_route(world);
         connect(world, world.one, 1);
       },
       [](World& world, Engine& engine) {
         return status_of(engine.connect(to_kill_switch(world)));
       }},
      {"DisconnectFromWhatTookTheDefaultRoutesPlace",
       [](World& world) {
         default_by_route(world);
         connect(world, world.one, 1);
         must(world.instance->connect(to_kill_switch(world)));
       },
       [](World& world, Engine& engine) {
         return engine.disconnect({.network = "net2", .target = world.one.target()});
       },
       true},
      {"DisconnectAndMoveTheDefaultRoute", busy_networks,
       [](World& world, Engine& engine) {
         return engine.disconnect({.network = "net1", .target = world.one.target()});
       },
       true},
      {"DisconnectASandboxThatIsShared", shared_sandbox,
       [](World&, Engine& engine) {
         return engine.disconnect({.network = "net1", .target = "box"});
       },
       true},
      {"RemoveAnAdoptedNetwork",
       [](World& world) {
         given_bridge(world);
         must(world.instance->create_network(adopting()));
         must(world.instance->connect({.network = "adopted", .target = world.one.target()}));
       },
       [](World&, Engine& engine) { return engine.remove_networks({{"adopted"}, true})[0].status; },
       true},
      {"RemoveTheLastNetwork", [](World& world) { world.instance.make_network(1); },
       [](World&, Engine& engine) { return engine.remove_networks({{"net1"}, false})[0].status; },
       true},
      {"RemoveANetworkInUse", busy_networks,
       [](World&, Engine& engine) { return engine.remove_networks({{"net1"}, true})[0].status; },
       true},
      {"RemoveTwoSandboxes", busy_networks,
       [](World& world, Engine& engine) {
         const auto outcomes = engine.remove_sandboxes({{"box", world.one.target()}, false});
         return outcomes[0].status ? outcomes[1].status : outcomes[0].status;
       },
       true},
  };
}

std::string Scenario::lacking() const {
  auto route = must(kernel::Socket::open(NETLINK_ROUTE));
  if (needs.empty() || must(kernel::has_link_kind(route, needs))) return {};
  return fmt::format("this kernel has no {} devices", needs);
}

const std::vector<Scenario>& scenarios() {
  static const auto all = [] {
    auto every = bridge_scenarios();
    for (const auto& more : {ipv6_scenarios(), parent_scenarios()})
      every.insert(every.end(), more.begin(), more.end());
    return every;
  }();
  return all;
}

}  // namespace berth::testing
