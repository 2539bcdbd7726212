// Links that a forced removal could not delete: remembered, and deleted later.
#pragma once

#include "berth/result.h"
#include "engine/change/transaction.h"
#include "plan/op.h"
#include "store/store.h"

namespace berth::engine {

struct Instance;

/// Adds to `writes` the links of the host that `plan` was to delete and that are there still.
void remember_orphan_links(Instance& instance, const plan::Plan& plan, store::WriteSet& writes);

/// Deletes those that are there still and are the same ones; `transaction` forgets them all.
[[nodiscard]] Result<plan::Plan> orphan_links(Instance& instance, Transaction& transaction);

}  // namespace berth::engine
