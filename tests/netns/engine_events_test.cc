// Events: told once a change is recorded, in order, and none for what failed.
#include "berth/event.h"

#include "base/result.h"

#include "engine_fixture.h"

namespace berth::testing {
namespace {

using EngineEvents = EngineTest;

// "network connect n1 box", as the events come.
class Told {
 public:
  explicit Told(Instance& instance) {
    instance->on_event([this](const Event& event) {
      EXPECT_GT(event.time, 0);
      auto text = std::string(name(event.action));
      for (const auto* word : {&event.network_name, &event.sandbox_name})
        if (!word->empty()) text += " " + *word;
      events_.push_back(std::move(text));
    });
  }
  std::vector<std::string> take() { return std::exchange(events_, {}); }

 private:
  std::vector<std::string> events_;
};

using Words = std::vector<std::string>;

TEST_F(EngineEvents, TellTheLifeOfANetworkAndItsSandboxes) {
  Instance instance;
  Told told(instance);
  instance.make_network(1);
  EXPECT_EQ(told.take(), Words{"network create net1"});
  must(instance->create_sandbox({.name = "box", .hostname = {}}));
  EXPECT_EQ(told.take(), Words{"container create box"});
  must(instance->connect({.network = "net1", .target = "box"}));
  EXPECT_EQ(told.take(), Words{"network connect net1 box"});
  must(instance->update_network({.network = "net1", .add_labels = {{"a", "b"}}}));
  EXPECT_EQ(told.take(), Words{"network update net1"});
  EXPECT_TRUE(instance->remove_sandboxes({{"box"}, true})[0].status);
  EXPECT_EQ(told.take(), (Words{"network disconnect net1 box", "container destroy box"}));
  EXPECT_TRUE(instance->remove_networks({{"net1"}})[0].status);
  EXPECT_EQ(told.take(), Words{"network destroy net1"});
}

TEST_F(EngineEvents, TellNothingOfWhatFailedOrIsOnlyPlanned) {
  Instance instance;
  instance.make_network(1);
  must(instance->create_sandbox({.name = "box", .hostname = {}}));
  Told told(instance);
  must(instance->plan(Connect{.network = "net1", .target = "box"}));
  instance.impl().faults.before_op = [](std::size_t position) -> Status {
    if (position < 2) return {};
    return fail(ErrorKind::kIo, "as the test wants it");
  };
  EXPECT_FALSE(instance->connect({.network = "net1", .target = "box"}));
  EXPECT_EQ(told.take(), Words{});
}

}  // namespace
}  // namespace berth::testing
