// Making a change happen as a whole. See change.h for the order of steps.
#pragma once

#include "berth/result.h"
#include "engine/change/change.h"

namespace berth::engine {

struct Instance;

/// Journals, applies and records `change`, under the instance lock. After an error kernel and store
/// are as before, unless `change.recorded`. Then tells the change's events.
[[nodiscard]] Status commit(Instance& instance, Change& change);

/// For Change::after_rollback: makes what of `wanted` is missing in the kernel, as far as it allows.
void make_again(plan::Kernel& kernel, const Result<plan::Plan>& wanted);

}  // namespace berth::engine
