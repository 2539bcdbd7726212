#include "drivers/driver.h"

#include "drivers/bridge/bridge.h"

namespace berth::drivers {

plan::Plan create(const Network& network, std::uint32_t mtu, const Facts& facts) {
  if (network.driver == Driver::kBridge) return bridge::create(network, mtu, facts);
  return {};
}

plan::Plan remove(const Network& network) {
  if (network.driver == Driver::kBridge) return bridge::remove(network);
  return {};
}

plan::Plan attach(const Network& network, const Endpoint& endpoint, const plan::NsRef& sandbox,
                  const Facts& facts) {
  if (network.driver == Driver::kBridge) return bridge::attach(network, endpoint, sandbox, facts);
  return {};
}

plan::Plan modes_off(const Network& network, const Endpoint& endpoint, const Facts& facts) {
  if (network.driver == Driver::kBridge) return bridge::modes_off(network, endpoint, facts);
  return {};
}

plan::Plan detach(const Network& network, const Endpoint& endpoint, const plan::NsRef&) {
  if (network.driver == Driver::kBridge) return bridge::detach(endpoint);
  return {};
}

}  // namespace berth::drivers
