// Addresses by DHCP: what an endpoint's client was told, in the sandbox and in the store.
//
// A connect makes the interface and starts the client, which waits for its first lease (src/dhcp),
// as one change; a second one gives the endpoint what the lease says. Whatever the server says
// later comes by record_dhcp_event(), from a process that the client starts.

#include "engine/endpoints/dhcp.h"

#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/result.h"
#include "dhcp/client.h"
#include "drivers/driver.h"
#include "engine/access.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/endpoints/default_route_moves.h"
#include "engine/endpoints/endpoints.h"
#include "engine/instance.h"
#include "engine/ports/ports.h"
#include "engine/sandboxes/files.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "engine/targets/targets.h"
#include "kernel/netns/netns.h"

namespace berth::engine {

Status check_dhcp(const Network& network, const CreateNetwork& request) {
  if (network.ipam != Ipam::kDhcp) return {};
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorKind::kInvalid, "network {}: ipam driver dhcp: {}", network.name, why);
  };
  const bool on_segment = network.driver == Driver::kMacvlan ||
                          (network.driver == Driver::kBridge && !network.bridge.managed);
  if (!on_segment)
    return refuse(
        "only containers on a segment of others are reached by its server: give macvlan, "
        "or an unmanaged bridge");
  if (!request.subnets.empty()) return refuse("the server has the subnets: give none");
  if (!request.routes.empty()) return refuse("the server has the routes: give none");
  if (network.ipv6 || !network.ipv4) return refuse("it is for IPv4 alone");
  return dhcp::check_client();
}

std::string dhcp_directory(const Instance& instance, const Endpoint& endpoint) {
  return instance.run_path("dhcp/" + endpoint.id);
}

plan::StartDhcp dhcp_client(const Instance& instance, const Sandbox& sandbox,
                            const Endpoint& endpoint) {
  return {{sandbox.netns_path, sandbox.netns_inode},
          endpoint.ifname,
          dhcp_directory(instance, endpoint),
          sandbox.hostname,
          instance.config.program,
          {"BERTH_ROOT=" + instance.config.root, "BERTH_RUN=" + instance.config.run}};
}

Result<Endpoint> take_lease(Instance& instance, const std::string& endpoint_id) {
  Draft draft(*instance.store);
  auto& state = draft.state;
  const auto before = TRY(state.endpoint(endpoint_id));
  const auto network = TRY(state.network_by_id(before.network_id));
  if (!is_by_dhcp(network, before)) return before;
  const auto lease = TRY(dhcp::lease_in(dhcp_directory(instance, before)));
  // A client that has died says nothing, and one that is started anew and finds no server leaves
  // nothing: the lease may be good still.
  if (!lease && !dhcp::is_deconfigured(dhcp_directory(instance, before))) return before;
  auto after = before;
  const bool way_out = !network.internal && network.link.default_route;
  after.address4 = lease ? std::optional(lease->address) : std::nullopt;
  after.gateway4 = lease && way_out ? lease->router : std::nullopt;
  if (after.address4 == before.address4 && after.gateway4 == before.gateway4) return before;

  if (after.gateway4 && !after.address4->contains(*after.gateway4))
    return fail(
        ErrorKind::kUnsupported,
        "DHCP on network {}: the server gives {} and the router {}, which is outside of that "
        "subnet: a router on the network itself is needed",
        network.name, after.address4->str(), after.gateway4->str());

  const auto target = TRY(find_target(instance, draft, before.sandbox_id));
  auto leaving = before;
  leaving.default6 = false;
  if (!after.gateway4) TRY(hand_on_default_routes(draft, target.sandbox, leaving, {before}));
  if (before.default4 && draft.plan.empty())  // there is nobody to hand it on to
    if (const auto old = drivers::default_route(network, before, target.ns, Ip::Family::kV4))
      draft.plan.push_back(plan::DeleteRoute{old->ns, old->destination, old->gateway, old->link,
                                             old->kind, old->metric});
  if (before.address4 && before.address4 != after.address4)
    draft.plan.push_back(plan::DeleteAddress{target.ns, before.ifname, *before.address4});
  if (after.address4 && before.address4 != after.address4)
    draft.plan.push_back(plan::AddAddress{target.ns, after.ifname, *after.address4});
  auto endpoints = TRY(state.endpoints(target.sandbox.endpoints));
  std::erase_if(endpoints, [&](const Endpoint& each) { return each.id == before.id; });
  endpoints.push_back(after);
  TRY(state.erase(before));  // and its address
  plan::append(draft.plan, TRY(choose_default_routes(instance, draft, target, endpoints)));
  after = endpoints.back();
  if (after.default4)
    if (const auto route = drivers::default_route(network, after, target.ns, Ip::Family::kV4))
      draft.plan.push_back(*route);
  state.put(after);
  TRY(reassign_ports(instance, draft, target.sandbox, IfTaken::kWait));
  TRY(note_move(instance, draft, target.sandbox, after));
  note_shared_links(instance, draft, target.sandbox.id);
  draft.verb = fmt::format("DHCP lease of {} on {}", target.sandbox.name, network.name);
  TRY(commit(instance, draft));
  return after;
}

Result<std::vector<Repair>> take_leases(Instance& instance) {
  std::vector<Repair> repairs;
  View look(*instance.store);
  for (const auto& sandbox : TRY(look.state.sandboxes())) {
    if (!alive(sandbox)) continue;
    for (const auto& before : TRY(look.state.endpoints(sandbox.endpoints))) {
      const auto after = take_lease(instance, before.id);
      if (after && after->address4 == before.address4 && after->gateway4 == before.gateway4)
        continue;
      repairs.push_back(
          {fmt::format("{} on {}: takes its DHCP lease", sandbox.name, before.network_name),
           after ? Status{} : std::unexpected(after.error())});
    }
  }
  return repairs;
}

}  // namespace berth::engine

namespace berth {

Status record_dhcp_event(const Config& config, std::string_view event) {
  const auto* directory = std::getenv(dhcp::kDirectoryVariable);
  if (directory == nullptr)
    return fail(ErrorKind::kInvalid, "dhcp-event is for a DHCP client that berth has started");
  TRY(dhcp::note(directory, event));
  if (dhcp::is_attended(directory)) return {};
  const auto host = TRY(kernel::Netns::open(fmt::format("/proc/self/fd/{}", dhcp::kHostNetnsFd)));
  return kernel::run_in(host, [&]() -> Status {
    auto engine = TRY(Engine::open(config));
    auto& instance = EngineAccess::instance(engine);
    // Who stops the client holds the lock, and waits for the client, which waits for this process.
    const auto is_locked = [&] {
      const auto tried = engine::take_lock(instance, LOCK_NB);
      return !tried && tried.error().kind == ErrorKind::kInUse;
    };
    while (is_locked()) {
      if (dhcp::is_attended(directory)) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    const auto held = TRY(engine::lock_instance(instance));
    const std::string path(directory);
    auto taken = engine::take_lease(instance, path.substr(path.rfind('/') + 1));
    if (!taken && taken.error().kind != ErrorKind::kNotFound)
      return std::unexpected(std::move(taken).error());
    return {};  // not found: the endpoint is leaving
  });
}

}  // namespace berth
