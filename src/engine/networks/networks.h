// Networks: created, updated and removed, and their kernel objects made where they are missing.
//
// A network is a record first. Its kernel objects (a bridge, a parent's VLAN, elements of the
// table) are made when it is created or, for the predefined one, first used: it is "realised" then.
#pragma once

#include <cerrno>
#include <vector>

#include "berth/engine.h"
#include "drivers/interface.h"
#include "engine/instance.h"
#include "engine/state/draft.h"
#include "kernel/nft/element.h"
#include "plan/op.h"

namespace berth::engine {

[[nodiscard]] Result<Network> prepare(Instance& instance, Draft& draft,
                                      const CreateNetwork& request);
[[nodiscard]] Result<Network> prepare(Instance& instance, Draft& draft,
                                      const UpdateNetwork& request);
[[nodiscard]] Status prepare(Instance& instance, Draft& draft, const RemoveNetworks& request);

[[nodiscard]] Result<Network> create_network(Instance& instance, const CreateNetwork& request);
[[nodiscard]] std::vector<Outcome> remove_networks(Instance& instance,
                                                   const RemoveNetworks& request);

/// Docker's three, made with the store itself.
[[nodiscard]] Status add_predefined_networks(Instance& instance);
/// For the network `bridge`, if the pools had no free subnet when the store was made.
[[nodiscard]] Status choose_subnet(Instance& instance, Draft& draft, Network& network);

/// Networks that a user made and nothing is connected to, without templates.
[[nodiscard]] Result<std::vector<Network>> list_unused_networks(Instance& instance);
[[nodiscard]] Result<std::vector<SubnetUse>> network_subnet_use(Instance& instance,
                                                                const Network& network);

/// Adds the end of `networks` and of all endpoints on them to the draft.
[[nodiscard]] Status plan_removal(Instance& instance, Draft& draft,
                                  const std::vector<Network>& networks);

/// Adds the end of the kernel objects of `networks`, which have no endpoints any more, to the draft.
[[nodiscard]] Status plan_unmaking(Instance& instance, Draft& draft,
                                   const std::vector<Network>& networks);
/// Adds what makes the network's kernel objects to the draft, unless they are there.
[[nodiscard]] Result<Realised> realise(Instance& instance, Draft& draft, const Network& network);
/// Refuses a network whose parent or existing bridge is gone or has another name.
[[nodiscard]] Status check_ground(Instance& instance, const Network& network);
/// Makes the missing parts of a network's kernel objects, as after `nft flush ruleset`.
[[nodiscard]] Status heal(Instance& instance, const Network& network);

/// The operations that the network's kernel objects consist of. `mtu`: bytes.
[[nodiscard]] Result<plan::Plan> network_plan(Instance& instance, const Network& network,
                                              std::uint32_t mtu);
/// The network's elements of the firewall's table.
[[nodiscard]] std::vector<nft::Element> network_elements(Instance& instance,
                                                         const Network& network);
[[nodiscard]] Result<bool> table_intact(Instance& instance);

/// What drivers must know of the host. Whether br_netfilter is on is read only where it matters.
[[nodiscard]] Result<drivers::Facts> host_facts(bool needs_bridge_netfilter);
/// The same and, where there is a VLAN, what must be known of the network's bridge.
[[nodiscard]] Result<drivers::Facts> bridge_facts(Instance& instance, const Network& network,
                                                  bool needs_bridge_netfilter, std::uint16_t vlan);

/// body(), under the lock, and once more if it failed because a kernel object of one of `networks`
/// is gone or down and could be made again.
template <typename Body>
auto with_healed(Instance& instance, const std::vector<std::string>& networks, Body body)
    -> decltype(body()) {
  auto done = body();
  if (done || done.error().sys == 0) return done;
  if (done.error().kind != ErrorKind::kNotFound && done.error().sys != ENETDOWN) return done;
  for (const auto& reference : networks) {
    View look(*instance.store);
    const auto network = look.state.network(reference);
    if (!network || !heal(instance, *network)) return done;
  }
  return networks.empty() ? done : body();
}

}  // namespace berth::engine
