// What the instance consists of: `system info` and `system df`.
#pragma once

#include "berth/engine.h"

namespace berth::engine {

struct Instance;

[[nodiscard]] Result<Info> instance_info(Instance& instance);
[[nodiscard]] Result<DiskUse> disk_use(Instance& instance);

}  // namespace berth::engine
