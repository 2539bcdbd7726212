// A store that nobody else sees and that ends with its object: for planning where there is no
// instance yet. It keeps the contract of store.h as far as one process and one object go.
#include <map>

#include "base/result.h"
#include "store/store.h"

namespace berth::store {
namespace {

class MemoryStore final : public Store {
 public:
  Result<std::optional<std::string>> get(std::string_view key) override {
    const auto found = pairs_.find(key);
    if (found == pairs_.end()) return std::nullopt;
    return found->second;
  }

  Status scan(std::string_view prefix, std::string_view from, const Visit& visit) override {
    for (auto pair = pairs_.lower_bound(std::max(prefix, from));
         pair != pairs_.end() && pair->first.starts_with(prefix); ++pair)
      if (!visit(pair->first, pair->second)) break;
    return {};
  }

  Status commit(const WriteSet& writes, Durability) override {
    for (const auto& [key, value] : writes) {
      if (value)
        pairs_[key] = *value;
      else
        pairs_.erase(key);
    }
    return {};
  }

  // Nobody else writes, so every read is of one state.
  Result<std::unique_ptr<ReadTransaction>> read() override {
    return std::make_unique<ReadTransaction>();
  }

 private:
  std::map<std::string, std::string, std::less<>> pairs_;
};

}  // namespace

std::unique_ptr<Store> open_memory() {
  return std::make_unique<MemoryStore>();
}

}  // namespace berth::store
