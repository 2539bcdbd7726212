// Reads that belong together see one state of the store, whatever other processes write meanwhile.
#pragma once

#include <memory>

#include "berth/result.h"
#include "store/store.h"

namespace berth::engine {

struct Instance;

/// Keeps all reads of the store on one state while the result lives. Where reads are kept on one
/// state already, on that one.
[[nodiscard]] Result<std::shared_ptr<store::Store::ReadTransaction>> begin_reading(
    Instance& instance);

/// Refuses changes while reads are kept on one state: what they show may be out of date.
[[nodiscard]] Status may_change(const Instance& instance);

}  // namespace berth::engine
