#include "store/sqlite_connection.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "base/result.h"
#include "base/unique_fd.h"
#include "store/disk.h"

namespace berth::store {
namespace {

bool is_on_read_only_disk(const std::string& path) {
  return ::access(path.c_str(), W_OK) != 0 && errno == EROFS;
}

// Whether the file is all of the store, on a disk where SQLite cannot make the WAL that it wants for
// reading too (sqlite.org/wal.html, "Read-Only Databases").
bool cannot_have_wal(const std::string& path) {
  return is_on_read_only_disk(path) && ::access((path + "-wal").c_str(), F_OK) != 0;
}

// sqlite.org/uri.html; every byte that may have a meaning there is escaped.
std::string immutable_uri(std::string_view path) {
  std::string uri = "file:";
  for (const unsigned char byte : path)
    uri += std::isalnum(byte) != 0 || byte == '/' ? std::string(1, static_cast<char>(byte))
                                                  : fmt::format("%{:02x}", byte);
  return uri + "?immutable=1";
}

// The error that `db` has just reported as `code` (an extended one).
Error sqlite_error(sqlite3* db, int code) {
  const std::string_view path = sqlite3_db_filename(db, "main");
  const std::string_view said = sqlite3_errmsg(db);
  switch (code & 0xff) {  // the primary code of an extended one
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return {.kind = ErrorKind::kCorrupt,
              .message = fmt::format("store {} is damaged or no berth store ({}): move it away or "
                                     "put a copy in its place",
                                     path, said)};
    case SQLITE_BUSY:
      return {.kind = ErrorKind::kInUse,
              .message = fmt::format("store {}: another process has kept it locked for {} s", path,
                                     Connection::kBusyTimeout.count() / 1000)};
    case SQLITE_FULL:
      return {.kind = ErrorKind::kIo,
              .message = fmt::format("store {}: the disk is full", path),
              .sys = ENOSPC};
    case SQLITE_READONLY:
      if (is_on_read_only_disk(std::string(path)))
        return system_error(EROFS, fmt::format("write the store {}", path));
      [[fallthrough]];
    case SQLITE_PERM:
      return {.kind = ErrorKind::kPermission, .message = fmt::format("store {}: {}", path, said)};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:  // the codes that leave an errno behind
      if (const int sys = sqlite3_system_errno(db); sys != 0) {
        auto error = system_error(sys, fmt::format("store {}: {}", path, said));
        if (error.kind == ErrorKind::kKernel) error.kind = ErrorKind::kIo;
        return error;
      }
      [[fallthrough]];
    default:
      return {.kind = ErrorKind::kIo, .message = fmt::format("store {}: {}", path, said)};
  }
}

// So that a checkpoint has room for the pages that are new since the last one.
constexpr std::size_t kReserved = 1 << 20;

// O_EXCL makes sure that the file is new: closing a descriptor of a database that this process has
// open elsewhere would drop that connection's POSIX locks.
Status make_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!fd && errno != EEXIST) return fail_sys(errno, "cannot make the store {}", path);
  if (fd) reserve(fd.get(), kReserved);
  return {};
}

}  // namespace

void Statement::PutBack::operator()(sqlite3_stmt* raw) const {
  if (home == nullptr || *home != nullptr) {
    sqlite3_finalize(raw);
    return;
  }
  sqlite3_reset(raw);
  *home = raw;
}

Status Statement::bind(int index, std::string_view bytes) {
  // A null pointer would bind NULL, not an empty BLOB.
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  const int code = sqlite3_bind_blob64(raw_.get(), index, data, bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(sqlite3_db_handle(raw_.get()), code));
  return {};
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(raw_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(sqlite_error(sqlite3_db_handle(raw_.get()), code));
}

Status Statement::run() {
  while (TRY(step())) continue;
  sqlite3_reset(raw_.get());
  return {};
}

std::string_view Statement::bytes(int index) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(raw_.get(), index));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), index))};
}

std::int64_t Statement::number(int index) const {
  return sqlite3_column_int64(raw_.get(), index);
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path) {
  // SQLite reads "file:..." and ":memory:" as more than a name; behind a directory they are names.
  const std::string file = path.starts_with('/') ? path : "./" + path;
  if (access(file.c_str(), F_OK) != 0 && errno == ENOENT) TRY(make_file(file));

  sqlite3* db = nullptr;
  constexpr int kFlags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code =
      cannot_have_wal(file)
          ? sqlite3_open_v2(immutable_uri(file).c_str(), &db,
                            kFlags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr)
          : sqlite3_open_v2(file.c_str(), &db, kFlags | SQLITE_OPEN_READWRITE, nullptr);
  std::unique_ptr<Connection> connection(new Connection(db));  // even a failed open has a handle
  if (code != SQLITE_OK)
    return fail_sys(db != nullptr ? sqlite3_system_errno(db) : ENOMEM, "cannot open the store {}",
                    file);
  // Without write permission SQLite opens for reading only and says so at the first commit. On a
  // read-only file system that is what is wanted.
  if (sqlite3_db_readonly(db, "main") == 1 && !is_on_read_only_disk(file))
    return fail_sys(EACCES, "cannot open the store {} for writing", file);
  connection->wait_for_locks();
  return connection;
}

Connection::~Connection() {
  for (auto* statement : cache_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Result<Statement> Connection::prepare(const char* sql, sqlite3_stmt** home) {
  sqlite3_stmt* raw = nullptr;
  const unsigned flags = home != nullptr ? SQLITE_PREPARE_PERSISTENT : 0;
  const int code = sqlite3_prepare_v3(db_, sql, -1, flags, &raw, nullptr);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(db_, code));
  return Statement(raw, home);
}

Result<Statement> Connection::cached(std::size_t slot, const char* sql) {
  auto* home = &cache_.at(slot);
  if (*home != nullptr) return Statement(std::exchange(*home, nullptr), home);
  return prepare(sql, home);
}

Status Connection::run(const char* sql) {
  return TRY(prepare(sql, nullptr)).run();
}

Result<std::int64_t> Connection::number(const char* sql) {
  auto statement = TRY(prepare(sql, nullptr));
  return TRY(statement.step()) ? statement.number(0) : 0;
}

Result<std::string> Connection::text(const char* sql) {
  auto statement = TRY(prepare(sql, nullptr));
  return std::string(TRY(statement.step()) ? statement.bytes(0) : "");
}

}  // namespace berth::store
