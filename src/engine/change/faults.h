// Where tests break in: fault injection and kills. Empty in production.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "plan/apply.h"

namespace berth::engine {

struct Faults {
  plan::BeforeOp before_op;  ///< before each operation of a plan; an error there fails it
  /// Between the steps of a commit: "journalled", "applied", "named", "recorded".
  std::function<void(std::string_view step)> at;
  std::function<std::string()> draw_id;  ///< an endpoint's id, in place of a random one
};

}  // namespace berth::engine
