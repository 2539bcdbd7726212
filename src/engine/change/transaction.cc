#include "engine/change/transaction.h"

#include <algorithm>

namespace berth::engine {

Result<std::optional<std::string>> Transaction::get(std::string_view key) {
  if (const auto own = writes_.find(key); own != writes_.end()) return own->second;
  return store_.get(key);
}

// Merges two ordered sequences: the store's keys and this transaction's own, which win.
Status Transaction::scan(std::string_view prefix, std::string_view from,
                         const store::Store::Visit& visit) {
  auto own = writes_.lower_bound(std::max(prefix, from));
  const auto own_ends = [&] { return own == writes_.end() || !own->first.starts_with(prefix); };
  bool go_on = true;

  auto stored = store_.scan(prefix, from, [&](std::string_view key, std::string_view value) {
    for (; go_on && !own_ends() && own->first < key; ++own)
      if (own->second) go_on = visit(own->first, *own->second);
    if (!go_on) return false;
    if (!own_ends() && own->first == key) {
      if (own->second) go_on = visit(own->first, *own->second);
      ++own;
    } else {
      go_on = visit(key, value);
    }
    return go_on;
  });
  if (!stored) return stored;
  for (; go_on && !own_ends(); ++own)
    if (own->second) go_on = visit(own->first, *own->second);
  return {};
}

store::WriteSet Transaction::writes() const {
  store::WriteSet writes;
  writes.reserve(writes_.size());
  for (const auto& [key, value] : writes_) writes.push_back({key, value});
  return writes;
}

store::WriteSet Transaction::take_writes() {
  store::WriteSet writes;
  writes.reserve(writes_.size() + 1);
  while (!writes_.empty()) {
    auto node = writes_.extract(writes_.begin());
    writes.push_back({std::move(node.key()), std::move(node.mapped())});
  }
  return writes;
}

}  // namespace berth::engine
