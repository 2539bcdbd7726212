// Which instance of berth a network namespace belongs to: one at a time.
//
// Theory of operation: berth's table has the element `root` in its set `instance`, whose comment is
// the --root and the tag of the instance that has networks in the table. It comes with the first of
// them and goes with the last one. An instance looks for it when it is about to make a network's
// bridge, never when it only attaches to one: then it has the namespace already.
#pragma once

#include <optional>
#include <string>

#include "berth/result.h"
#include "kernel/nft/element.h"
#include "plan/op.h"

namespace berth::engine {

struct Instance;

struct Claim {
  std::string root;      ///< the instance's --root; of a long one the end, after "..."
  std::string instance;  ///< its tag, meta/instance in its store
  bool operator==(const Claim&) const = default;
};

/// What `instance` claims a namespace with.
[[nodiscard]] Claim own_claim(const Instance& instance);
[[nodiscard]] nft::Element claim_element(const Claim& claim);

/// Whose the instance's network namespace is; none: nobody's, or a plan is made by who may not look.
[[nodiscard]] Result<std::optional<Claim>> read_claim(Instance& instance);

/// What claims the network namespace for the instance, if that is to be done; an error if another
/// instance has it.
[[nodiscard]] Result<plan::Plan> claim_namespace(Instance& instance);

}  // namespace berth::engine
