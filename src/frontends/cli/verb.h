// What a verb of the command line is.
//
// Theory of operation: the verbs form a constant tree (kRoot in verbs.cc; a group names its
// children, a leaf names the function that declares its options). A command line is walked down
// this tree word by word, and only the leaf it ends at builds a CLI11 parser: start-up costs the
// same however many verbs there are, and a network that is called "run" is never taken for the
// verb. --help, the man pages and shell completion walk the same tree, so they cannot differ from
// what is parsed.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/engine.h"
#include "berth/result.h"

namespace CLI {
class App;
}

namespace berth::cli {

// Exit codes. run and exec have Docker's: kExitRun for what berth itself refuses, else the
// command's.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitRun = 125;

struct DryRun;  // options.h

/// What a verb acts with: the global options, and the command of verbs that run one.
struct Context {
  std::string root, run;           ///< --root, --run; empty: the engine's defaults
  std::string config;              ///< --config; empty: /etc/berth/config.json where it exists
  std::vector<std::string> pools;  ///< --default-address-pool
  std::vector<std::string> command;

  /// The engine's settings: options before environment before configuration file.
  [[nodiscard]] Result<Config> settings() const;
  /// For what berth's own helpers call, whom nobody watches: without the configuration file, which
  /// may have been damaged since they were started.
  [[nodiscard]] Config helper_settings() const;
  [[nodiscard]] Result<Engine> open() const;
  /// For a verb that may only have to print its plan: then nothing is made, not even a store.
  [[nodiscard]] Result<Engine> open(const DryRun& dry_run) const;
};

/// Does what the parsed options ask for; the result is the exit code.
using Action = std::function<Result<int>(Context&)>;

struct Verb {
  std::string_view name;
  std::string_view aliases = {};  ///< other names, separated by blanks
  std::string_view summary;
  std::string_view details = {};             ///< more about it: --help and man page
  std::string_view examples;                 ///< command lines, each ended by a newline
  bool hidden = false;                       ///< for programs: neither listed nor completed
  Action (*build)(CLI::App& app) = nullptr;  ///< a leaf: declares its options
  std::span<const Verb* const> verbs = {};   ///< a group
  /// Verbs that take a command: how many arguments come before it. What follows is the command's
  /// own, options included.
  int command_after = -1;
  std::string_view command_name = "COMMAND [ARG...]";
  bool command_optional = false;
  int refused = kExitRefused;
  int usage = kExitUsage;

  [[nodiscard]] bool is_called(std::string_view word) const;
  [[nodiscard]] bool is_group() const { return build == nullptr; }
  [[nodiscard]] bool takes_command() const { return command_after >= 0; }
};

extern const Verb kRoot;

/// Where a command line leads: the verbs from kRoot on, and the other words in their order.
struct Walk {
  std::vector<const Verb*> path;
  std::vector<std::string> rest;
  std::string unknown;  ///< the word that should have named a verb of the group it ends at
  [[nodiscard]] const Verb& verb() const { return *path.back(); }
};
/// Goes down the tree as long as the next word that is no global option names a verb.
[[nodiscard]] Walk walk(std::span<const std::string> words);

/// "berth network create"
[[nodiscard]] std::string full_name(std::span<const Verb* const> path);

}  // namespace berth::cli
