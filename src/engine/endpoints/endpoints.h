// Endpoints: sandboxes connected to networks, and disconnected.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "berth/engine.h"
#include "engine/state/draft.h"
#include "engine/targets/targets.h"
#include "kernel/nft/element.h"
#include "plan/op.h"

namespace berth::engine {

struct Instance;

[[nodiscard]] Result<Endpoint> prepare(Instance& instance, Draft& draft, const Connect& request);
/// The same for a target that is known already, as a sandbox that is about to start.
[[nodiscard]] Result<Endpoint> prepare(Instance& instance, Draft& draft, const Connect& request,
                                       TargetSandbox target);
[[nodiscard]] Status prepare(Instance& instance, Draft& draft, const Disconnect& request);

[[nodiscard]] Result<Endpoint> connect_endpoint(Instance& instance, const Connect& request);

/// That of the sandbox's endpoints which is meant: the one on `network`, where that has an id, else
/// the one with `address`, else the only one.
[[nodiscard]] Result<Endpoint> which_endpoint(const Sandbox& sandbox,
                                              std::span<const Endpoint> endpoints,
                                              const Network& network,
                                              const std::optional<Ip>& address);

/// Adds the end of `endpoints` to the draft: routes and firewall first, links last, in one batch
/// each.
[[nodiscard]] Status plan_detach(Instance& instance, Draft& draft,
                                 const std::vector<Endpoint>& endpoints);

/// What the endpoint consists of: interface, addresses, routes, published ports.
[[nodiscard]] Result<plan::Plan> endpoint_plan(Instance& instance, const Network& network,
                                               const Sandbox& sandbox, const Endpoint& endpoint);
/// The comment of the endpoint's elements in the table: "<sandbox> <endpoint id> <instance>".
[[nodiscard]] std::string owner_comment(const Instance& instance, const Sandbox& sandbox,
                                        const Endpoint& endpoint);

/// The elements that a sandbox with these endpoints needs because clients of its ports may share a
/// link with it (shared_links.cc).
[[nodiscard]] std::set<nft::Element> shared_link_elements(const Instance& instance,
                                                          const Sandbox& sandbox,
                                                          const std::vector<Endpoint>& endpoints);
/// Notes that the sandbox gets or loses endpoints, addresses or published ports: once the draft is
/// complete, what changes of these elements is added to it.
void note_shared_links(Instance& instance, Draft& draft, const std::string& sandbox_id);

/// What is to be told to the neighbours of these endpoints, which are new: see announce().
[[nodiscard]] Result<std::vector<Announcement>> announcements_of(
    Instance& instance, std::span<const Endpoint> endpoints);

/// Gives an endpoint the lease that its DHCP client was told last: address and default route. An
/// endpoint without DHCP is left as it is. Under the lock.
[[nodiscard]] Result<Endpoint> take_lease(Instance& instance, const std::string& endpoint_id);
/// The same for all endpoints of living sandboxes: what changed, and what could not be taken.
[[nodiscard]] Result<std::vector<Repair>> take_leases(Instance& instance);

}  // namespace berth::engine
