// Declaring and parsing the options of one verb. CLI11 is used behind this header only: it is heavy
// to compile, and every option of berth follows the few rules that stand here:
//   an option given twice: the last one holds, but a list takes one more element each time;
//   short flags may be combined (-dt), and a short option's value may be attached (-p8080:80);
//   everything is text here, and is given its type by the verb, whose errors say what is allowed.
// What is declared must outlive the parsing: verbs keep it in a shared_ptr that their Action holds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/result.h"
#include "frontends/cli/verb.h"

namespace berth::cli {

/// "-q,--quiet": present or not.
void add_flag(CLI::App& app, const char* names, bool& into, const char* help);
/// The same where neither is a third thing.
void add_flag(CLI::App& app, const char* names, std::optional<bool>& into, const char* help);
/// `type` names the value: in --help, and to completion (NETWORK, TARGET, DIR and FILE are
/// completed).
void add_text(CLI::App& app, const char* names, const char* type, std::string& into,
              const char* help);
void add_list(CLI::App& app, const char* names, const char* type, std::vector<std::string>& into,
              const char* help);
/// Arguments without a name, in order. A list must come last and takes at least one unless
/// optional.
enum class Need : bool { kRequired, kOptional };
void add_argument(CLI::App& app, const char* name, std::string& into, const char* help,
                  Need need = Need::kRequired);
void add_arguments(CLI::App& app, const char* name, std::vector<std::string>& into,
                   const char* help, Need need = Need::kRequired);

/// What `--dry-run` and its `--format` say.
struct DryRun {
  bool on = false;
  std::string format;
};
/// Every changing verb has these two.
void add_dry_run(CLI::App& app, DryRun& into);
/// Refuses a form that a plan has not.
[[nodiscard]] Status check_plan_format(std::string_view format);
void print_commands(std::span<const std::string> commands);
/// Prints what the request would do.
[[nodiscard]] Result<int> show_plan(Engine& engine, const DryRun& dry_run,
                                    const Engine::Request& request);

/// The parser of one verb with the global options, ready to parse or to be described.
class Parser {
 public:
  Parser(const Verb& verb, Context& context);
  Parser(const Parser&) = delete;  // what is parsed is bound to it
  Parser& operator=(const Parser&) = delete;
  ~Parser();

  enum class Wanted : std::uint8_t { kAction, kHelp, kVersion };
  struct Wrong {
    std::string sentence;
    bool is_value = false;  ///< a refusal as any bad value, and no error of usage
  };
  /// Reads the words into what was declared.
  [[nodiscard]] std::expected<Wanted, Wrong> parse(std::span<const std::string> words);
  [[nodiscard]] const Action& action() const { return action_; }
  /// --format of `berth --version`.
  [[nodiscard]] const std::string& version_format() const { return version_format_; }

  /// An option or argument as help, man pages and completion see it.
  struct Item {
    std::vector<std::string> names;  ///< with dashes, short ones first; empty: an argument
    std::string type;                ///< of the value, or the argument's name; empty: a flag
    std::string help;
    bool global = false;
    bool required = false;
    bool list = false;
  };
  [[nodiscard]] std::vector<Item> items() const;

 private:
  struct Words {
    std::vector<std::string> own, command;
  };
  [[nodiscard]] Words split(std::span<const std::string> words) const;
  [[nodiscard]] bool split_short(const std::string& word, std::vector<std::string>& own) const;
  [[nodiscard]] bool takes_value(const std::string& name) const;

  const Verb& verb_;
  Context& context_;
  std::unique_ptr<CLI::App> app_;
  Action action_;
  bool wants_version_ = false;
  std::string version_format_;
};

/// A whole number of `option`, or an error that names option, value and range.
[[nodiscard]] Result<std::int64_t> parse_number(std::string_view option, std::string_view text,
                                                std::int64_t min, std::int64_t max);
/// "K=V" pairs as a map; "K" alone has an empty value. A missing key is an error.
[[nodiscard]] Result<Labels> parse_pairs(std::string_view option,
                                         std::span<const std::string> texts);
/// Absent where the text is empty; else the parsed value, or an error that names the option.
template <typename T>
[[nodiscard]] Result<std::optional<T>> parse_optional(std::string_view option,
                                                      const std::string& text) {
  if (text.empty()) return std::optional<T>();
  auto value = T::parse(text);
  if (value) return std::optional<T>(*std::move(value));
  auto error = std::move(value).error();
  error.message = std::string(option) + ": " + error.message;
  return std::unexpected(std::move(error));
}
[[nodiscard]] Result<std::vector<Cidr>> parse_link_local_ips(std::span<const std::string> texts);
[[nodiscard]] Result<std::vector<PortSpec>> parse_ports(std::span<const std::string> texts);

}  // namespace berth::cli
