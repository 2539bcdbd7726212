// The public face: each request takes the lock, is prepared and committed; plan() only prepares.

#include "berth/engine.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/directories.h"
#include "base/result.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "engine/instance_lock.h"
#include "kernel/netns/netns.h"
#include "plan/json.h"
#include "plan/render.h"
#include "plan/whose.h"
#include "store/disk.h"

namespace berth {
namespace {

using engine::Change;
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
  const auto beside = fs::path(program).parent_path() / "berth-shim";
  return fs::exists(beside, error) ? beside.string() : "/usr/libexec/berth/berth-shim";
}

Status check_path(std::string_view option, const std::string& path) {
  if (path.starts_with('/')) return {};
  return fail(ErrorKind::kInvalid, "{} '{}' is not an absolute path", option, path);
}

}  // namespace

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::open(Config config) {
  TRY(check_path("root", config.root));
  TRY(check_path("run", config.run));
  if (config.program.empty()) config.program = own_program();
  if (config.shim.empty()) config.shim = shim_for(config.program);
  auto impl = std::make_unique<Impl>();
  impl->config = std::move(config);
  if (auto opened = impl->open_store(); !opened) {
    const bool is_refused = opened.error().kind == ErrorKind::kPermission && opened.error().sys != EROFS;
    if (!is_refused) return std::unexpected(opened.error());
    return fail(ErrorKind::kPermission,
                "this user may not use the instance in {} and {} ({}): run berth as root, or give "
                "directories of your own with --root and --run",
                impl->config.root, impl->config.run, opened.error().message);
  }
  TRY(impl->load_instance());
  return Engine(std::move(impl));
}

Status Engine::Impl::open_store() {
  const auto path = config.root + "/berth.db";
  std::error_code error;
  if (config.only_plan && !fs::exists(path, error)) {
    store = store::open_memory();
    return {};
  }
  const auto make_directories = [&]() -> Status {
    TRY(make_private_directory(config.root));
    TRY(make_private_directory(config.run));
    return make_private_directory(run_path("netns"));
  };
  // What is there can be read though a read-only disk lacks a directory beside it.
  if (auto made = make_directories(); !made && !fs::exists(path, error)) return made;
  // A store is made under the lock: else a reset would remove parts of what is just being made.
  engine::InstanceLock::Held held;
  constexpr int kTries = 10;  // one reset ends while this waits; who resets all the time has to wait
  for (int i = 0; !held && !fs::exists(path, error); ++i) {
    auto locked = instance_lock.take(config.root);
    if (locked)
      held = *std::move(locked);
    else if (locked.error().kind != ErrorKind::kNotFound || i == kTries)
      return std::unexpected(std::move(locked).error());
    TRY(make_directories());
  }
  store = TRY(store::open_sqlite(path));
  journal = TRY(store::Journal::open(config.root + "/journal"));
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return fail_sys(errno, "look at {}", path);
  store_file = info.st_ino;
  return {};
}

// The instance's tag and predefined networks are made with the store, by whoever is first.
Status Engine::Impl::load_instance() {
  if (!TRY(store->get("meta/instance"))) {
    const auto held = TRY(lock());
    if (!TRY(store->get("meta/instance"))) {
      TRY(add_predefined_networks());
      TRY(store->commit({{"meta/instance", engine::random_id().substr(0, 8)}},
                        store::Durability::kFull));
    }
  }
  instance = TRY(store->get("meta/instance")).value_or("");
  kernel.instance = instance;
  if (config.only_plan) return {};
  // A damaged record stops whatever needs it, with a sentence of its own, but not `system reset`.
  // Nor does a disk that cannot be written keep anybody from reading.
  if (auto noticed = notice_reboot(); !noticed && noticed.error().kind != ErrorKind::kCorrupt &&
                                      !store::is_disk_error(noticed.error()))
    return noticed;
  (void)settle_abandoned();  // who may not do that may still look
  return {};
}

std::string Engine::Impl::run_path(std::string_view name) const {
  return fmt::format("{}/{}", config.run, name);
}

// ---- networks -----------------------------------------------------------------------------------

Result<Network> Engine::create_network(const CreateNetwork& request) {
  const auto held = TRY(impl_->lock());
  constexpr int kTries = 8;
  std::vector<Ip> neighbours;
  for (int i = 1;; ++i) {
    Change change(*impl_->store);
    change.neighbours = neighbours;
    auto network = TRY(impl_->prepare(change, request));
    auto made = impl_->commit(change);
    if (made) return network;
    // A neighbour has the address that was chosen for the host: then it is to be another one.
    const auto chosen = Impl::chosen_host_addresses(network);
    const bool answered = made.error().kind == ErrorKind::kInUse && made.error().sys == 0;
    if (!answered || chosen.empty() || i == kTries) return std::unexpected(std::move(made).error());
    neighbours.insert(neighbours.end(), chosen.begin(), chosen.end());
  }
}

Result<Network> Engine::update_network(const UpdateNetwork& request) {
  const auto held = TRY(impl_->lock());
  Change change(*impl_->store);
  auto network = TRY(impl_->prepare(change, request));
  TRY(impl_->commit(change));
  return network;
}

std::vector<Outcome> Engine::remove_networks(const RemoveNetworks& request) {
  std::vector<Outcome> outcomes;
  const auto collected = impl_->collect_dead();  // the dead are no users
  for (const auto& reference : request.networks) {
    const auto remove = [&]() -> Status {
      const auto held = TRY(impl_->lock());
      Change change(*impl_->store);
      TRY(collected);
      TRY(impl_->prepare(change, RemoveNetworks{{reference}, request.force}));
      return impl_->commit(change);
    };
    outcomes.push_back({reference, remove()});
  }
  return outcomes;
}

Result<std::vector<Network>> Engine::networks() {
  Change look(*impl_->store);
  return look.state.networks();
}

Result<std::vector<Network>> Engine::unused_networks() {
  TRY(impl_->collect_dead());
  const auto one_state = TRY(impl_->reading());
  return impl_->unused_networks();
}

Result<std::vector<SubnetUse>> Engine::subnet_use(const Network& network) {
  const auto one_state = TRY(impl_->reading());
  return impl_->subnet_use(network);
}

Result<Network> Engine::network(const std::string& reference) {
  Change look(*impl_->store);
  const auto one_state = TRY(impl_->reading());
  return look.state.network(reference);
}

Result<std::vector<Endpoint>> Engine::endpoints_of_network(const std::string& network_id) {
  Change look(*impl_->store);
  const auto one_state = TRY(impl_->reading());
  return look.state.endpoints_of_network(network_id);
}

// ---- endpoints ----------------------------------------------------------------------------------

Result<Endpoint> Engine::connect(const Connect& request) {
  return impl_->with_dead_collected([&] { return impl_->connect(request); });
}

Result<Endpoint> Engine::Impl::connect(const Connect& request) {
  (void)foreign_path(request.target);  // a runtime is not waited for under the lock
  const auto held = TRY(lock());
  auto one_state = TRY(reading());  // one lock of the store for all that is looked up
  bool by_dhcp = false;
  std::vector<Sandbox> dead;
  const auto once = [&]() -> Result<Endpoint> {
    Change change(*store);
    if (!one_state) one_state = TRY(reading());
    auto endpoint = prepare(change, request);
    one_state.reset();
    dead = std::move(change.dead);
    if (!dead.empty())
      return fail(ErrorKind::kInUse, "{} is taken by {}, whose end is not recorded",
                  request.target, dead.front().name);
    if (!endpoint) return endpoint;
    by_dhcp = std::ranges::any_of(change.plan, [](const plan::Op& op) {
      return std::holds_alternative<plan::StartDhcp>(op);
    });
    if (auto done = commit(change); !done)
      return std::unexpected(name_the_taker(std::move(done).error(), endpoint->ports));
    return endpoint;
  };
  const auto endpoint = with_healed({request.network}, [&]() -> Result<Endpoint> {
    auto made = once();
    if (dead.empty()) return made;
    for (const auto& each : dead) TRY(finish(each, 128 + SIGKILL));
    return once();
  });
  if (!endpoint || !by_dhcp) return endpoint;
  auto leased = take_lease(endpoint->id);
  if (!leased) {
    Change change(*store);
    if (prepare(change, Disconnect{request.network, request.target})) (void)commit(change);
  }
  return leased;
}

Status Engine::disconnect(const Disconnect& request) {
  (void)impl_->foreign_path(request.target);  // a runtime is not waited for under the lock
  const auto held = TRY(impl_->lock());
  Change change(*impl_->store);
  TRY(impl_->prepare(change, request));
  return impl_->commit(change);
}

Result<Endpoint> Engine::publish(const Publish& request) {
  return impl_->with_dead_collected([&]() -> Result<Endpoint> {
    const auto held = TRY(impl_->lock());
    Change change(*impl_->store);
    auto endpoint = TRY(impl_->prepare(change, request));
    if (auto done = impl_->commit(change); !done)
      return std::unexpected(impl_->name_the_taker(std::move(done).error(), endpoint.ports));
    return endpoint;
  });
}

Result<Endpoint> Engine::unpublish(const Unpublish& request) {
  const auto held = TRY(impl_->lock());
  Change change(*impl_->store);
  auto endpoint = TRY(impl_->prepare(change, request));
  TRY(impl_->commit(change));
  return endpoint;
}

// ---- sandboxes ----------------------------------------------------------------------------------

Result<Sandbox> Engine::create_sandbox(const CreateSandbox& request) {
  return impl_->with_dead_collected([&]() -> Result<Sandbox> {
    const auto held = TRY(impl_->lock());
    Change change(*impl_->store);
    auto sandbox = TRY(impl_->prepare(change, request));
    change.complete = [&]() -> Status {
      sandbox.netns_inode = TRY(kernel::Netns::open(sandbox.netns_path)).inode();
      change.state.put(sandbox);
      return impl_->write_files(change.state, sandbox);
    };
    if (auto made = impl_->commit(change); !made) {
      impl_->remove_files(sandbox);
      return std::unexpected(std::move(made).error());
    }
    return sandbox;
  });
}

std::expected<Started, RunError> Engine::run(const RunProcess& request) {
  return impl_->run(request);
}

std::vector<Outcome> Engine::stop_sandboxes(const StopSandboxes& request) {
  return impl_->stop(request);
}

std::vector<Outcome> Engine::remove_sandboxes(const RemoveSandboxes& request) {
  return impl_->remove_all(request);
}

Result<std::vector<Sandbox>> Engine::sandboxes() {
  TRY(impl_->collect_dead());
  Change look(*impl_->store);
  return look.state.sandboxes();
}

Result<Sandbox> Engine::sandbox(const Target& target) {
  TRY(impl_->collect_stale(target));
  Change look(*impl_->store);
  const auto one_state = TRY(impl_->reading());
  return impl_->find_sandbox(look.state, target);
}

Result<std::vector<Endpoint>> Engine::endpoints_of_sandbox(const Sandbox& sandbox) {
  Change look(*impl_->store);
  const auto one_state = TRY(impl_->reading());
  return look.state.endpoints(TRY(look.state.sandbox(sandbox.id)).endpoints);
}

std::string Engine::sandbox_file(const Sandbox& sandbox, std::string_view name) const {
  const auto directory =
      name == "log" ? impl_->directory_of(sandbox) : impl_->names_directory_of(sandbox);
  return directory + "/" + std::string(name);
}

Status Engine::sandbox_exited(const std::string& id, int exit_code) {
  Sandbox sandbox;
  sandbox.id = id;
  return impl_->finish_if_known(sandbox, exit_code);
}

// ---- the instance -------------------------------------------------------------------------------

Result<Info> Engine::info() {
  const auto one_state = TRY(impl_->reading());
  return impl_->info();
}
Result<DiskUse> Engine::disk_use() {
  const auto one_state = TRY(impl_->reading());
  return impl_->disk_use();
}
Result<std::vector<Repair>> Engine::reconcile() {
  return impl_->reconcile();
}
std::vector<Error> Engine::reset() {
  return impl_->reset();
}

// ---- plans --------------------------------------------------------------------------------------

Result<PlanText> Engine::plan(const Request& request) {
  Change change(*impl_->store);
  const auto one_state = TRY(impl_->reading());
  TRY(std::visit(
      [&](const auto& each) -> Status {
        auto prepared = impl_->prepare(change, each);
        if (!prepared) return std::unexpected(prepared.error());
        return {};
      },
      request));
  plan::append(change.plan, std::move(change.last));
  (void)plan::spare_others(impl_->kernel, change.plan);
  return PlanText{plan::render(change.plan), plan::to_json(change.plan)};
}

}  // namespace berth
