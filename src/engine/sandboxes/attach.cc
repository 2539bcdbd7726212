#include "engine/sandboxes/attach.h"

#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/result.h"
#include "engine/endpoints/endpoints.h"
#include "engine/instance.h"
#include "engine/ports/ports.h"
#include "engine/ports/roaming.h"
#include "engine/sandboxes/create.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/targets/targets.h"
#include "kernel/netns/netns.h"
#include "sandbox/files.h"
#include "sandbox/names.h"
#include "sandbox/process.h"
#include "sandbox/resolv_conf.h"
#include "store/disk.h"

namespace berth::engine {

Result<std::vector<Endpoint>> attach_all(Instance& instance, Draft& draft,
                                         const RunProcess& request, TargetSandbox target) {
  const auto networks = networks_of(request);
  TRY(check_networks(draft.state, networks));
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const Connect connect{networks[i].network, target.sandbox.name, networks[i].options,
                          networks.size() == 1 ? request.ports : std::vector<PortSpec>{}};
    ids.push_back(TRY(prepare(instance, draft, connect, target)).id);
    target.sandbox.endpoints = ids;
    target.loopback_down = false;
  }
  if (request.ports.empty()) return draft.state.endpoints(ids);

  auto& state = draft.state;
  auto& sandbox = target.sandbox;
  sandbox = TRY(state.sandbox(sandbox.id));
  if (networks.size() == 1) {
    const auto endpoint = TRY(state.endpoint(ids.front()));
    const auto network = TRY(state.network_by_id(endpoint.network_id));
    sandbox.ports = asked_ports(request.ports, network, {endpoint.ports, endpoint.translated});
    state.put(sandbox);
    return state.endpoints(ids);
  }
  // With several networks it is known only now which of them is the way out of which family.
  sandbox.ports = TRY(choose_ports(instance, draft, ids, request.ports));
  state.put(sandbox);
  TRY(reassign_ports(instance, draft, sandbox, IfTaken::kRefuse));
  return state.endpoints(ids);
}

}  // namespace berth::engine
