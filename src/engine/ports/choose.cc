#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/result.h"
#include "engine/endpoints/default_route.h"
#include "engine/instance.h"
#include "engine/ports/ports.h"
#include "engine/ports/publish.h"
#include "engine/ports/roaming.h"
#include "engine/state/draft.h"
#include "kernel/netns/netns.h"
#include "sandbox/files.h"
#include "sandbox/names.h"
#include "sandbox/process.h"
#include "sandbox/resolv_conf.h"
#include "store/disk.h"

namespace berth::engine {

Result<std::vector<PortMapping>> choose_ports(Instance& instance, Draft& draft,
                                              const std::vector<std::string>& ids,
                                              const std::vector<PortSpec>& specs) {
  auto& state = draft.state;
  std::vector<Attached> endpoints;
  for (auto& endpoint : TRY(state.endpoints(ids))) {
    auto network = TRY(state.network_by_id(endpoint.network_id));
    endpoints.push_back({std::move(endpoint), std::move(network)});
  }
  std::ranges::sort(endpoints, {}, [](const Attached& each) {
    return rank_of(each.endpoint, each.network.link.metric);
  });
  const auto publish = [&](const Attached& by, const PortSpec& spec) -> Result<Published> {
    const bool translate = TRY(use_translator(instance, draft, by.network, by.endpoint, {spec}));
    return resolve_ports(state, by.network, {spec}, by.endpoint, translate);
  };
  const auto cannot = [](const Error& error) {
    return error.kind == ErrorKind::kInvalid || error.kind == ErrorKind::kUnsupported;
  };
  std::vector<std::vector<PortMapping>> asked(specs.size());
  std::vector<std::pair<PortMapping, std::string>> taken;  // by the endpoint with that id
  for (const auto i : order_of_choice(specs)) {
    std::optional<Error> refused;
    for (const auto& by : endpoints) {
      const auto published = publish(by, specs[i]);
      if (!published && !cannot(published.error())) return std::unexpected(published.error());
      if (!published) {
        if (!refused) refused = published.error();
        continue;
      }
      refused.reset();
      asked[i] = asked_ports({specs[i]}, by.network, *published);
      for (const auto* list : {&published->ports, &published->translated})
        for (const auto& port : *list) taken.emplace_back(port, by.endpoint.id);
      break;
    }
    if (refused) return std::unexpected(*std::move(refused));
  }
  for (const auto& [port, id] : taken) TRY(state.free_port(port, id));  // for settle_ports to take
  std::vector<PortMapping> all;
  for (const auto& each : asked) all.insert(all.end(), each.begin(), each.end());
  return all;
}

}  // namespace berth::engine
