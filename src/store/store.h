// The store: berth's memory as an ordered map of keys to documents, changed in atomic commits.
//
// Theory of operation: keys are paths ("network/<id>", "lease/<network>/<ip>"), values are documents
// whose form the engine knows and the store does not. That is what SQLite, etcd and Consul all do
// well, so one contract (store_contract_test) fits every implementation. Indexes are keys too.
//
// Concurrency: writers exclude one another outside (the instance lock in engine/); readers see the
// last commit, and a ReadTransaction keeps them on one. A Store belongs to one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/result.h"

namespace berth::store {

/// One change of a commit: the value to put at `key`, or nullopt to erase it (gone already is fine).
struct Write {
  std::string key;
  std::optional<std::string> value;
};
using WriteSet = std::vector<Write>;

enum class Durability {
  kNormal,  ///< survives the death of every process; a power cut may lose the newest commits (whole)
  kFull,    ///< survives a power cut: for what the kernel does not lose with the power either
};

class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// The value at `key`, or nullopt.
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;

  /// Calls visit(key, value) in byte order for every key that starts with `prefix` and is not less
  /// than `from`, until visit returns false. `visit` must not write to the store.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Status scan(std::string_view prefix, std::string_view from, const Visit& visit) = 0;
  Status scan(std::string_view prefix, const Visit& visit) { return scan(prefix, prefix, visit); }

  /// All of `writes` or none of them.
  virtual Status commit(const WriteSet& writes, Durability durability) = 0;

  /// While the returned object lives, get and scan see one state. Not nestable; commit is refused.
  class ReadTransaction {
   public:
    virtual ~ReadTransaction() = default;
  };
  virtual Result<std::unique_ptr<ReadTransaction>> read() = 0;
};

/// Opens the SQLite file at `path`, making it (mode 0600) and its schema where missing.
Result<std::unique_ptr<Store>> open_sqlite(const std::string& path);

/// A store in memory, empty, for one object alone.
std::unique_ptr<Store> open_memory();

}  // namespace berth::store
