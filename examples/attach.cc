// Using berth as a library: make a network, attach a namespace, publish a port, look at the plan,
// and take everything back.
//
//   ip netns add blue
//   attach /run/netns/blue          (as root; --root and --run of its own under a temporary
//   directory)

#include <cstdio>
#include <cstdlib>
#include <string>

#include "berth/engine.h"

namespace {

// Every berth call returns a Result: a value, or one sentence about why there is none.
template <typename T>
T must(berth::Result<T> result) {
  if (result) return *std::move(result);
  std::fprintf(stderr, "attach: %s\n", result.error().message.c_str());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: attach NETNS-FILE\n");
    return 2;
  }
  char directory[] = "/tmp/berth-example-XXXXXX";
  if (mkdtemp(directory) == nullptr) return 1;
  const std::string base = directory;
  auto engine = must(berth::Engine::open({.root = base + "/root", .run = base + "/run"}));

  const berth::CreateNetwork create{.name = "web"};
  for (const auto& command : must(engine.plan(create)).commands)
    std::printf("%s\n", command.c_str());

  const auto network = must(engine.create_network(create));
  std::printf("network %s has subnet %s\n", network.name.c_str(),
              network.subnets.front().cidr.str().c_str());

  berth::Connect connect{.network = "web", .target = std::string("netns:") + argv[1]};
  connect.ports.push_back(must(berth::parse_port_spec("8080:80")));
  auto endpoint = must(engine.connect(connect));
  std::printf("%s is %s, port %u of the host leads to its port %u\n", argv[1],
              endpoint.address4->ip().str().c_str(), endpoint.ports[0].host_port,
              endpoint.ports[0].container_port);

  endpoint = must(engine.publish({.network = "web",
                                  .target = connect.target,
                                  .ports = {must(berth::parse_port_spec("53/udp"))}}));
  std::printf("and a free port, %u, to its port 53\n", endpoint.ports[1].host_port);

  for (const auto& error : engine.reset()) {
    std::fprintf(stderr, "attach: %s\n", error.message.c_str());
    return 1;
  }
  std::remove(directory);
  return 0;
}
