// Addresses by DHCP: what an endpoint's client was told, in the sandbox and in the store.
//
// A connect makes the interface and starts the client, which waits for its first lease (src/dhcp),
// as one change; a second one gives the endpoint what the lease says. Whatever the server says
// later comes by record_dhcp_event(), from a process that the client starts.

#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/result.h"
#include "dhcp/client.h"
#include "drivers/driver.h"
#include "engine/impl.h"
#include "kernel/netns/netns.h"

namespace berth {

using engine::Change;

Status Engine::Impl::check_dhcp(const Network& network, const CreateNetwork& request) {
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

std::string Engine::Impl::dhcp_directory(const Endpoint& endpoint) const {
  return run_path("dhcp/" + endpoint.id);
}

plan::StartDhcp Engine::Impl::dhcp_client(const Sandbox& sandbox, const Endpoint& endpoint) const {
  return {{sandbox.netns_path, sandbox.netns_inode},
          endpoint.ifname,
          dhcp_directory(endpoint),
          sandbox.hostname,
          config.program,
          {"BERTH_ROOT=" + config.root, "BERTH_RUN=" + config.run}};
}

Result<Endpoint> Engine::Impl::take_lease(const std::string& endpoint_id) {
  Change change(*store);
  auto& state = change.state;
  const auto before = TRY(state.endpoint(endpoint_id));
  const auto network = TRY(state.network_by_id(before.network_id));
  if (!engine::is_by_dhcp(network, before)) return before;
  const auto lease = TRY(dhcp::lease_in(dhcp_directory(before)));
  // A client that has died says nothing, and one that is started anew and finds no server leaves
  // nothing: the lease may be good still.
  if (!lease && !dhcp::is_deconfigured(dhcp_directory(before))) return before;
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

  const auto target = TRY(this->target(change, before.sandbox_id));
  auto leaving = before;
  leaving.default6 = false;
  if (!after.gateway4) TRY(hand_on_default_routes(change, target.sandbox, leaving, {before}));
  if (before.default4 && change.plan.empty())  // there is nobody to hand it on to
    if (const auto old = drivers::default_route(network, before, target.ns, Ip::Family::kV4))
      change.plan.push_back(plan::DeleteRoute{old->ns, old->destination, old->gateway, old->link,
                                              old->kind, old->metric});
  if (before.address4 && before.address4 != after.address4)
    change.plan.push_back(plan::DeleteAddress{target.ns, before.ifname, *before.address4});
  if (after.address4 && before.address4 != after.address4)
    change.plan.push_back(plan::AddAddress{target.ns, after.ifname, *after.address4});
  auto endpoints = TRY(state.endpoints(target.sandbox.endpoints));
  std::erase_if(endpoints, [&](const Endpoint& each) { return each.id == before.id; });
  endpoints.push_back(after);
  TRY(state.erase(before));  // and its address
  plan::append(change.plan, TRY(choose_default_routes(change, target, endpoints)));
  after = endpoints.back();
  if (after.default4)
    if (const auto route = drivers::default_route(network, after, target.ns, Ip::Family::kV4))
      change.plan.push_back(*route);
  state.put(after);
  TRY(settle_ports(change, target.sandbox, IfTaken::kWait));
  TRY(note_move(change, target.sandbox, after));
  change.verb = fmt::format("DHCP lease of {} on {}", target.sandbox.name, network.name);
  TRY(commit(change));
  return after;
}

Result<std::vector<Repair>> Engine::Impl::take_leases() {
  std::vector<Repair> repairs;
  Change look(*store);
  for (const auto& sandbox : TRY(look.state.sandboxes())) {
    if (!alive(sandbox)) continue;
    for (const auto& before : TRY(look.state.endpoints(sandbox.endpoints))) {
      const auto after = take_lease(before.id);
      if (after && after->address4 == before.address4 && after->gateway4 == before.gateway4)
        continue;
      repairs.push_back(
          {fmt::format("{} on {}: takes its DHCP lease", sandbox.name, before.network_name),
           after ? Status{} : std::unexpected(after.error())});
    }
  }
  return repairs;
}

Status record_dhcp_event(const Config& config, std::string_view event) {
  const auto* directory = std::getenv(dhcp::kDirectoryVariable);
  if (directory == nullptr)
    return fail(ErrorKind::kInvalid, "dhcp-event is for a DHCP client that berth has started");
  TRY(dhcp::note(directory, event));
  if (dhcp::is_attended(directory)) return {};
  const auto host = TRY(kernel::Netns::open(fmt::format("/proc/self/fd/{}", dhcp::kHostNetnsFd)));
  return kernel::run_in(host, [&]() -> Status {
    auto engine = TRY(Engine::open(config));
    auto& impl = EngineAccess::impl(engine);
    // Who stops the client holds the lock, and waits for the client, which waits for this process.
    const auto is_locked = [&] {
      const auto tried = impl.lock_only(LOCK_NB);
      return !tried && tried.error().kind == ErrorKind::kInUse;
    };
    while (is_locked()) {
      if (dhcp::is_attended(directory)) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    const auto held = TRY(impl.lock());
    const std::string path(directory);
    auto taken = impl.take_lease(path.substr(path.rfind('/') + 1));
    if (!taken && taken.error().kind != ErrorKind::kNotFound)
      return std::unexpected(std::move(taken).error());
    return {};  // not found: the endpoint is leaving
  });
}

}  // namespace berth
