// What the SQLite store does beside the contract of every store (store_contract_test.cc): its file.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/result.h"
#include "store/store.h"

namespace berth::store {
namespace {

namespace fs = std::filesystem;

class SqliteFile : public testing::Test {
 protected:
  SqliteFile() {
    std::string pattern = testing::TempDir() + "berth_sqlite_XXXXXX";
    dir_ = mkdtemp(pattern.data());
    path_ = dir_ + "/berth.db";
  }
  ~SqliteFile() override { fs::remove_all(dir_); }

  std::unique_ptr<Store> open() {
    auto store = open_sqlite(path_);
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }

  // Why the file is refused.
  Error refusal() {
    const auto store = open_sqlite(path_);
    EXPECT_FALSE(store);
    return store ? Error{ErrorKind::kIo, "accepted"} : store.error();
  }

  // Runs `sql` on the file as another program would.
  void run(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    char* text = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &text), SQLITE_OK) << text;
    sqlite3_close(db);
  }

  std::string dir_;
  std::string path_;
};

// How often the write-ahead log of `database` was begun anew, as its header counts it
// (sqlite.org/fileformat2.html, section 4.1).
std::uint32_t wal_sequence(const std::string& database) {
  std::ifstream wal(database + "-wal", std::ios::binary);
  unsigned char header[32] = {};
  wal.read(reinterpret_cast<char*>(header), sizeof header);
  return header[12] << 24 | header[13] << 16 | header[14] << 8 | header[15];
}

// Runs `body` in a child that is not root, so that permissions count, and returns its exit status.
int as_nobody(const std::function<int()>& body) {
  constexpr uid_t kNobody = 65534;
  const pid_t child = fork();
  if (child == 0) _exit(geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0 ? 99 : body());
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(SqliteFile, IsMadeForItsOwnerOnly) {
  const auto mask = umask(0);
  ASSERT_TRUE(open()->commit({{"a", "1"}}, Durability::kNormal));
  umask(mask);
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    struct stat found{};
    ASSERT_EQ(stat((path_ + suffix).c_str(), &found), 0) << suffix;
    EXPECT_EQ(found.st_mode & 07777, 0600U) << suffix;
  }
}

TEST_F(SqliteFile, DoesNotMakeItsDirectory) {
  path_ = dir_ + "/missing/berth.db";
  const auto error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kNotFound);
  EXPECT_EQ(error.message, "cannot make the store " + path_ + ": No such file or directory");
  EXPECT_FALSE(fs::exists(dir_ + "/missing"));
}

TEST_F(SqliteFile, CannotBeADirectory) {
  fs::create_directory(path_);
  EXPECT_EQ(refusal().message.find("cannot open the store " + path_), 0U);
}

TEST_F(SqliteFile, MagicNamesOfSqliteAreOrdinaryNames) {
  const auto before = fs::current_path();
  fs::current_path(dir_);
  for (const auto* name : {":memory:", "file:x?mode=memory"}) {
    EXPECT_TRUE(open_sqlite(name)) << name;
    EXPECT_TRUE(fs::exists(name)) << name;
  }
  fs::current_path(before);
}

TEST_F(SqliteFile, ThatIsNoDatabaseIsRefused) {
  std::ofstream(path_) << std::string(8192, 'x');
  const auto error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kCorrupt);
  EXPECT_EQ(error.message, "store " + path_ +
                               " is damaged or no berth store (file is not a database): move it "
                               "away or put a copy in its place");
}

TEST_F(SqliteFile, OfAnotherProgramIsRefusedAndNotTouched) {
  run("CREATE TABLE cookies(a); PRAGMA user_version=1");
  const auto error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_EQ(error.message, path_ +
                               " is another program's SQLite database, not a berth store: name "
                               "another file");
  EXPECT_FALSE(fs::exists(path_ + "-wal"));
}

TEST_F(SqliteFile, OfANewerSchemaIsRefused) {
  open();
  run("PRAGMA user_version=7");
  const auto error = refusal();
  EXPECT_EQ(error.kind, ErrorKind::kUnsupported);
  EXPECT_EQ(error.message, "store " + path_ +
                               " has schema version 7, but this berth knows only 1: use the berth "
                               "that wrote it");
}

TEST_F(SqliteFile, WithDamagedPagesIsReported) {
  {
    const auto store = open();
    WriteSet writes;
    for (int i = 0; i < 500; ++i) writes.push_back({fmt::format("k/{}", i), std::string(200, 'v')});
    ASSERT_TRUE(store->commit(writes, Durability::kNormal));
  }
  run("PRAGMA wal_checkpoint(TRUNCATE)");
  const auto size = fs::file_size(path_);
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(size - 4096, '\xee');
  }
  const auto scanned = open()->scan("", [](auto, auto) { return true; });
  ASSERT_FALSE(scanned);
  EXPECT_EQ(scanned.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(scanned.error().message.find(path_), std::string::npos);
}

TEST_F(SqliteFile, InAReadOnlyDirectoryIsRefused) {
  ASSERT_EQ(chmod(dir_.c_str(), 0555), 0);
  EXPECT_EQ(as_nobody([this] {
              const auto store = open_sqlite(path_);
              return !store && store.error().kind == ErrorKind::kPermission &&
                             store.error().message.contains("cannot make the store " + path_)
                         ? 0
                         : 1;
            }),
            0);
  ASSERT_EQ(chmod(dir_.c_str(), 0755), 0);
}

TEST_F(SqliteFile, ThatCannotBeWrittenIsRefused) {
  open();
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(chmod(dir_.c_str(), 0755), 0);
  EXPECT_EQ(as_nobody([this] {
              const auto store = open_sqlite(path_);
              return !store && store.error().kind == ErrorKind::kPermission &&
                             store.error().message.contains(path_ + " for writing")
                         ? 0
                         : 1;
            }),
            0);
}

TEST_F(SqliteFile, OpenedByManyAtOnceIsMadeOnce) {
  constexpr int kProcesses = 8;
  for (int round = 0; round < 10; ++round) {
    int start[2];
    ASSERT_EQ(pipe(start), 0);
    for (int i = 0; i < kProcesses; ++i) {
      if (fork() != 0) continue;
      close(start[1]);
      char none;
      (void)!read(start[0], &none, 1);  // until the parent has closed the other end
      const auto store = open_sqlite(path_);
      if (!store) std::fprintf(stderr, "%s\n", store.error().message.c_str());
      _exit(store && (*store)->commit({{fmt::format("p/{}", i), "1"}}, Durability::kNormal) ? 0
                                                                                            : 1);
    }
    close(start[0]);
    close(start[1]);
    for (int i = 0; i < kProcesses; ++i) {
      int status = -1;
      ASSERT_GT(wait(&status), 0);
      EXPECT_EQ(status, 0);
    }
    int keys = 0;
    EXPECT_TRUE(open()->scan("p/", [&](auto, auto) { return ++keys > 0; }));
    EXPECT_EQ(keys, kProcesses);
    for (const auto* suffix : {"", "-wal", "-shm"}) fs::remove(path_ + suffix);
  }
}

// The trap that the header of sqlite.cc tells of: a process a commit, and the WAL grows without
// end.
TEST_F(SqliteFile, WalStaysBoundedWhenEveryProcessCommitsOnce) {
  constexpr std::uintmax_t kLimit = 2 << 20;  // kWalPages of 4 KiB are 1 MiB
  std::uintmax_t largest = 0;
  (void)open();
  const auto begun = wal_sequence(path_);
  for (int i = 0; i < 400; ++i) {
    ASSERT_TRUE(open()->commit({{fmt::format("k/{}", i % 50), std::string(6000, 'a' + i % 26)}},
                               Durability::kNormal));
    largest = std::max(largest, fs::file_size(path_ + "-wal"));
  }
  EXPECT_LT(largest, kLimit);
  EXPECT_GE(wal_sequence(path_) - begun, 2);
  EXPECT_LT(wal_sequence(path_) - begun, 20) << "only few commits may pay a checkpoint's fsyncs";
  const auto store = open();
  for (int i = 350; i < 400; ++i)
    EXPECT_EQ(store->get(fmt::format("k/{}", i % 50)).value(), std::string(6000, 'a' + i % 26))
        << i;
}

// What is left of an older WAL behind the newer one's pages counts for nothing, whoever reads it.
TEST_F(SqliteFile, WhatTheWalHeldBeforeIsNotReadAgain) {
  ASSERT_TRUE(
      open()->commit({{"a", "old"}, {"b", std::string(4 << 20, 'v')}}, Durability::kNormal));
  EXPECT_LT(fs::file_size(path_ + "-wal"), 3U << 20) << "the rest is given back";
  ASSERT_TRUE(open()->commit({{"a", "new"}, {"b", std::nullopt}}, Durability::kNormal));
  const auto store = open();
  EXPECT_EQ(store->get("a").value(), "new");
  EXPECT_EQ(store->get("b").value(), std::nullopt);
  run("CREATE TEMP TABLE fault(text CHECK(text = 'ok')); "
      "INSERT INTO fault SELECT * FROM pragma_integrity_check");
}

TEST_F(SqliteFile, AReaderDoesNotMakeACommitWaitForItsCheckpoint) {
  const auto reader = open();
  const auto writer = open();
  ASSERT_TRUE(writer->commit({{"a", "1"}}, Durability::kNormal));
  const auto begin = std::chrono::steady_clock::now();
  {
    const auto snapshot = reader->read();
    ASSERT_TRUE(snapshot);
    ASSERT_TRUE(writer->commit({{"b", std::string(2 << 20, 'v')}}, Durability::kNormal));
    ASSERT_TRUE(writer->commit({{"c", "3"}}, Durability::kNormal));
    EXPECT_EQ(reader->get("c").value(), std::nullopt);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  const auto begun = wal_sequence(path_);
  ASSERT_TRUE(writer->commit({{"d", "4"}}, Durability::kNormal));
  EXPECT_EQ(wal_sequence(path_), begun + 1) << "the first commit after the reader checkpoints";
}

}  // namespace
}  // namespace berth::store
