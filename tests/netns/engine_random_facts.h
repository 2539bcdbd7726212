// What can be known of a host as a set of short sentences: what should be true according to the
// model, what the kernel has, and what the engine says of its store. The three are made from
// different things and compared as text.
//
// A fact begins with where it is true: "host", the name of a sandbox, "table", "store".
#pragma once

#include <map>
#include <set>
#include <string>

#include "engine_fixture.h"
#include "engine_random_model.h"
#include "kernel/netlink/route.h"

namespace berth::testing::random {

using Facts = std::set<std::string>;

/// The host that everything happens on: an administrator's bridge br7 with 10.7.0.254/24; lan0,
/// which is on a segment with one other machine and has fd70::10/64; and three foreign namespaces.
struct Place {
  Place();
  /// How requests name the box: foreign ones by their file.
  [[nodiscard]] Target target(const std::string& box) const;

  struct Host {
    Host() { become_new_host(); }
  };
  Host host;  // first: the instance belongs to it
  Instance instance;
  TargetNs machine;
  std::map<std::string, TargetNs> foreign;
};

[[nodiscard]] Facts facts_of(const Model& model);
[[nodiscard]] Facts facts_in_kernel(Place& place);
[[nodiscard]] Facts facts_in_store(Place& place);

// How they are worded, whoever says them.
[[nodiscard]] std::string address_fact(const std::string& where, const std::string& link,
                                       const Cidr& address);
[[nodiscard]] std::string route_fact(const std::string& where, const kernel::Route& route,
                                     const std::string& link);
[[nodiscard]] std::string link_fact(const std::string& where, const std::string& address);
[[nodiscard]] std::string endpoint_fact(const std::string& network, const std::string& box,
                                        const std::string& ifname, const std::optional<Ip>& ip4,
                                        const std::optional<Ip>& ip6, bool default4, bool default6,
                                        const std::set<PortMapping>& ports,
                                        const std::set<PortMapping>& translated);

/// Expects the three to be the same; and what expect_agreement does.
void expect_true(const Model& model, Place& place);

}  // namespace berth::testing::random
