// Random requests, some of them made to fail half-way, against a model of what they should lead to.
// After every step kernel, store and model agree.
//
// The seed is printed; BERTH_TEST_SEED and BERTH_TEST_STEPS repeat or prolong a run.
#include <chrono>
#include <cstdlib>
#include <random>

#include "base/result.h"
#include "engine_fixture.h"

namespace berth::testing {
namespace {

constexpr int kNetworks = 3;
constexpr int kTargets = 4;
constexpr int kHostPorts = 4;  // few, so that they collide
constexpr auto kTimeLimit = std::chrono::seconds(8);

struct ModelEndpoint {
  int target;
  Ip ip;
  std::set<Port> host_ports;
  friend auto operator<=>(const ModelEndpoint&, const ModelEndpoint&) = default;
};

class EngineRandom : public EngineTest {
 protected:
  using Endpoints = std::vector<ModelEndpoint>;  // oldest first

  ModelEndpoint* endpoint(int network, int target) {
    if (!model_.contains(network)) return nullptr;
    for (auto& each : model_[network])
      if (each.target == target) return &each;
    return nullptr;
  }
  bool port_taken(Port port) const {
    for (const auto& [network, endpoints] : model_)
      for (const auto& each : endpoints)
        if (each.host_ports.contains(port)) return true;
    return false;
  }
  Ip first_free(int network) const {
    auto address = ip(fmt::format("10.{}.0.2", network));
    const auto& endpoints = model_.at(network);
    while (std::ranges::find(endpoints, address, &ModelEndpoint::ip) != endpoints.end())
      address = Ip::from_number(Ip::Family::kV4, address.number() + 1);
    return address;
  }
  int below(int limit) { return std::uniform_int_distribution(0, limit - 1)(random_); }

  // One random request. Whether it should succeed, whether it did, and what then is true.
  struct Step {
    std::string what;
    bool allowed;
    Status done;
    std::function<void()> then;
  };
  Step random_step() {
    const int network = 1 + below(kNetworks);
    const int target = below(kTargets);
    const auto port = static_cast<Port>(7000 + below(kHostPorts));
    const auto name = fmt::format("net{}", network);
    const auto& reference = targets_[target].target();
    const bool there = model_.contains(network);
    auto* attached = endpoint(network, target);
    const std::vector<std::string> spec = {fmt::format("{}:70", port)};
    switch (below(8)) {
      case 0: {
        CreateNetwork request{
            .name = name,
            .subnets = {},
            .labels = {},
            .options = {{"com.docker.network.bridge.name", fmt::format("br{}", network)}}};
        request.subnets.push_back({.subnet = cidr(fmt::format("10.{}.0.0/24", network)),
                                   .range = {},
                                   .gateway = {},
                                   .aux = {}});
        return {"create " + name, !there, status_of(instance_->create_network(request)),
                [=, this] { model_[network] = {}; }};
      }
      case 1: {
        const bool force = below(2) == 0;
        const bool allowed = there ? force || model_[network].empty() : force;
        return {fmt::format("rm {}{}", force ? "-f " : "", name), allowed,
                instance_->remove_networks({{name}, force})[0].status,
                [=, this] { remove(network); }};
      }
      case 2:
      case 3: {
        const bool publish = below(2) == 0;
        const auto address = there ? first_free(network) : Ip();
        return {fmt::format("connect {} {} {}", target, name, publish ? spec[0] : ""),
                there && !attached && !(publish && port_taken(port)),
                status_of(
                    instance_->connect({.network = name,
                                        .target = reference,
                                        .ports = publish ? ports(spec) : std::vector<PortSpec>{}})),
                [=, this] {
                  model_[network].push_back(
                      {target, address, publish ? std::set<Port>{port} : std::set<Port>{}});
                  order_[target].push_back(network);
                }};
      }
      case 4:
      case 5:
        return {fmt::format("disconnect {} {}", target, name), attached != nullptr,
                instance_->disconnect({.network = name, .target = reference}),
                [=, this] { detach(network, target); }};
      case 6:
        return {fmt::format("publish {} {} {}", target, name, spec[0]),
                attached && !port_taken(port),
                status_of(instance_->publish({name, reference, ports(spec)})),
                [=, this] { endpoint(network, target)->host_ports.insert(port); }};
      default:
        return {
            fmt::format("unpublish {} {} {}", target, name, spec[0]),
            attached && attached->host_ports.contains(port),
            status_of(instance_->unpublish({name, reference, {{Protocol::kTcp, Ip(), port, 70}}})),
            [=, this] { endpoint(network, target)->host_ports.erase(port); }};
    }
  }
  void detach(int network, int target) {
    std::erase_if(model_[network], [=](const auto& each) { return each.target == target; });
    std::erase(order_[target], network);
  }
  void remove(int network) {
    if (!model_.contains(network)) return;
    for (const auto& each : Endpoints(model_[network])) detach(network, each.target);
    model_.erase(network);
  }

  void expect_model_is_true() {
    std::map<int, Endpoints> found;
    for (const auto& network : must(instance_->networks())) {
      if (network.predefined) continue;
      const int number = std::stoi(network.name.substr(3));
      auto& endpoints = found[number];
      for (const auto& each : must(instance_->endpoints_of_network(network.id))) {
        const auto name = must(instance_->sandbox(each.sandbox_id)).name;
        const auto target = std::ranges::find(targets_, name, &TargetNs::target) - targets_.begin();
        std::set<Port> host_ports;
        for (const auto& mapping : each.ports) host_ports.insert(mapping.host_port);
        endpoints.push_back({static_cast<int>(target), each.address4->ip(), host_ports});
        // Of the networks of a target the one whose name is the first has the default route.
        EXPECT_EQ(each.default4, *std::ranges::min_element(order_[target]) == number) << name;
      }
      std::ranges::sort(endpoints);
    }
    auto expected = model_;
    for (auto& [network, endpoints] : expected) std::ranges::sort(endpoints);
    EXPECT_TRUE(found == expected);
    EXPECT_EQ(ip_forward(), model_.empty() ? "0" : "1");
    expect_agreement(instance_);
  }

  template <typename T>
  static Status status_of(const Result<T>& result) {
    if (!result) return std::unexpected(result.error());
    return {};
  }
  static unsigned from_environment(const char* name, unsigned otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? static_cast<unsigned>(std::stoul(text)) : otherwise;
  }

  Instance instance_;
  std::array<TargetNs, kTargets> targets_;
  std::map<int, Endpoints> model_;
  std::array<std::vector<int>, kTargets> order_;  // the networks of a target, oldest first
  std::mt19937 random_;
};

TEST_F(EngineRandom, RequestsLeadToWhatTheModelSays) {
  const auto seed = from_environment("BERTH_TEST_SEED", std::random_device{}());
  const auto steps = from_environment("BERTH_TEST_STEPS", 300);
  fmt::print("BERTH_TEST_SEED={}\n", seed);
  random_.seed(seed);
  const auto deadline = std::chrono::steady_clock::now() + kTimeLimit * (steps > 300 ? 100 : 1);
  std::string history;
  int succeeded = 0;
  for (unsigned i = 0; i < steps && std::chrono::steady_clock::now() < deadline; ++i) {
    bool made_to_fail = false;
    const int fault_at = below(4) == 0 ? below(6) : -1;
    instance_.impl().faults.before_op = [&](std::size_t at) -> Status {
      if (static_cast<int>(at) != fault_at) return {};
      made_to_fail = true;
      return fail(ErrorKind::kKernel, "made to fail");
    };
    const auto step = random_step();
    instance_.impl().faults = {};
    history += fmt::format("{}{}\n", step.what, made_to_fail ? " (made to fail)" : "");
    EXPECT_EQ(step.done.has_value(), step.allowed && !made_to_fail)
        << (step.done ? "it succeeded" : step.done.error().message);
    if (step.done) {
      step.then();
      ++succeeded;
    }
    expect_model_is_true();
    ASSERT_FALSE(HasFailure()) << "BERTH_TEST_SEED=" << seed << " after\n" << history;
  }
  EXPECT_GE(succeeded, 5);
}

}  // namespace
}  // namespace berth::testing
