#include "engine/default_route.h"

namespace berth::engine {
namespace {

bool is_way_out(const Endpoint& endpoint, Ip::Family family) {
  const bool v4 = family == Ip::Family::kV4;
  if (v4 ? endpoint.gateway4 : endpoint.gateway6) return true;
  return endpoint.on_link && (v4 ? endpoint.address4 : endpoint.address6);
}

}  // namespace

Rank rank_of(const Endpoint& endpoint, std::uint32_t metric) {
  constexpr std::uint32_t kUnset = 100;  // netavark's, for a network that names none
  return {-std::int64_t{endpoint.asked.gw_priority}, metric == 0 ? kUnset : metric,
          endpoint.network_name};
}

std::optional<std::size_t> default_route_by(std::span<const Endpoint> endpoints,
                                            std::span<const std::uint32_t> metrics,
                                            Ip::Family family) {
  const auto rank = [&](std::size_t i) { return rank_of(endpoints[i], metrics[i]); };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < endpoints.size(); ++i)
    if (is_way_out(endpoints[i], family) && (!best || rank(i) < rank(*best))) best = i;
  return best;
}

bool has_default(const Endpoint& endpoint, Ip::Family family) {
  return family == Ip::Family::kV4 ? endpoint.default4 : endpoint.default6;
}

void set_default(Endpoint& endpoint, Ip::Family family, bool on) {
  (family == Ip::Family::kV4 ? endpoint.default4 : endpoint.default6) = on;
}

}  // namespace berth::engine
