// A program of a user's own: opens an instance and lists its networks.
#include <berth/engine.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string base = argv[1];
  auto engine = berth::Engine::open({.root = base + "/root", .run = base + "/run"});
  if (!engine) return std::fprintf(stderr, "%s\n", engine.error().message.c_str()), 1;
  const auto networks = engine->networks();
  if (!networks) return std::fprintf(stderr, "%s\n", networks.error().message.c_str()), 1;
  for (const auto& network : *networks) std::puts(network.name.c_str());
}
