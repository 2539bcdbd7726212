// Reads that are of one moment, whatever other processes write meanwhile.
#include "base/result.h"
#include "engine/impl.h"

namespace berth {

Result<std::shared_ptr<store::Store::ReadTransaction>> Engine::Impl::reading() {
  if (auto held = snapshot.lock()) return held;
  std::shared_ptr<store::Store::ReadTransaction> begun = TRY(store->read());
  snapshot = begun;
  return begun;
}

Status Engine::Impl::may_change() const {
  if (snapshot.expired()) return {};
  return fail(ErrorKind::kInUse,
              "the instance in {} cannot be changed by who holds a snapshot of it: let go of that "
              "first",
              config.root);
}

Result<Snapshot> Engine::snapshot() {
  TRY(impl_->collect_dead());
  return Snapshot(TRY(impl_->reading()));
}

Result<Snapshot> Engine::snapshot(const Target& target) {
  TRY(impl_->collect_stale(target));
  return Snapshot(TRY(impl_->reading()));
}

}  // namespace berth
