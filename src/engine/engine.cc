// The public face: each method hands its request to the use case in the folder of its noun.

#include "berth/engine.h"
#include "base/result.h"
#include "engine/access.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/change/snapshot.h"
#include "engine/endpoints/endpoints.h"
#include "engine/info.h"
#include "engine/instance.h"
#include "engine/networks/networks.h"
#include "engine/ports/ports.h"
#include "engine/repair/repair.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/targets/targets.h"
#include "plan/json.h"
#include "plan/render.h"
#include "plan/whose.h"

namespace berth {

using engine::Draft;
using engine::View;

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::open(Config config) {
  auto impl = std::make_unique<Impl>();
  TRY(engine::open_instance(*impl, std::move(config)));
  return Engine(std::move(impl));
}

// ---- networks -----------------------------------------------------------------------------------

Result<Network> Engine::create_network(const CreateNetwork& request) {
  return engine::create_network(*impl_, request);
}

Result<Network> Engine::update_network(const UpdateNetwork& request) {
  const auto held = TRY(engine::lock_instance(*impl_));
  Draft draft(*impl_->store);
  auto network = TRY(engine::prepare(*impl_, draft, request));
  TRY(engine::commit(*impl_, draft));
  return network;
}

std::vector<Outcome> Engine::remove_networks(const RemoveNetworks& request) {
  return engine::remove_networks(*impl_, request);
}

Result<std::vector<Network>> Engine::networks() {
  View look(*impl_->store);
  return look.state.networks();
}

Result<std::vector<Network>> Engine::unused_networks() {
  TRY(engine::collect_dead(*impl_));
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return engine::list_unused_networks(*impl_);
}

Result<std::vector<SubnetUse>> Engine::subnet_use(const Network& network) {
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return engine::network_subnet_use(*impl_, network);
}

Result<Network> Engine::network(const std::string& reference) {
  View look(*impl_->store);
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return look.state.network(reference);
}

Result<std::vector<Endpoint>> Engine::endpoints_of_network(const std::string& network_id) {
  View look(*impl_->store);
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return look.state.endpoints_of_network(network_id);
}

// ---- endpoints ----------------------------------------------------------------------------------

Result<Endpoint> Engine::connect(const Connect& request) {
  return engine::with_dead_collected(*impl_,
                                     [&] { return engine::connect_endpoint(*impl_, request); });
}

Status Engine::disconnect(const Disconnect& request) {
  (void)engine::foreign_path(*impl_, request.target);  // a runtime is not waited for under the lock
  const auto held = TRY(engine::lock_instance(*impl_));
  Draft draft(*impl_->store);
  TRY(engine::prepare(*impl_, draft, request));
  return engine::commit(*impl_, draft);
}

Result<Endpoint> Engine::publish(const Publish& request) {
  return engine::with_dead_collected(*impl_, [&]() -> Result<Endpoint> {
    const auto held = TRY(engine::lock_instance(*impl_));
    Draft draft(*impl_->store);
    auto endpoint = TRY(engine::prepare(*impl_, draft, request));
    TRY(engine::commit(*impl_, draft));
    return endpoint;
  });
}

Result<Endpoint> Engine::unpublish(const Unpublish& request) {
  const auto held = TRY(engine::lock_instance(*impl_));
  Draft draft(*impl_->store);
  auto endpoint = TRY(engine::prepare(*impl_, draft, request));
  TRY(engine::commit(*impl_, draft));
  return endpoint;
}

Result<std::vector<Announcement>> Engine::announcements(std::span<const Endpoint> endpoints) {
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return engine::announcements_of(*impl_, endpoints);
}

// ---- sandboxes ----------------------------------------------------------------------------------

Result<Sandbox> Engine::create_sandbox(const CreateSandbox& request) {
  return engine::create_sandbox(*impl_, request);
}

std::expected<Started, RunError> Engine::run(const RunProcess& request) {
  return engine::run_sandbox(*impl_, request);
}

std::vector<Outcome> Engine::stop_sandboxes(const StopSandboxes& request) {
  return engine::stop_sandboxes(*impl_, request);
}

std::vector<Outcome> Engine::remove_sandboxes(const RemoveSandboxes& request) {
  return engine::remove_sandboxes(*impl_, request);
}

Result<std::vector<Sandbox>> Engine::sandboxes() {
  TRY(engine::collect_dead(*impl_));
  View look(*impl_->store);
  return look.state.sandboxes();
}

Result<Sandbox> Engine::sandbox(const Target& target) {
  TRY(engine::collect_stale(*impl_, target));
  View look(*impl_->store);
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return engine::find_sandbox(*impl_, look.state, target);
}

Result<std::vector<Endpoint>> Engine::endpoints_of_sandbox(const Sandbox& sandbox) {
  View look(*impl_->store);
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return look.state.endpoints(TRY(look.state.sandbox(sandbox.id)).endpoints);
}

std::string Engine::sandbox_file(const Sandbox& sandbox, std::string_view name) const {
  const auto directory = name == "log" ? engine::directory_of(*impl_, sandbox)
                                       : engine::names_directory_of(*impl_, sandbox);
  return directory + "/" + std::string(name);
}

Status Engine::sandbox_exited(const std::string& id, int exit_code) {
  Sandbox sandbox;
  sandbox.id = id;
  return engine::finish_if_known(*impl_, sandbox, exit_code);
}

// ---- the instance -------------------------------------------------------------------------------

Result<Snapshot> Engine::snapshot() {
  TRY(engine::collect_dead(*impl_));
  return Snapshot(TRY(engine::begin_reading(*impl_)));
}

Result<Snapshot> Engine::snapshot(const Target& target) {
  TRY(engine::collect_stale(*impl_, target));
  return Snapshot(TRY(engine::begin_reading(*impl_)));
}

Result<Info> Engine::info() {
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return engine::instance_info(*impl_);
}

Result<DiskUse> Engine::disk_use() {
  const auto one_state = TRY(engine::begin_reading(*impl_));
  return engine::disk_use(*impl_);
}

Result<std::vector<Repair>> Engine::reconcile() {
  return engine::reconcile_instance(*impl_);
}

std::vector<Error> Engine::reset() {
  return engine::reset_instance(*impl_);
}

void Engine::on_event(std::function<void(const Event&)> handler) {
  impl_->on_event = std::move(handler);
}

std::vector<Error> Engine::reset(const Config& config) {
  auto opened = open(config);
  if (opened) return opened->reset();
  if (opened.error().kind != ErrorKind::kCorrupt) return {std::move(opened).error()};
  Impl impl;
  return engine::reset_without_store(impl, config, opened.error());
}

Status Engine::reset_foreign() {
  return engine::reset_foreign(*impl_);
}

// ---- plans --------------------------------------------------------------------------------------

Result<PlanText> Engine::plan(const Request& request) {
  Draft draft(*impl_->store);
  const auto one_state = TRY(engine::begin_reading(*impl_));
  TRY(std::visit(
      [&](const auto& each) -> Status {
        auto prepared = engine::prepare(*impl_, draft, each);
        if (!prepared) return std::unexpected(prepared.error());
        return {};
      },
      request));
  auto plan = TRY(draft.take_plan());
  (void)plan::spare_others(impl_->kernel, plan);
  return PlanText{plan::render(plan), plan::to_json(plan)};
}

}  // namespace berth
