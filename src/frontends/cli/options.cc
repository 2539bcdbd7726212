#include "frontends/cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <stdexcept>

#include "base/nearest.h"
#include "base/result.h"
#include "frontends/cli/output.h"

namespace berth::cli {
namespace {

constexpr const char* kGlobalGroup = "Global options";

void add_globals(CLI::App& app, Context& context) {
  app.add_option("--root", context.root, "Directory of the store (BERTH_ROOT) [/var/lib/berth]")
      ->type_name("DIR");
  app.add_option("--run", context.run,
                 "Directory of sockets, namespace handles and logs (BERTH_RUN) [/run/berth]")
      ->type_name("DIR");
  app.add_option("--config", context.config, "Configuration file [/etc/berth/config.json]")
      ->type_name("FILE");
  app.add_option("--default-address-pool", context.pools,
                 "Take unasked subnets from here: base=CIDR,size=BITS")
      ->type_name("POOL")
      ->allow_extra_args(false);
  for (auto* option : app.get_options()) {
    option->group(kGlobalGroup);
    if (option->get_expected_max() == 1) option->take_last();
  }
}

// What CLI11 found, as the rest of a sentence that begins with the verb.
std::string sentence(const CLI::ParseError& error) {
  const std::string text = error.what();
  const auto name = text.substr(0, text.find(':'));
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    return text.substr(0, text.find(' ')) + " is missing";
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) return name + " needs a value";
  return text;
}

// "Could not convert: --internal = maybe", which CLI11 says of flags only: all else is text.
std::string value_sentence(const CLI::ConversionError& error) {
  const std::string text = error.what();
  const auto flag = text.substr(text.find(':') + 2);
  const auto equals = flag.find(" = ");
  return fmt::format("{} {}: the value is not true or false", flag.substr(0, equals),
                     equals == std::string::npos ? "" : flag.substr(equals + 3));
}

}  // namespace

void add_flag(CLI::App& app, const char* names, bool& into, const char* help) {
  app.add_flag(names, into, help);
}

void add_flag(CLI::App& app, const char* names, std::optional<bool>& into, const char* help) {
  // CLI11 would set an optional that is not given to false: the plain one checks the value, and
  // `into` hears of it only where there is one.
  auto plain = std::make_shared<bool>(false);
  app.add_flag(names, *plain, help)->each([plain, &into](const std::string& text) {
    try {
      into = CLI::detail::to_flag_value(text) > 0;
    } catch (const std::invalid_argument&) {  // the plain one refuses it with the option's name
    }
  });
}

void add_text(CLI::App& app, const char* names, const char* type, std::string& into,
              const char* help) {
  app.add_option(names, into, help)->type_name(type)->take_last();
}

void add_list(CLI::App& app, const char* names, const char* type, std::vector<std::string>& into,
              const char* help) {
  app.add_option(names, into, help)->type_name(type)->allow_extra_args(false);
}

void add_argument(CLI::App& app, const char* name, std::string& into, const char* help, Need need) {
  app.add_option(name, into, help)->type_name(name)->required(need == Need::kRequired);
}

void add_arguments(CLI::App& app, const char* name, std::vector<std::string>& into,
                   const char* help, Need need) {
  app.add_option(name, into, help)->type_name(name)->required(need == Need::kRequired);
}

void add_dry_run(CLI::App& app, DryRun& into) {
  add_flag(app, "--dry-run", into.on, "Print the commands that would do the same; change nothing");
  add_text(app, "--format", "FORMAT", into.format,
           "With --dry-run: commands (the default), or json for the typed operations");
}

Status check_plan_format(std::string_view format) {
  if (format.empty() || format == "json" || format == "commands") return {};
  return fail(ErrorKind::kInvalid, "--format {}: a plan is printed as commands or json", format);
}

void print_commands(std::span<const std::string> commands) {
  for (const auto& command : commands) print(command + "\n");
}

Result<int> show_plan(Engine& engine, const DryRun& dry_run, const Engine::Request& request) {
  TRY(check_plan_format(dry_run.format));
  const auto plan = TRY(engine.plan(request));
  if (dry_run.format == "json") {
    print(plan.json + "\n");
  } else {
    print_commands(plan.commands);
  }
  return kExitOk;
}

Parser::Parser(const Verb& verb, Context& context)
    : verb_(verb), context_(context), app_(std::make_unique<CLI::App>()) {
  app_->allow_extras();
  app_->set_help_flag();
  add_globals(*app_, context_);
  if (verb.build != nullptr) action_ = verb.build(*app_);
  if (&verb == &kRoot) {
    app_->add_flag("--version", wants_version_, "Print the version")->group(kGlobalGroup);
    app_->add_option("--format", version_format_, "With --version: json or a template")
        ->type_name("FORMAT")
        ->group(kGlobalGroup)
        ->take_last();
  }
  // run's -h is --hostname, as Docker's is; everywhere else it is free for help.
  const bool h_is_free = app_->get_option_no_throw("-h") == nullptr;
  app_->set_help_flag(h_is_free ? "-h,--help" : "--help", "Print this help");
}

Parser::~Parser() = default;

bool Parser::takes_value(const std::string& name) const {
  const auto* option = app_->get_option_no_throw(name);
  return option != nullptr && option->get_items_expected_max() > 0;
}

// "-dt", "-p81:80", "-dp=81:80" or "-d=true"; whether its value is the next word.
bool Parser::split_short(const std::string& word, std::vector<std::string>& own) const {
  for (std::size_t at = 1; at < word.size(); ++at) {
    const std::string name{'-', word[at]};
    const bool has_value = takes_value(name);
    const bool equals = at + 1 < word.size() && word[at + 1] == '=';
    if (!has_value && !equals) continue;
    if (!equals) {
      own.push_back(word);
      return at + 1 == word.size();
    }
    if (at > 1) own.push_back(word.substr(0, at));
    const auto* option = app_->get_option_no_throw(name);
    const bool is_flag = option != nullptr && !has_value && !option->get_lnames().empty();
    const auto value = word.substr(at + 2);
    if (is_flag)
      own.push_back("--" + option->get_lnames()[0] + "=" + value);
    else
      own.insert(own.end(), {name, value});
    return false;
  }
  own.push_back(word);
  return false;
}

// Walks the words as CLI11 will, for what it cannot do: leave the words after a command's first one
// alone, take "--name=" for an empty value, and read "-p=81:80" and "-d=true" as Docker does.
Parser::Words Parser::split(std::span<const std::string> words) const {
  Words out;
  int arguments = 0;
  const auto command_begins = [&] {
    return verb_.takes_command() && arguments >= verb_.command_after;
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    if (word == "--") {
      out.own.push_back(word);
      for (++i; i < words.size() && !command_begins(); ++i, ++arguments)
        out.own.push_back(words[i]);
      out.command.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
      break;
    }
    bool wants_next = false;
    if (word.starts_with("--")) {
      const auto equals = word.find('=');
      const auto name = word.substr(0, equals);
      if (equals != std::string::npos && takes_value(name)) {
        out.own.push_back(name);
        out.own.push_back(word.substr(equals + 1));
        continue;
      }
      wants_next = equals == std::string::npos && takes_value(name);
    } else if (word.size() > 1 && word[0] == '-') {
      if (split_short(word, out.own) && i + 1 < words.size()) out.own.push_back(words[++i]);
      continue;
    } else if (command_begins()) {
      out.command.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
      break;
    } else {
      ++arguments;
    }
    out.own.push_back(word);
    if (wants_next && i + 1 < words.size()) out.own.push_back(words[++i]);
  }
  return out;
}

namespace {

std::string unknown_flag(std::string_view flag, const std::vector<Parser::Item>& items) {
  std::vector<std::string_view> known;
  for (const auto& item : items) known.insert(known.end(), item.names.begin(), item.names.end());
  return fmt::format("unknown flag {}{}", flag,
                     did_you_mean(flag.substr(0, flag.find('=')), known));
}

}  // namespace

std::expected<Parser::Wanted, Parser::Wrong> Parser::parse(std::span<const std::string> words) {
  const auto wrong = [](std::string text) { return std::unexpected(Wrong{std::move(text)}); };
  auto [own, command] = split(words);
  try {
    std::ranges::reverse(own);
    app_->parse(std::move(own));
  } catch (const CLI::CallForHelp&) {
    return Wanted::kHelp;
  } catch (const CLI::ConversionError& error) {
    return std::unexpected(Wrong{value_sentence(error), true});
  } catch (const CLI::ParseError& error) {
    return wrong(sentence(error));
  }
  for (const auto& extra : app_->remaining()) {
    if (extra == "--") continue;
    if (!extra.starts_with('-')) return wrong(fmt::format("unexpected argument '{}'", extra));
    return wrong(unknown_flag(extra, items()));
  }
  if (wants_version_) return Wanted::kVersion;
  context_.command = std::move(command);
  if (verb_.takes_command() && context_.command.empty() && !verb_.command_optional)
    return wrong(fmt::format("{} is missing", verb_.command_name));
  return Wanted::kAction;
}

std::vector<Parser::Item> Parser::items() const {
  std::vector<Item> items;
  for (const CLI::Option* option : std::as_const(*app_).get_options()) {
    Item item;
    for (const auto& name : option->get_snames()) item.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) item.names.push_back("--" + name);
    if (option->get_items_expected_max() > 0) item.type = option->get_type_name();
    item.help = option->get_description();
    item.global = option->get_group() == kGlobalGroup || option == app_->get_help_ptr();
    item.required = option->get_required();
    item.list = option->get_items_expected_max() > 1;
    items.push_back(std::move(item));
  }
  return items;
}

Result<std::int64_t> parse_number(std::string_view option, std::string_view text, std::int64_t min,
                                  std::int64_t max) {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < min || value > max)
    return fail(ErrorKind::kInvalid, "{} {}: the value is not a whole number from {} to {}", option,
                text, min, max);
  return value;
}

Result<Labels> parse_pairs(std::string_view option, std::span<const std::string> texts) {
  Labels pairs;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    const auto key = text.substr(0, equals);
    if (key.empty())
      return fail(ErrorKind::kInvalid, "{} '{}': the key is missing; give KEY=VALUE", option, text);
    pairs[key] = equals == std::string::npos ? std::string() : text.substr(equals + 1);
  }
  return pairs;
}

Result<std::vector<Cidr>> parse_link_local_ips(std::span<const std::string> texts) {
  std::vector<Cidr> addresses;
  for (const auto& text : texts) {
    auto address = parse_link_local(text);
    if (!address) return std::unexpected(in_context(address.error(), "--link-local-ip"));
    addresses.push_back(*std::move(address));
  }
  return addresses;
}

Result<std::vector<PortSpec>> parse_ports(std::span<const std::string> texts) {
  std::vector<PortSpec> ports;
  for (const auto& text : texts) ports.push_back(TRY(parse_port_spec(text)));
  return ports;
}

}  // namespace berth::cli
