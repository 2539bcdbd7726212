// Fuzzes --route: what is accepted is a network with one way to it, and reads as what it was. See
// cidr_fuzz.cc for how to build and run.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "berth/network.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto route = berth::parse_route({reinterpret_cast<const char*>(data), size});
  if (!route) return route.error().message.empty() ? (std::abort(), 0) : 0;
  const bool has_way = route->gateway.has_value() != !route->via.empty();
  if (has_way != (route->kind == berth::RouteKind::kUnicast)) std::abort();
  if (!route->destination.is_network()) std::abort();
  if (route->gateway && route->gateway->family() != route->destination.ip().family()) std::abort();
  return berth::describe(*route).empty() ? (std::abort(), 0) : 0;
}
