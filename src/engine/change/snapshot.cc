// Reads that are of one moment, whatever other processes write meanwhile.

#include "engine/change/snapshot.h"

#include "base/result.h"
#include "engine/instance.h"

namespace berth::engine {

Result<std::shared_ptr<store::Store::ReadTransaction>> begin_reading(Instance& instance) {
  if (auto held = instance.snapshot.lock()) return held;
  std::shared_ptr<store::Store::ReadTransaction> begun = TRY(instance.store->read());
  instance.snapshot = begun;
  return begun;
}

Status may_change(const Instance& instance) {
  if (instance.elsewhere) return std::unexpected(*instance.elsewhere);
  if (instance.snapshot.expired()) return {};
  return fail(ErrorKind::kInUse,
              "the instance in {} cannot be changed by who holds a snapshot of it: let go of that "
              "first",
              instance.config.root);
}

}  // namespace berth::engine
