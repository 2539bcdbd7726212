#include "drivers/driver.h"

#include "drivers/bridge/bridge.h"
#include "drivers/ipvlan/ipvlan.h"
#include "drivers/macvlan/macvlan.h"
#include "drivers/parent.h"

namespace berth::drivers {

std::vector<Cidr> host_addresses(const Network& network) {
  if (network.driver == Driver::kBridge) return bridge::host_addresses(network);
  return network.parent.host_addresses;
}

plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts) {
  switch (network.driver) {
    case Driver::kBridge:
      return bridge::create(network, mtu, facts);
    case Driver::kMacvlan:
      return macvlan::create(network, mtu, facts);
    case Driver::kIpvlan:
      return ipvlan::create(network, mtu, facts);
    case Driver::kHost:
    case Driver::kNone:
      break;
  }
  return {};
}

plan::Plan remove(const Network& network) {
  auto plan = plan::inverse(create(network, 0, {}));
  std::erase_if(plan,
                [](const plan::Op& op) { return !std::holds_alternative<plan::DeleteLink>(op); });
  return plan;
}

plan::Plan attach(const Network& network, const Endpoint& endpoint, const plan::NsRef& sandbox,
                  const Facts& facts) {
  switch (network.driver) {
    case Driver::kBridge:
      return bridge::attach(network, endpoint, sandbox, facts);
    case Driver::kMacvlan:
      return macvlan::attach(network, endpoint, sandbox, facts);
    case Driver::kIpvlan:
      return ipvlan::attach(network, endpoint, sandbox, facts);
    case Driver::kHost:
    case Driver::kNone:
      break;
  }
  return {};
}

plan::Plan modes_off(const Network& network, const Endpoint& endpoint, const Facts& facts) {
  if (network.driver == Driver::kBridge) return bridge::modes_off(network, endpoint, facts);
  return {};
}

// By the endpoint and not by the driver: of a damaged record nobody knows which one that was.
plan::Plan detach(const Network& network, const Endpoint& endpoint, const plan::NsRef& sandbox) {
  return endpoint.host_ifname.empty() ? detach_from_parent(network, endpoint, sandbox)
                                      : bridge::detach(endpoint, sandbox);
}

}  // namespace berth::drivers
