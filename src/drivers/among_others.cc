#include "drivers/among_others.h"

#include <algorithm>

namespace berth::drivers {

plan::Plan configure_among_others(const Network& network, const Endpoint& endpoint,
                                  const plan::NsRef& sandbox, const Facts& facts) {
  auto plan = configure(network, endpoint, sandbox, facts);
  plan::Plan probes;
  for (const auto& asked : {endpoint.asked.ip4, endpoint.asked.ip6})
    if (asked) probes.push_back(plan::ProbeAddress{sandbox, endpoint.ifname, *asked});
  for (const auto& asked : endpoint.asked.addresses)
    probes.push_back(plan::ProbeAddress{sandbox, endpoint.ifname, asked.ip()});
  if (probes.empty()) return plan;
  probes.insert(probes.begin(), plan::SetLinkUp{sandbox, endpoint.ifname});
  const auto first_address = std::ranges::find_if(
      plan, [](const plan::Op& op) { return std::holds_alternative<plan::AddAddress>(op); });
  plan.insert(first_address, probes.begin(), probes.end());
  return plan;
}

}  // namespace berth::drivers
