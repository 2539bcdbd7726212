#include <charconv>

#include "base/result.h"
#include "berth/network.h"
#include "model/names.h"

namespace berth {
namespace {

constexpr std::string_view kForm =
    "DEST,GATEWAY[,METRIC], DEST,via=SANDBOX[,METRIC] or "
    "DEST,blackhole|unreachable|prohibit[,METRIC]";
constexpr std::string_view kVia = "via=";

}  // namespace

Result<Route> parse_route(std::string_view text) {
  const auto bad = [&](std::string_view what) {
    return fail(ErrorKind::kInvalid, "route '{}': {}; the form is {}", text, what, kForm);
  };
  const auto first = text.find(',');
  if (first == text.npos) return bad("it says nothing but the destination");
  const auto rest = text.substr(first + 1);
  const auto second = rest.find(',');
  const auto way = rest.substr(0, second);

  Route route;
  const auto destination = Cidr::parse(text.substr(0, first));
  if (!destination) return bad("the destination is no network");
  route.destination = *destination;
  if (!route.destination.is_network())
    return fail(ErrorKind::kInvalid, "route '{}': {} is an address in the network {}: give that",
                text, route.destination.str(), route.destination.network().str());

  const auto kind = model::by_name<RouteKind>(way);
  const auto gateway = Ip::parse(way);
  if (kind && *kind != RouteKind::kUnicast) {
    route.kind = *kind;
  } else if (way.starts_with(kVia) && way.size() > kVia.size()) {
    route.via = way.substr(kVia.size());
  } else if (gateway) {
    if (gateway->family() != destination->ip().family())
      return bad("destination and gateway are of two address families");
    route.gateway = *gateway;
  } else {
    return bad(fmt::format("'{}' is neither a gateway nor a kind of route", way));
  }
  if (second == rest.npos) return route;

  const auto metric = rest.substr(second + 1);
  const auto [end, error] = std::from_chars(metric.begin(), metric.end(), route.metric);
  if (error != std::errc{} || end != metric.end() || route.metric == 0)
    return bad(fmt::format("the metric '{}' is not a number from 1 to 4294967295", metric));
  return route;
}

std::string describe(const Route& route) {
  auto text = route.destination.str();
  if (!route.via.empty())
    text += " via " + route.via;
  else if (route.gateway)
    text += " via " + route.gateway->str();
  else
    text += fmt::format(" {}", name(route.kind));
  if (route.metric != 0) text += fmt::format(" metric {}", route.metric);
  return text;
}

}  // namespace berth
