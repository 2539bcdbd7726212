// A plan as JSON: for the journal, which another process must be able to read back, and for
// `berth plan --format json`. One object an operation: {"op": "add-veth", ...its fields}.
#pragma once

#include <string>
#include <string_view>

#include "berth/result.h"
#include "plan/op.h"

namespace berth::plan {

[[nodiscard]] std::string to_json(const Plan& plan);
/// kCorrupt where `text` is no plan or holds an operation that this berth does not know.
[[nodiscard]] Result<Plan> from_json(std::string_view text);

}  // namespace berth::plan
