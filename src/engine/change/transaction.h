// What one request reads and is about to write: the store with this request's own writes on top.
//
// Nothing reaches the store before the engine commits writes(): a plan that is only looked at, or a
// request that fails, leaves no trace. Belongs to the request that made it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "berth/result.h"
#include "store/store.h"

namespace berth::engine {

class Transaction {
 public:
  explicit Transaction(store::Store& store) : store_(store) {}

  Result<std::optional<std::string>> get(std::string_view key);
  /// In byte order, keys with `prefix` that are not less than `from`, until visit returns false.
  Status scan(std::string_view prefix, std::string_view from, const store::Store::Visit& visit);
  Status scan(std::string_view prefix, const store::Store::Visit& visit) {
    return scan(prefix, prefix, visit);
  }

  void put(std::string key, std::string value) { writes_[std::move(key)] = std::move(value); }
  void erase(std::string key) { writes_[std::move(key)] = std::nullopt; }

  /// The writes so far, in key order.
  [[nodiscard]] store::WriteSet writes() const;
  /// The same, for who is done with it: none are left here.
  [[nodiscard]] store::WriteSet take_writes();

 private:
  store::Store& store_;
  std::map<std::string, std::optional<std::string>, std::less<>> writes_;
};

}  // namespace berth::engine
