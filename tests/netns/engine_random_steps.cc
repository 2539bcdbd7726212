#include "engine_random_steps.h"

#include <algorithm>

#include "base/result.h"

namespace berth::testing::random {
namespace {

using Halfway = Step::Halfway;

template <typename T>
Status status_of(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

std::string random_spec(Steps& steps) {
  static constexpr std::array kForms = {"{}:70",           "{}:70",       "{}:70/udp",
                                        "127.0.0.1:{}:70", "[::1]:{}:70", "[::]:{}:70/udp"};
  const auto* form = kForms.at(static_cast<std::size_t>(steps.below(kForms.size())));
  return fmt::format(fmt::runtime(form), 7000 + steps.below(4));  // few, so that they collide
}

CreateNetwork request_for(const Kind& kind) {
  CreateNetwork request{.name = kind.name,
                        .driver = std::string(name(kind.driver)),
                        .ipv4 = kind.subnet(Family::kV4).has_value(),
                        .ipv6 = kind.subnet(Family::kV6).has_value(),
                        .internal = kind.internal,
                        .routes = kind.routes};
  for (const auto& subnet : kind.subnets)
    request.subnets.push_back({.subnet = subnet, .gateway = nth(subnet, 1)});
  auto& options = request.options;
  if (kind.metric != 0) options["metric"] = std::to_string(kind.metric);
  if (kind.driver != Driver::kBridge) {
    options["parent"] = kind.device;
    if (!kind.mode.empty()) options["macvlan_mode"] = kind.mode;
    if (kind.host_access) options["host_access"] = "true";
    return request;
  }
  if (kind.given && kind.managed)
    request.adopt = kind.device;
  else
    options["com.docker.network.bridge.name"] = kind.device;
  if (!kind.managed) options["mode"] = "unmanaged";
  if (kind.routed)
    options["com.docker.network.bridge.gateway_mode_ipv4"] =
        options["com.docker.network.bridge.gateway_mode_ipv6"] = "routed";
  return request;
}

}  // namespace

// ---- what a step names --------------------------------------------------------------------------

int Steps::below(int limit) {
  return std::uniform_int_distribution(0, limit - 1)(random_);
}

bool Steps::strange() {
  return below(6) == 0;
}

const Kind& Steps::any_network() {
  if (model_.networks.empty() || strange()) return one_of(kinds());
  return kind(one_of(model_.networks).first);
}

std::string Steps::any_box() {
  constexpr std::array kNames = {"one", "two", "three", "box1", "box2"};
  return strange() ? one_of(kNames) : one_of(model_.boxes).first;
}

std::pair<std::string, Connection> Steps::any_connection(bool (*wanted)(const Connection&)) {
  std::vector<std::pair<std::string, Connection>> all;
  for (const auto& [name, box] : model_.boxes)
    for (const auto& each : box.connections)
      if (wanted(each)) all.emplace_back(name, each);
  if (!all.empty() && !strange()) return one_of(all);
  return {any_box(), {.network = any_network().name}};
}

Step Steps::next() {
  using Make = Step (Steps::*)();
  static const std::vector<std::pair<int, Make>> kWeights = {
      {6, &Steps::create_network}, {3, &Steps::remove_network}, {1, &Steps::update_network},
      {1, &Steps::prune},          {2, &Steps::create_box},     {2, &Steps::remove_box},
      {12, &Steps::connect},       {6, &Steps::disconnect},     {4, &Steps::publish},
      {3, &Steps::unpublish},      {1, &Steps::share},          {1, &Steps::ask_of_sharer},
      {6, &Steps::reconcile}};
  int sum = 0;
  for (const auto& [weight, make] : kWeights) sum += weight;
  int drawn = below(sum);
  for (const auto& [weight, make] : kWeights) {
    if (drawn < weight) return (this->*make)();
    drawn -= weight;
  }
  std::abort();
}

// ---- networks -----------------------------------------------------------------------------------

Step Steps::create_network() {
  std::vector<const Kind*> allowed;
  for (const auto& each : kinds())
    if (model_.may_create(each)) allowed.push_back(&each);
  const auto& wanted = allowed.empty() || strange() ? one_of(kinds()) : *one_of(allowed);
  return {
      .name = "create " + wanted.name,
      .allowed = model_.may_create(wanted),
      .act = [&wanted](
                 Engine& engine) { return status_of(engine.create_network(request_for(wanted))); },
      .then = [&wanted](Model& model) { model.networks[wanted.name] = {}; }};
}

Step Steps::remove_network() {
  const auto name = any_network().name;
  const bool force = below(2) == 0;
  const bool there = model_.networks.contains(name);
  return {.name = fmt::format("remove {}{}", name, force ? " by force" : ""),
          .allowed = force || (there && !model_.in_use(name)),
          .act = [=](Engine& engine) { return engine.remove_networks({{name}, force})[0].status; },
          .then = [=](Model& model) { model.remove_network(name); },
          .halfway = Halfway::kFinished};
}

Step Steps::update_network() {
  const auto name = any_network().name;
  const auto key = fmt::format("label{}", below(2));
  const bool add = below(2) == 0;
  return {.name = fmt::format("{} {} of {}", add ? "set" : "erase", key, name),
          .allowed = model_.networks.contains(name),
          .act =
              [=](Engine& engine) {
                UpdateNetwork request{.network = name};
                if (add)
                  request.add_labels[key] = "x";
                else
                  request.remove_labels.push_back(key);
                return status_of(engine.update_network(request));
              },
          .then =
              [=](Model& model) {
                if (add)
                  model.networks[name][key] = "x";
                else
                  model.networks[name].erase(key);
              }};
}

Step Steps::prune() {
  return {.name = "prune",
          .act = [](Engine& engine) -> Status {
            RemoveNetworks request;
            for (const auto& network : TRY(engine.unused_networks()))
              request.networks.push_back(network.name);
            for (const auto& outcome : engine.remove_networks(request)) TRY(outcome.status);
            return {};
          },
          .then =
              [](Model& model) {
                for (const auto& [name, labels] : std::map(model.networks))
                  if (!model.in_use(name)) model.remove_network(name);
              },
          .halfway = Halfway::kNever};
}

// ---- sandboxes ----------------------------------------------------------------------------------

Step Steps::create_box() {
  const auto name = fmt::format("box{}", 1 + below(2));
  return {.name = "create " + name,
          .allowed = !model_.boxes.contains(name),
          .act = [=](Engine& engine) { return status_of(engine.create_sandbox({.name = name})); },
          .then = [=](Model& model) { model.boxes[name].foreign = false; }};
}

Step Steps::remove_box() {
  const auto name = any_box();
  const auto target = place_.target(name);
  const auto found = model_.boxes.find(name);
  // A foreign namespace is known while it is on a network.
  const bool there =
      found != model_.boxes.end() && (!found->second.foreign || !found->second.connections.empty());
  return {
      .name = "remove " + name,
      .allowed = there && !found->second.shared,
      .act = [=](Engine& engine) { return engine.remove_sandboxes({{target}, false})[0].status; },
      .then =
          [=](Model& model) {
            if (model.boxes[name].foreign)
              model.boxes[name].connections.clear();
            else
              model.boxes.erase(name);
          },
      .halfway = Halfway::kFinished};
}

Step Steps::share() {
  if (sharer_)
    return {.name = "the one in " + shared_box_ + " ends",
            .act =
                [this](Engine& engine) {
                  sharer_->end();
                  return status_of(engine.sandboxes());  // which collects it
                },
            .then =
                [this](Model& model) {
                  sharer_.reset();
                  model.boxes[shared_box_].shared = false;
                },
            .halfway = Halfway::kNever};
  const auto name = fmt::format("box{}", 1 + below(2));
  return {.name = "share " + name,
          .act = [=, this](Engine& engine) -> Status {
            const auto owner = engine.sandbox(name);
            if (owner)
              sharer_ = std::make_unique<FakeSandbox>(place_.instance, "guest", owner->id,
                                                      /*auto_remove=*/true);
            return {};
          },
          .then =
              [=, this](Model& model) {
                if (!sharer_) return;
                model.boxes[name].shared = true;
                shared_box_ = name;
              },
          .halfway = Halfway::kNever};
}

// It has no network of its own: whatever is asked of it is refused.
Step Steps::ask_of_sharer() {
  const auto network = any_network().name;
  if (below(2) == 0)
    return {.name = "connect guest to " + network, .allowed = false, .act = [=](Engine& engine) {
              return status_of(engine.connect({.network = network, .target = "guest"}));
            }};
  return {.name = "disconnect guest from " + network, .allowed = false, .act = [=](Engine& engine) {
            return engine.disconnect({.network = network, .target = "guest"});
          }};
}

void Steps::end_sharer() {
  if (!sharer_) return;
  const auto step = share();
  must(step.act(*place_.instance));
  step.then(model_);
}

// ---- connections --------------------------------------------------------------------------------

Step Steps::connect() {
  std::vector<std::pair<std::string, const Kind*>> apart;
  for (const auto& [name, each] : model_.boxes)
    for (const auto& [network, labels] : model_.networks)
      if (model_.connection(name, kind(network))) apart.emplace_back(name, &kind(network));
  const auto [box, to] =
      apart.empty() || strange() ? std::pair(any_box(), &any_network()) : one_of(apart);
  const auto& network = *to;
  Connect request{.network = network.name, .target = place_.target(box)};
  request.options.gw_priority = below(3) == 0 ? below(3) * 10 : 0;
  // On macvlan an address that was asked for is looked for on the segment, which takes its time.
  const auto subnet4 = network.subnet(Family::kV4);
  if (below(6) == 0 && subnet4 && network.driver == Driver::kBridge)
    request.options.ip4 = nth(*subnet4, 100 + static_cast<unsigned>(below(2)));
  auto joining = model_.connection(box, network, request.options.ip4);
  if (joining) joining->priority = request.options.gw_priority;
  auto text = fmt::format("connect {} to {}", box, network.name);
  if (request.options.gw_priority != 0)
    text += fmt::format(", priority {}", request.options.gw_priority);
  if (request.options.ip4) text += ", as " + request.options.ip4->str();
  if (below(model_.may_link(box, "box1") || model_.may_link(box, "box2") ? 2 : 20) == 0) {
    const auto other = fmt::format("box{}", 1 + below(2));
    request.options.links = {other + ":linked"};
    text += ", link to " + other;
    if (!model_.may_link(box, other)) joining.reset();
    if (joining) joining->link = other;
  }
  if (below(3) == 0) {
    const auto spec = random_spec(*this);
    request.ports = ports({spec});
    if (joining) joining = model_.published(*joining, request.ports[0]);
    text += ", publish " + spec;
  }
  return {.name = text,
          .allowed = joining.has_value(),
          .act = [=](Engine& engine) { return status_of(engine.connect(request)); },
          .then =
              [=](Model& model) {
                model.boxes[box].connections.push_back(*joining);
                model.translator = model.translator || model.translator_needed();
              }};
}

Step Steps::disconnect() {
  const auto [box, connection] = any_connection([](const Connection&) { return true; });
  const auto network = connection.network;
  const auto target = place_.target(box);
  return {
      .name = fmt::format("disconnect {} from {}", box, network),
      .allowed = model_.find(box, network) != nullptr,
      .act =
          [=](Engine& engine) { return engine.disconnect({.network = network, .target = target}); },
      .then =
          [=](Model& model) {
            std::erase_if(model.boxes[box].connections,
                          [&](const auto& each) { return each.network == network; });
          },
      .halfway = Halfway::kFinished};
}

Step Steps::publish() {
  const auto [box, connection] =
      any_connection([](const Connection& each) { return kind(each.network).in_table(); });
  const auto network = connection.network;
  const auto spec = random_spec(*this);
  const Publish request{network, place_.target(box), ports({spec})};
  const auto* there = model_.find(box, network);
  const auto published =
      there ? model_.published(*there, request.ports[0]) : std::optional<Connection>();
  return {.name = fmt::format("publish {} of {} on {}", spec, box, network),
          .allowed = published.has_value(),
          .act = [=](Engine& engine) { return status_of(engine.publish(request)); },
          .then =
              [=](Model& model) {
                *model.find(box, network) = *published;
                model.translator = model.translator || model.translator_needed();
              }};
}

// All that a port of the host leads to.
Step Steps::unpublish() {
  const auto [box, connection] =
      any_connection([](const Connection& each) { return !each.ports.empty(); });
  const auto network = connection.network;
  const auto& listed = connection.ports;
  const auto port = listed.empty() ? PortMapping{Protocol::kTcp, Ip(), 7000, 70} : one_of(listed);
  const auto same = [=](const PortMapping& each) {
    return each.protocol == port.protocol && each.host_port == port.host_port;
  };
  Unpublish request{network, place_.target(box), {}};
  std::ranges::copy_if(listed, std::back_inserter(request.ports), same);
  const bool allowed = !request.ports.empty();
  if (!allowed) request.ports.push_back(port);
  return {.name = fmt::format("unpublish {}/{} of {} on {}", port.host_port, name(port.protocol),
                              box, network),
          .allowed = allowed,
          .act = [=](Engine& engine) { return status_of(engine.unpublish(request)); },
          .then =
              [=](Model& model) {
                auto& changed = *model.find(box, network);
                std::erase_if(changed.ports, same);
                std::erase_if(changed.translated, same);
              },
          .halfway = Halfway::kFinished};
}

}  // namespace berth::testing::random
