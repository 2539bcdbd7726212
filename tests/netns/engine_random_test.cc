// Random requests over every driver, some of them made to fail or killed half-way, and damage to
// the kernel that is reconciled, against a model of what should be true. After every step kernel,
// store and model agree; once all is removed again, everything is as it was.
//
//   engine_random_model.h   what should be true, and what may be asked for
//   engine_random_facts.h   how that is compared with kernel and store
//   engine_random_steps.h   what may happen next
//
// The seed is printed; BERTH_TEST_SEED and BERTH_TEST_STEPS repeat or prolong a run. With a seed
// given every step is printed as it comes.
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/result.h"
#include "engine_random_steps.h"
#include "kernel/netlink/link.h"
#include "translator/translator.h"

namespace berth::testing {
namespace {

namespace fs = std::filesystem;
using random::Model;
using random::Place;
using random::Step;
using random::Steps;
using Halfway = Step::Halfway;

constexpr unsigned kSteps = 1000;
constexpr auto kTimeLimit = std::chrono::seconds(150);  // of steps that nobody asked for

unsigned from_environment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::stoul(text)) : otherwise;
}

std::set<std::string> files_below(const std::string& directory) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) files.insert(entry.path());
  return files;
}

class EngineRandom : public ::testing::Test {
 protected:
  // How far a step came.
  enum class End { kDone, kRefused, kFailed, kKilled, kKilledOnceRecorded };

  void SetUp() override {
    model_.translator_possible = translator::possible().has_value();
    if (!model_.translator_possible) fmt::print("Without the translator: none is possible here\n");
    for (const auto& [name, netns] : place_.foreign) model_.boxes[name];
    before_ = look();
  }

  std::string look() {
    std::vector<TargetNs*> targets{&place_.machine};
    for (auto& [name, netns] : place_.foreign) targets.push_back(&netns);
    auto text = picture(place_.instance, targets);
    for (const auto& file : files_below(place_.instance.config().root)) text += file + "\n";
    return text;
  }

  // Does it, and now and then sees to it that an operation of it fails or that its process is
  // killed.
  void take(const Step& step) {
    note(step.name);
    step.damage();
    const int chance = steps_.below(8);
    const bool sturdy = step.halfway == Halfway::kNever;
    const auto end = sturdy || chance > 2 ? attempt(step)
                     : chance == 0        ? die_in(step)
                                          : fail_in(step);
    note(end == End::kRefused ? ": refused\n" : "\n");
    if (end == End::kDone) {
      EXPECT_TRUE(step.allowed) << "it was not refused";
    } else if (end == End::kRefused) {
      EXPECT_FALSE(step.allowed) << refusal_;
    } else if (step.halfway == Halfway::kRepeated) {
      EXPECT_EQ(attempt(step), End::kDone) << refusal_;
    }
    const bool killed = end == End::kKilled || end == End::kKilledOnceRecorded;
    EXPECT_TRUE(!killed || step.allowed) << "it was not refused";
    if (end == End::kDone || end == End::kKilledOnceRecorded ||
        (killed && step.halfway == Halfway::kFinished))
      step.then(model_);
    ++ends_[end];
    expect_true(model_, place_);
  }

  void note(const std::string& text) {
    history_ += text;
    if (!loud_) return;
    fmt::print("{}", text);
    std::fflush(stdout);
  }

  End attempt(const Step& step) {
    const auto done = step.act(*place_.instance);
    if (!done) refusal_ = done.error().message;
    return done ? End::kDone : End::kRefused;
  }

  End fail_in(const Step& step) {
    const auto where = static_cast<std::size_t>(steps_.below(10));
    bool failed = false;
    auto& faults = place_.instance.impl().faults;
    faults.before_op = [&](std::size_t at) -> Status {
      if (at != where || failed) return {};
      failed = true;
      return fail(ErrorKind::kKernel, "made to fail");
    };
    const auto end = attempt(step);
    faults = {};
    if (!failed) return end;
    note(fmt::format(" (made to fail at operation {})", where));
    EXPECT_EQ(end, End::kRefused) << "it went on";
    return End::kFailed;
  }

  // Another process does it and is killed: before an operation, or at a step of the commit.
  End die_in(const Step& step) {
    constexpr std::array<std::string_view, 4> kAt = {"journalled", "applied", "named", "recorded"};
    const auto drawn = static_cast<std::size_t>(steps_.below(12));
    const auto child = fork();
    if (child == 0) {
      auto engine = Engine::open(place_.instance.config());
      if (!engine) _exit(2);
      auto& faults = EngineAccess::instance(*engine).faults;
      faults.at = [&](std::string_view at) {
        if (drawn < kAt.size() && at == kAt[drawn]) raise(SIGKILL);
      };
      faults.before_op = [&](std::size_t at) -> Status {
        if (at + kAt.size() == drawn) raise(SIGKILL);
        return {};
      };
      _exit(step.act(*engine) ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
      refusal_ = "in another process";
      EXPECT_LT(WEXITSTATUS(status), 2) << "the instance could not be opened";
      return WEXITSTATUS(status) == 0 ? End::kDone : End::kRefused;
    }
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    note(drawn < kAt.size() ? fmt::format(" (killed once {})", kAt[drawn])
                            : fmt::format(" (killed before operation {})", drawn - kAt.size()));
    {
      const auto held = must(engine::lock_instance(place_.instance.impl()));
      engine::remove_stray_files(place_.instance.impl(), std::chrono::seconds(0));
    }
    return drawn < kAt.size() && kAt[drawn] == "recorded" ? End::kKilledOnceRecorded : End::kKilled;
  }

  void remove_everything() {
    steps_.end_sharer();
    RemoveNetworks networks{{}, true};
    for (const auto& [name, labels] : model_.networks) networks.networks.push_back(name);
    for (const auto& outcome : place_.instance->remove_networks(networks)) must(outcome.status);
    RemoveSandboxes boxes;
    for (const auto& [name, box] : model_.boxes)
      if (!box.foreign) boxes.targets.push_back(name);
    for (const auto& outcome : place_.instance->remove_sandboxes(boxes)) must(outcome.status);
  }

  Place place_;
  Model model_;
  const unsigned seed_ = from_environment("BERTH_TEST_SEED", std::random_device{}());
  Steps steps_{place_, model_, seed_};
  const bool loud_ = std::getenv("BERTH_TEST_SEED") != nullptr;
  std::string before_, refusal_, history_;
  std::map<End, int> ends_;
};

TEST_F(EngineRandom, RequestsLeadToWhatTheModelSays) {
  fmt::print("BERTH_TEST_SEED={}\n", seed_);
  std::fflush(stdout);
  const auto asked = from_environment("BERTH_TEST_STEPS", 0);
  const auto steps = asked != 0 ? asked : kSteps;
  const auto started = std::chrono::steady_clock::now();
  unsigned taken = 0;
  for (; taken < steps; ++taken) {
    if (asked == 0 && std::chrono::steady_clock::now() - started > kTimeLimit) break;
    take(steps_.next());
    ASSERT_FALSE(HasFailure()) << "BERTH_TEST_SEED=" << seed_ << " after\n" << history_;
  }
  fmt::print("{} of {} steps in {:.0f} s: {} done, {} refused, {} failed, {} killed{}\n", taken,
             steps,
             std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count(),
             ends_[End::kDone], ends_[End::kRefused], ends_[End::kFailed],
             ends_[End::kKilled] + ends_[End::kKilledOnceRecorded],
             taken < steps ? " (the time was up)" : "");
  remove_everything();
  expect_same(look(), before_);
  ASSERT_FALSE(HasFailure()) << "BERTH_TEST_SEED=" << seed_ << " after\n" << history_;
}

}  // namespace
}  // namespace berth::testing
