#include "frontends/cli/help.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::cli {
namespace {

// Columns of a two-column list; a longer left side puts its text on the next line.
constexpr std::size_t kLeftMax = 32;
constexpr std::size_t kWidth = 100;

// `text` broken at blanks so that lines that begin at column `indent` end before kWidth.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const auto blank = std::min(text.find(' '), text.size());
    if (column > indent && column + 1 + blank > kWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, blank);
    column += blank;
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
  return out;
}

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string two_columns(const Lines& lines) {
  std::size_t left = 0;
  for (const auto& [words, text] : lines)
    if (words.size() <= kLeftMax) left = std::max(left, words.size());
  const std::size_t indent = 2 + left + 2;
  std::string out;
  for (const auto& [words, text] : lines) {
    out += "  " + words;
    if (words.size() > left)
      out += "\n" + std::string(indent, ' ');
    else
      out += std::string(indent - 2 - words.size(), ' ');
    out += wrapped(text, indent) + "\n";
  }
  return out;
}

void add_section(std::string& out, std::string_view heading, const Lines& lines) {
  if (!lines.empty()) out += fmt::format("\n{}:\n{}", heading, two_columns(lines));
}

}  // namespace

std::string spelled(const Parser::Item& item) {
  std::string out;
  for (const auto& name : item.names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  if (out.empty()) return item.type;
  return item.type.empty() ? out : out + " " + item.type;
}

std::string usage(std::span<const Verb* const> path, std::span<const Parser::Item> items) {
  const auto& verb = *path.back();
  auto out = full_name(path) + " [OPTIONS]";
  if (verb.is_group()) return out + " VERB";
  for (const auto& item : items) {
    if (!item.names.empty()) continue;
    const auto words = item.list ? item.type + "..." : item.type;
    out += item.required ? " " + words : " [" + words + "]";
  }
  if (!verb.takes_command()) return out;
  out += verb.command_optional ? " [" : " ";
  out += verb.command_name;
  if (verb.command_optional) out += ']';
  return out;
}

std::vector<Parser::Item> items_of(const Verb& verb) {
  Context context;
  auto items = Parser(verb, context).items();
  std::ranges::stable_partition(items, [](const auto& item) { return !item.global; });
  return items;
}

std::string help_text(std::span<const Verb* const> path) {
  const auto& verb = *path.back();
  const auto items = items_of(verb);
  auto out = fmt::format("Usage: {}\n\n{}\n", usage(path, items), wrapped(verb.summary, 0));
  if (!verb.details.empty()) out += "\n" + wrapped(verb.details, 0) + "\n";
  if (!verb.aliases.empty()) out += fmt::format("\nAliases: {}\n", verb.aliases);

  Lines verbs;
  for (const auto* child : verb.verbs) {
    if (!child->hidden) verbs.emplace_back(child->name, child->summary);
  }
  Lines arguments;
  Lines own;
  Lines global;
  for (const auto& item : items) {
    // Long names stand below each other whether or not there is a short one.
    const bool only_long = !item.names.empty() && item.names.front().starts_with("--");
    auto words = (only_long ? "    " : "") + spelled(item);
    auto& lines = item.names.empty() ? arguments : item.global ? global : own;
    lines.emplace_back(std::move(words), item.help);
  }
  add_section(out, "Verbs", verbs);
  add_section(out, "Arguments", arguments);
  add_section(out, "Options", own);
  add_section(out, "Global options", global);

  out += "\nExamples:\n";
  for (auto examples = verb.examples; !examples.empty();) {
    const auto end = examples.find('\n');
    out += fmt::format("  {}\n", examples.substr(0, end));
    examples.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace berth::cli
