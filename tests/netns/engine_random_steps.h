// What may happen next: one request of a random kind, with random things named in it. A step is a
// value; whoever has it does it, and says what became of it.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>

#include "engine_random_facts.h"
#include "engine_random_model.h"
#include "fake_sandbox.h"

namespace berth::testing::random {

struct Step {
  std::string name;
  bool allowed = true;                               ///< by the model
  std::function<Status(Engine&)> act;                ///< by an engine that may be another process's
  std::function<void(Model&)> then = [](Model&) {};  ///< what holds once it is done

  /// What happens to a step that does not get to its end.
  enum class Halfway {
    kTakenBack,  ///< it makes something: as if it had not been asked for
    kFinished,   ///< it removes something: killed, it is carried on to its end; failed, taken back
    kRepeated,   ///< it mends something, piece by piece: it is asked for again
    kNever,      ///< it is not one change: nothing is made to fail in it
  } halfway = Halfway::kTakenBack;

  /// What somebody else does to the kernel before.
  std::function<void()> damage = [] {};
};

class Steps {
 public:
  Steps(Place& place, Model& model, unsigned seed) : place_(place), model_(model), random_(seed) {}

  [[nodiscard]] Step next();
  /// A number from 0 on, less than `limit`.
  [[nodiscard]] int below(int limit);
  /// Whoever shares a namespace ends.
  void end_sharer();

 private:
  template <typename List>
  const auto& one_of(const List& list) {
    return *std::next(list.begin(), below(static_cast<int>(list.size())));
  }
  /// Now and then something is asked for that is not there.
  bool strange();
  const Kind& any_network();
  std::string any_box();
  /// A box and its connection, one that is wanted.
  std::pair<std::string, Connection> any_connection(bool (*wanted)(const Connection&));

  Step create_network();
  Step remove_network();
  Step update_network();
  Step prune();
  Step create_box();
  Step remove_box();
  Step connect();
  Step disconnect();
  Step publish();
  Step unpublish();
  Step share();
  Step ask_of_sharer();
  Step reconcile();

  Place& place_;
  Model& model_;
  std::mt19937 random_;
  std::unique_ptr<FakeSandbox> sharer_;
  std::string shared_box_;
};

/// What can happen to the kernel behind berth's back, of what is there: a shell command, and the
/// sandbox that it happens in (empty: the host).
struct Damage {
  std::string command;
  std::string box;
};
[[nodiscard]] std::vector<Damage> possible_damage(const Model& model);

}  // namespace berth::testing::random
