// Networks with IPv6, and sandboxes with more than one way out.
#include "engine_scenarios.h"

namespace berth::testing {
namespace {

// IPv4 and IPv6, with routes of every kind.
void dual(CreateNetwork& request) {
  const auto number = request.name.substr(3);
  request.ipv6 = true;
  request.subnets.push_back({.subnet = cidr("fd0" + number + "::/64")});
  for (const auto* route : {"10.201.0.0/16,10.{0}.0.200", "10.202.0.0/16,prohibit",
                            "fd9{0}::/64,fd0{0}::200", "fd8{0}::/64,unreachable,7"})
    request.routes.push_back(must(parse_route(fmt::format(fmt::runtime(route), number))));
}

void ipv6_alone(CreateNetwork& request) {
  request.ipv4 = false;
  request.subnets = {{.subnet = cidr("fd03::/64")}};
}

// A way out of both families by either of two networks, and one of IPv6 alone.
void three_ways_out(World& world) {
  world.instance.make_network(1, dual);
  world.instance.make_network(2, [](CreateNetwork& request) {
    dual(request);
    request.routes = {must(parse_route("fd82::/64,blackhole"))};
  });
  world.instance.make_network(3, ipv6_alone);
  for (const int network : {1, 2, 3})
    connect(world, world.one, network,
            {fmt::format("700{}:70", network), fmt::format("700{}:70/udp", network)});
}

}  // namespace

std::vector<Scenario> ipv6_scenarios() {
  return {
      {"CreateADualStackNetwork", [](World&) {},
       [](World&, Engine& engine) {
         CreateNetwork request{.name = "net1", .subnets = {{.subnet = cidr("10.1.0.0/24")}}};
         dual(request);
         return status_of(engine.create_network(request));
       }},
      {"CreateARoutedNetworkOfIpv6Alone", [](World&) {},
       [](World&, Engine& engine) {
         CreateNetwork request{.name = "new"};
         ipv6_alone(request);
         request.options["com.docker.network.bridge.gateway_mode_ipv6"] = "routed";
         return status_of(engine.create_network(request));
       }},
      {"ConnectAndTakeBothDefaultRoutes", three_ways_out,
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "bridge",
                                          .target = world.one.target(),
                                          .options = {.gw_priority = 1},
                                          .ports = ports({"[::1]:7010:70", "7011:70"})}));
       }},
      {"ConnectToADualStackNetwork", [](World& world) { world.instance.make_network(1, dual); },
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "net1",
                                          .target = world.one.target(),
                                          .options = {.ip6 = ip("fd01::77")},
                                          .ports = ports({"7000:70", "[::1]:53:53/udp"})}));
       }},
      {"ConnectToANetworkOfIpv6Alone",
       [](World& world) { world.instance.make_network(3, ipv6_alone); },
       [](World& world, Engine& engine) {
         return status_of(engine.connect({.network = "net3",
                                          .target = world.one.target(),
                                          .ports = ports({"7000:70", "53:53/udp"})}));
       }},
      {"DisconnectAndMoveBothDefaultRoutes", three_ways_out,
       [](World& world, Engine& engine) {
         return engine.disconnect({.network = "net1", .target = world.one.target()});
       },
       true},
      {"RemoveADualStackNetworkInUse", three_ways_out,
       [](World&, Engine& engine) { return engine.remove_networks({{"net1"}, true})[0].status; },
       true},
      {"RemoveANetworkOfIpv6AloneInUse",
       [](World& world) {
         world.instance.make_network(3, ipv6_alone);
         connect(world, world.one, 3, {"7000:70"});
       },
       [](World&, Engine& engine) { return engine.remove_networks({{"net3"}, true})[0].status; },
       true},
  };
}

}  // namespace berth::testing
