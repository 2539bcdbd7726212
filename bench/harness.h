// What the benchmarks share: samples and what is said of them, private namespaces to work in, child
// processes, and results as JSON.
//
// A benchmark that cannot run (no root, a kernel that refuses) says why and exits: die(). None of
// them asserts a time. What is compared is measured in turns in one run, so that noise of the
// machine hits both sides.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace berth::bench {

using Json = nlohmann::ordered_json;

/// Says `message` on stderr and ends the program with 1.
[[noreturn]] void die(std::string_view message);

/// The value, or the end of the program with the error's sentence.
template <typename T>
T must(Result<T> result) {
  if (!result) die(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// Times of one thing, in milliseconds.
class Samples {
 public:
  void add(double milliseconds) { values_.push_back(milliseconds); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  /// The smallest value that `fraction` of all are not above (nearest rank); 0 where there are
  /// none.
  [[nodiscard]] double quantile(double fraction) const;
  [[nodiscard]] double median() const { return quantile(0.5); }
  [[nodiscard]] Json json() const;  ///< {"median_ms":, "p99_ms":, "count":}

 private:
  std::vector<double> values_;
};

/// Two medians' ratio, rounded as results show it.
[[nodiscard]] double ratio(const Samples& slow, const Samples& fast);

/// How long `body` takes, in milliseconds.
template <typename Body>
double milliseconds(Body&& body) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  body();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// What every benchmark program takes: [--quick] [--json FILE] [--berth PROGRAM].
struct Options {
  bool quick = false;
  std::string json;   ///< file for the results; empty: none
  std::string berth;  ///< the program to measure; empty: the one beside this program
};
[[nodiscard]] Options parse_options(int argc, char** argv);
void write_results(const Options& options, const Json& results);

/// Moves this process to a network and a mount namespace of its own, with a /run/netns of its own
/// and packet forwarding left off. Nothing made afterwards is the host's.
void enter_private_namespaces();

/// An empty directory that goes, with all in it, when the program ends.
[[nodiscard]] const std::string& scratch_dir();

/// A directory that plays /run for who is measured: on a tmpfs, like that.
[[nodiscard]] std::string run_dir();

/// Makes a network namespace held by /run/netns/NAME, its loopback device up; gives its path.
[[nodiscard]] std::string make_netns(const std::string& name);
void remove_netns(const std::string& path);

/// A command, its input and its additional environment ("K=V"). Output goes to /dev/null, errors to
/// the terminal.
struct Command {
  std::vector<std::string> argv;
  std::string input;
  std::vector<std::string> env;
  std::string root;  ///< where to chroot first; empty: stay
};
/// Starts it without waiting.
[[nodiscard]] pid_t start(const Command& command);
/// Waits for a child; whether it exited with 0.
[[nodiscard]] bool succeeds(pid_t child);
/// Runs it to its end, which must be 0.
void run(const Command& command);
/// Runs it and gives what it wrote to its standard output.
[[nodiscard]] std::string output_of(const Command& command);

/// The berth program with an instance and a network `bench` (10.99.0.0/16, device bench0) of its
/// own.
class Berth {
 public:
  explicit Berth(std::string program);
  [[nodiscard]] Command command(std::vector<std::string> words) const;
  void operator()(std::vector<std::string> words) const { run(command(std::move(words))); }

 private:
  std::string program_;
};

}  // namespace berth::bench
