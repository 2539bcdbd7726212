// A SQLite connection as an owned value: opening the file, statements that are prepared once, and
// SQLite's result codes as berth errors that name the file.
//
// Threading: opened SQLITE_OPEN_NOMUTEX, so a connection and its statements belong to one thread at
// a time. A connection must not cross a fork: POSIX locks stay with the parent (sqlite.org
// "How To Corrupt An SQLite Database File", 2.6). Descriptors are O_CLOEXEC.
// Ownership: a Statement refers to its Connection and must die first.
#pragma once

#include <sqlite3.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "berth/result.h"

namespace berth::store {

/// A prepared statement in use. When it dies it goes back to its connection's cache, ready for the
/// next user; if that place has been taken meanwhile (a scan within a scan) it is freed.
class Statement {
 public:
  Statement(sqlite3_stmt* raw, sqlite3_stmt** home) : raw_(raw, PutBack{home}) {}

  /// Binds the ?index parameter (from 1) to a BLOB. The bytes are not copied: they must live until
  /// the statement has run.
  Status bind(int index, std::string_view bytes);
  /// Runs to the next row: true if there is one, false at the end.
  Result<bool> step();
  /// Runs to the end, and makes it ready to be bound and run again.
  Status run();
  /// Column `index` (from 0) of the row; the view is valid until the next step().
  [[nodiscard]] std::string_view bytes(int index) const;
  [[nodiscard]] std::int64_t number(int index) const;

 private:
  struct PutBack {
    sqlite3_stmt** home;  // null: not a cached one
    void operator()(sqlite3_stmt* raw) const;
  };
  std::unique_ptr<sqlite3_stmt, PutBack> raw_;
};

class Connection {
 public:
  /// Opens the file, making it empty with mode 0600 where missing, but not its parent directory.
  /// Reads nothing of it yet, so a file that is no database is found at the first statement.
  static Result<std::unique_ptr<Connection>> open(const std::string& path);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// How many statements can be cached: `slot` is less than this.
  static constexpr std::size_t kSlots = 16;
  /// The statement `sql` from the cache at `slot`, prepared at its first use. One slot, one text.
  Result<Statement> cached(std::size_t slot, const char* sql);
  /// Runs `sql`, which is needed once.
  Status run(const char* sql);
  /// The first column of the only row that `sql` gives, which is needed once.
  Result<std::int64_t> number(const char* sql);
  Result<std::string> text(const char* sql);

  [[nodiscard]] sqlite3* raw() const { return db_; }
  [[nodiscard]] std::string_view path() const { return sqlite3_db_filename(db_, "main"); }
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

  /// How long a statement waits for another process's lock. A commit holds it for well under 1 ms
  /// and a checkpoint for a few fsyncs, so this is reached only if a process is stopped inside one.
  static constexpr std::chrono::milliseconds kBusyTimeout{5000};
  void wait_for_locks() { sqlite3_busy_timeout(db_, kBusyTimeout.count()); }
  void do_not_wait_for_locks() { sqlite3_busy_timeout(db_, 0); }

 private:
  explicit Connection(sqlite3* db) : db_(db) {}
  Result<Statement> prepare(const char* sql, sqlite3_stmt** home);

  sqlite3* db_;
  std::array<sqlite3_stmt*, kSlots> cache_{};
};

}  // namespace berth::store
