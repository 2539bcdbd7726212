// Opening an instance: its directories, its store, its tag and predefined networks.

#include "engine/instance.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <cerrno>
#include <filesystem>

#include "base/directories.h"
#include "base/result.h"
#include "engine/change/commit.h"
#include "engine/change/lock.h"
#include "engine/change/recovery.h"
#include "engine/ids.h"
#include "engine/networks/networks.h"
#include "engine/repair/repair.h"
#include "engine/sandboxes/files.h"
#include "store/disk.h"

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kPrivate = 0700;

// The directory, for its owner alone, and its parents.
Status make_private_directory(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return {};
  TRY(make_directories(fs::path(path).parent_path(), 0755));
  return make_directories(path, kPrivate);
}

// The berth program for what happens after this process: itself, else the one beside it.
std::string own_program() {
  std::error_code error;
  const auto self = fs::read_symlink("/proc/self/exe", error);
  if (self.filename() == "berth") return self;
  if (const auto beside = self.parent_path() / "berth"; fs::exists(beside, error)) return beside;
  return "/usr/bin/berth";
}

std::string shim_for(const std::string& program) {
  std::error_code error;
  const auto directory = fs::path(program).parent_path();
  for (const auto* place : {"berth-shim", "../libexec/berth/berth-shim"})  // built; installed
    if (const auto shim = directory / place; fs::exists(shim, error))
      return shim.lexically_normal();
  return "/usr/libexec/berth/berth-shim";
}

Status check_path(std::string_view option, const std::string& path) {
  if (path.starts_with('/')) return {};
  return fail(ErrorKind::kInvalid, "{} '{}' is not an absolute path", option, path);
}

Status open_store(Instance& instance) {
  const auto path = instance.config.root + "/berth.db";
  std::error_code error;
  if (instance.config.only_plan && !fs::exists(path, error)) {
    instance.store = store::open_memory();
    return {};
  }
  const auto make_directories = [&]() -> Status {
    TRY(make_private_directory(instance.config.root));
    TRY(make_private_directory(instance.config.run));
    return make_private_directory(instance.run_path("netns"));
  };
  // What is there can be read though a read-only disk lacks a directory beside it.
  if (auto made = make_directories(); !made && !fs::exists(path, error)) return made;
  // A store is made under the lock: else a reset would remove parts of what is just being made.
  InstanceLock::Held held;
  constexpr int kTries =
      10;  // one reset ends while this waits; who resets all the time has to wait
  for (int i = 0; !held && !fs::exists(path, error); ++i) {
    auto locked = instance.lock.take(instance.config.root);
    if (locked)
      held = *std::move(locked);
    else if (locked.error().kind != ErrorKind::kNotFound || i == kTries)
      return std::unexpected(std::move(locked).error());
    TRY(make_directories());
  }
  instance.store = TRY(store::open_sqlite(path));
  instance.journal = TRY(store::Journal::open(instance.config.root + "/journal"));
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return fail_sys(errno, "look at {}", path);
  instance.store_file = info.st_ino;
  return {};
}

// The instance's tag and predefined networks are made with the store, by whoever is first.
Status load_instance(Instance& instance) {
  if (!TRY(instance.store->get("meta/instance"))) {
    const auto held = TRY(lock_instance(instance));
    if (!TRY(instance.store->get("meta/instance"))) {
      TRY(add_predefined_networks(instance));
      TRY(instance.store->commit({{"meta/instance", random_id().substr(0, 8)}},
                                 store::Durability::kFull));
    }
  }
  instance.tag = TRY(instance.store->get("meta/instance")).value_or("");
  if (instance.config.only_plan) return {};
  // A damaged record stops whatever needs it, with a sentence of its own, but not `system reset`.
  // Nor does a disk that cannot be written keep anybody from reading.
  if (auto noticed = notice_reboot(instance); !noticed &&
                                              noticed.error().kind != ErrorKind::kCorrupt &&
                                              !store::is_disk_error(noticed.error()))
    return noticed;
  (void)recover_abandoned(instance);  // who may not do that may still look
  return {};
}

Status configure(Instance& instance, Config config) {
  TRY(check_path("root", config.root));
  TRY(check_path("run", config.run));
  if (config.program.empty()) config.program = own_program();
  if (config.shim.empty()) config.shim = shim_for(config.program);
  instance.config = std::move(config);
  // Between its plan and its record a change writes hosts files.
  instance.recovered = [&instance] { (void)mend_hosts(instance); };
  return {};
}

}  // namespace

std::string Instance::run_path(std::string_view name) const {
  return fmt::format("{}/{}", config.run, name);
}

Status open_instance(Instance& instance, Config config) {
  TRY(configure(instance, std::move(config)));
  if (auto opened = open_store(instance); !opened) {
    const bool is_refused =
        opened.error().kind == ErrorKind::kPermission && opened.error().sys != EROFS;
    if (!is_refused) return std::unexpected(opened.error());
    return fail(ErrorKind::kPermission,
                "this user may not use the instance in {} and {} ({}): run berth as root, or give "
                "directories of your own with --root and --run",
                instance.config.root, instance.config.run, opened.error().message);
  }
  return load_instance(instance);
}

Status open_without_store(Instance& instance, Config config) {
  TRY(configure(instance, std::move(config)));
  const auto path = instance.config.root + "/berth.db";
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return fail_sys(errno, "look at {}", path);
  instance.store = store::open_memory();
  instance.journal = TRY(store::Journal::open(instance.config.root + "/journal"));
  instance.store_file = info.st_ino;
  return load_instance(instance);
}

}  // namespace berth::engine
