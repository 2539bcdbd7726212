// The store in one SQLite file, for processes that live for milliseconds.
//
// Theory of operation: one table, kv(key BLOB, value BLOB) WITHOUT ROWID, is the ordered map
// itself: BLOBs compare by memcmp, and a row sits in the tree of its key. application_id says that
// the file is berth's, user_version which schema it has.
//
// WAL mode, so that readers and the writer do not wait for one another. A kNormal commit appends to
// the WAL without fsync (synchronous=NORMAL); a kFull one fsyncs the WAL, which takes every earlier
// commit with it.
//
// Checkpoints: SQLite would checkpoint when the last connection closes, and with processes that
// come one after the other that is every process, at three fsyncs each. So closing does not
// checkpoint (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE; the WAL then also stays), and the commit that takes
// the WAL past kWalPages does. It does not leave it to the next commit to begin the WAL anew, as
// SQLite's own auto-checkpoint does: how far a WAL has been checkpointed is known only to its index
// in shared memory, which the first connection after all were closed has to rebuild (wal.c,
// walIndexRecover). That connection would take the whole WAL for unsaved, append to it and
// checkpoint it all again at every commit, and the WAL would grow without end. So a commit that
// changes nothing follows the checkpoint, which gives the WAL a new header; what is behind its pages
// belongs to the header before, and counts for nothing. The rebuild reads every page in the WAL, so
// kWalPages also bounds what opening costs.
//
// To truncate the WAL would do as well, but pages that are in a file already are written in half the
// time of new ones (30 us less of a commit of six pages, on ext4).
//
// Committers have to exclude one another, as the instance lock makes them: between a checkpoint and
// the commit behind it nobody else may checkpoint (before SQLite 3.51.3 that could lose commits:
// sqlite.org/wal.html#walresetbug).
//
// Debugging: sqlite3 FILE 'SELECT CAST(key AS TEXT), CAST(value AS TEXT) FROM kv'.
// Limits: keys and values together less than 1 GB a row (SQLITE_MAX_LENGTH); the file must be on a
// local file system (WAL needs shared memory).
// Sources: sqlite.org/wal.html, /pragma.html, /c3ref/c_dbconfig_defensive.html, wal.c of 3.40.
#include <fcntl.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "store/disk.h"
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace berth::store {
namespace {

constexpr std::int64_t kApplicationId = 0x62727468;  // "brth"
constexpr std::int64_t kSchemaVersion = 1;           // PRAGMA user_version

/// Pages of 4 KiB in the WAL that make a commit checkpoint it. A commit of a few keys adds two to
/// six, so about one in a hundred pays the fsyncs; opening with a WAL this long takes ~0.2 ms more.
constexpr int kWalPages = 256;
constexpr int kWalBytes = 2 * kWalPages * 4096;  // what a WAL may keep of the disk

// So that removals can be committed on a full disk: a commit adds pages to the WAL. No locks are on
// this file (sqlite.org/walformat.html, 2.1), so it can be closed.
void reserve_wal(const std::string& database) {
  const UniqueFd wal(::open((database + "-wal").c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (wal) reserve(wal.get(), kWalBytes);
}

// What a file is.
enum class Content { kNothing, kStore, kForeign };

// Within a transaction, so that both questions are about one state.
Result<Content> content_in_transaction(Connection& db) {
  const auto id = TRY(db.number("PRAGMA application_id"));
  if (id == kApplicationId) return Content::kStore;
  const auto tables = TRY(db.number("SELECT count(*) FROM sqlite_schema"));
  return id == 0 && tables == 0 ? Content::kNothing : Content::kForeign;
}

Result<Content> content_of(Connection& db) {
  TRY(db.run("BEGIN"));
  const auto content = content_in_transaction(db);
  if (db.in_transaction()) (void)db.run("ROLLBACK");  // some errors have rolled back already
  return content;
}

Status make_schema_in_transaction(Connection& db) {
  if (TRY(content_in_transaction(db)) != Content::kNothing)
    return {};  // another process was faster
  TRY(db.run("CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID"));
  TRY(db.run(fmt::format("PRAGMA application_id={}", kApplicationId).c_str()));
  TRY(db.run(fmt::format("PRAGMA user_version={}", kSchemaVersion).c_str()));
  return db.run("COMMIT");
}

// Unlike other statements this one does not wait for a lock, and processes that open the same new
// file at once do meet here.
Result<std::string> switch_to_wal(Connection& db) {
  const auto deadline = std::chrono::steady_clock::now() + Connection::kBusyTimeout;
  while (true) {
    auto mode = db.text("PRAGMA journal_mode=WAL");
    const bool locked = !mode && mode.error().kind == ErrorKind::kInUse;
    if (!locked || std::chrono::steady_clock::now() >= deadline) return mode;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Makes the schema where the file is empty. The journal mode comes first: once application_id is
// there the file is in WAL mode, so that opening a store need not ask.
Status make_schema(Connection& db) {
  if (const auto mode = TRY(switch_to_wal(db)); mode != "wal")
    return fail(ErrorKind::kUnsupported,
                "store {}: its file system has no shared memory for a write-ahead log: put the "
                "store on a local one",
                db.path());
  TRY(db.run("BEGIN IMMEDIATE"));
  auto made = make_schema_in_transaction(db);
  if (db.in_transaction()) (void)db.run("ROLLBACK");
  return made;
}

Status ensure_schema(Connection& db) {
  if (TRY(db.number("PRAGMA application_id")) != kApplicationId) {
    auto content = TRY(content_of(db));
    if (content == Content::kNothing) {
      TRY(make_schema(db));
      content = TRY(content_of(db));
    }
    if (content == Content::kForeign)
      return fail(ErrorKind::kInvalid,
                  "{} is another program's SQLite database, not a berth store: name another file",
                  db.path());
  }
  if (const auto version = TRY(db.number("PRAGMA user_version")); version != kSchemaVersion)
    return fail(ErrorKind::kUnsupported,
                "store {} has schema version {}, but this berth knows only {}: use the berth that "
                "wrote it",
                db.path(), version, kSchemaVersion);
  return {};
}

// The first key after all that start with `prefix`, or nullopt if nothing comes after them.
std::optional<std::string> end_of(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (end.empty()) return std::nullopt;
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(std::unique_ptr<Connection> db) : db_(std::move(db)) {
    sqlite3_db_config(db_->raw(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_wal_hook(db_->raw(), &SqliteStore::note_wal_pages, this);
  }

  Result<std::optional<std::string>> get(std::string_view key) override {
    auto select = TRY(statement(kGet));
    TRY(select.bind(1, key));
    if (!TRY(select.step())) return std::nullopt;
    return std::string(select.bytes(0));
  }

  Status scan(std::string_view prefix, std::string_view from, const Visit& visit) override {
    const auto end = end_of(prefix);
    auto select = TRY(statement(end ? kScan : kScanToEnd));
    TRY(select.bind(1, std::max(prefix, from)));
    if (end) TRY(select.bind(2, *end));
    const Reading reading(*this);
    while (TRY(select.step()) && visit(select.bytes(0), select.bytes(1))) continue;
    return {};
  }

  Status commit(const WriteSet& writes, Durability durability) override {
    if (readers_ > 0)
      return fail(
          ErrorKind::kInUse,
          "store {}: a commit was asked for during a scan or read transaction: end it first",
          db_->path());
    if (writes.empty()) return {};
    TRY(set_durability(durability));
    TRY(run(kBegin));
    if (auto done = write(writes); !done) {
      if (db_->in_transaction()) (void)run(kRollback);
      return done;
    }
    if (wal_pages_ >= kWalPages) checkpoint();
    return {};
  }

  Result<std::unique_ptr<ReadTransaction>> read() override {
    if (db_->in_transaction())
      return fail(ErrorKind::kInUse, "store {}: a read transaction is open already", db_->path());
    TRY(run(kBeginRead));
    auto transaction = std::make_unique<Snapshot>(*this);
    TRY(get(""));  // SQLite takes the snapshot at the first read, not at BEGIN
    return transaction;
  }

 private:
  enum Sql { kGet, kScan, kScanToEnd, kPut, kErase, kBegin, kBeginRead, kCommit, kRollback };
  static constexpr const char* kText[] = {
      "SELECT value FROM kv WHERE key = ?1",
      "SELECT key, value FROM kv WHERE key >= ?1 AND key < ?2 ORDER BY key",
      "SELECT key, value FROM kv WHERE key >= ?1 ORDER BY key",
      "INSERT INTO kv(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2",
      "DELETE FROM kv WHERE key = ?1",
      "BEGIN IMMEDIATE",
      "BEGIN",
      "COMMIT",
      "ROLLBACK",
  };
  static_assert(std::size(kText) == kRollback + 1 && std::size(kText) <= Connection::kSlots);

  // Counts those who read, as commits are refused meanwhile.
  struct Reading {
    explicit Reading(SqliteStore& of) : store(of) { ++store.readers_; }
    ~Reading() { --store.readers_; }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    SqliteStore& store;
  };

  struct Snapshot final : ReadTransaction {
    explicit Snapshot(SqliteStore& of) : reading(of) {}
    ~Snapshot() override { (void)reading.store.run(kCommit); }
    Reading reading;
  };

  Result<Statement> statement(Sql sql) { return db_->cached(sql, kText[sql]); }
  Status run(Sql sql) { return TRY(statement(sql)).run(); }

  Status write(const WriteSet& writes) {
    for (const auto& [key, value] : writes) {
      auto change = TRY(statement(value ? kPut : kErase));
      TRY(change.bind(1, key));
      if (value) TRY(change.bind(2, *value));
      TRY(change.run());
    }
    return run(kCommit);
  }

  Status set_durability(Durability durability) {
    if (durability_ == durability) return {};
    TRY(db_->run(durability == Durability::kFull ? "PRAGMA synchronous=FULL"
                                                 : "PRAGMA synchronous=NORMAL"));
    durability_ = durability;
    return {};
  }

  // Waits for nobody: where another process is reading an older state the WAL stays as it is, and
  // the next commit tries again. The commit that led here has succeeded in any case.
  void checkpoint() {
    db_->do_not_wait_for_locks();
    const int saved =
        sqlite3_wal_checkpoint_v2(db_->raw(), "main", SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
    if (saved == SQLITE_OK) begin_wal_anew();
    db_->wait_for_locks();
  }

  // A commit of the page that the schema's version is on. Of a WAL that a large commit has made
  // longer than usual, the rest is given back.
  void begin_wal_anew() {
    (void)db_->number(fmt::format("PRAGMA journal_size_limit={}", kWalBytes).c_str());
    (void)db_->run(fmt::format("PRAGMA user_version={}", kSchemaVersion).c_str());
  }

  static int note_wal_pages(void* store, sqlite3*, const char*, int pages) {
    static_cast<SqliteStore*>(store)->wal_pages_ = pages;
    return SQLITE_OK;
  }

  std::unique_ptr<Connection> db_;
  std::optional<Durability> durability_;  // what PRAGMA synchronous was set to, if it was
  int wal_pages_ = 0;                     // in the WAL after this connection's last commit
  int readers_ = 0;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path) {
  auto db = TRY(Connection::open(path));
  auto& connection = *db;
  auto store = std::make_unique<SqliteStore>(std::move(db));
  TRY(ensure_schema(connection));
  reserve_wal(path);
  return store;
}

}  // namespace berth::store
