// What is berth's in a network namespace, found without a store: for a reset, above all of an
// instance whose store is lost.
//
// Theory of operation: the table says which bridges are berth's, and every element in it that has a
// comment is. What has nothing in the table is known by its name, which is made of an id: the
// devices of macvlan and ipvlan networks, and in --run the files of namespaces and DHCP clients. A
// bridge that the table does not tell of (`nft flush ruleset`) is not known: others name theirs the
// same way. A host's VLAN device that was made for a network is not known either, and what forwarding
// was before is lost with the store.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "plan/apply.h"
#include "plan/op.h"

namespace berth::engine {

/// Removes what the table tells of: elements, bridges and the veths on them, and itself; and the
/// translator.
[[nodiscard]] Result<plan::Plan> removal_by_table(plan::Kernel& kernel);

/// Removes what the names tell of, but for the ids that `is_known` is true for: 12 hex digits of a
/// network's or a sandbox's, all of an endpoint's.
[[nodiscard]] Result<plan::Plan> removal_by_name(
    plan::Kernel& kernel, const std::string& run,
    const std::function<bool(std::string_view id)>& is_known);

}  // namespace berth::engine
