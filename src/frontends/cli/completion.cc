#include "frontends/cli/completion.h"

#include <unistd.h>

#include <algorithm>

#include "base/result.h"
#include "frontends/cli/help.h"
#include "frontends/cli/options.h"

namespace berth::cli {
namespace {

// bash breaks words at '=' as well: "--network=web" comes as three words.
constexpr std::string_view kBash =
    R"(# bash completion of berth: source it, or put it into bash-completion's directory.
_berth() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("${line%%$'\t'*}")
  done < <("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _berth berth
)";

constexpr std::string_view kZsh = R"(#compdef berth
# zsh completion of berth: put it as _berth into a directory of $fpath, or source it.
_berth() {
  local line
  local -a described
  while IFS= read -r line; do
    described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( ${#described} )); then
    _describe berth described
  else
    _files
  fi
}
compdef _berth berth
)";

constexpr std::string_view kFish =
    R"(# fish completion of berth: put it as berth.fish into fish's completions directory.
function __berth_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found (berth __complete -- $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c berth -f -a '(__berth_complete)'
)";

class Candidates {
 public:
  explicit Candidates(std::string_view begun) : begun_(begun) {}
  void add(std::string_view word, std::string_view what) {
    if (word.starts_with(begun_)) lines_ += fmt::format("{}\t{}\n", word, what);
  }
  void add_names(const std::vector<std::string>& names, std::string_view type) {
    for (const auto& name : names) add(name, type == "NETWORK" ? "network" : "sandbox");
  }
  [[nodiscard]] std::string lines() && { return std::move(lines_); }

 private:
  std::string_view begun_;
  std::string lines_;
};

// Where a leaf's command line stands after its words but the last.
struct Position {
  const Parser::Item* awaited = nullptr;  ///< the option whose value comes next
  std::size_t arguments = 0;              ///< seen so far
  bool only_arguments = false;            ///< after "--"
};

const Parser::Item* find(const std::vector<Parser::Item>& items, std::string_view name) {
  const auto found = std::ranges::find_if(items, [&](const auto& item) {
    return std::ranges::find(item.names, name) != item.names.end();
  });
  return found == items.end() ? nullptr : &*found;
}

// The option that ends at the end of `word` and still wants its value: "--name", "-n", "-dn".
const Parser::Item* awaiting(const std::vector<Parser::Item>& items, const std::string& word) {
  if (word.starts_with("--")) {
    const auto* item = find(items, word);
    return item != nullptr && !item->type.empty() ? item : nullptr;
  }
  for (std::size_t at = 1; at < word.size(); ++at) {
    const auto* item = find(items, std::string{'-', word[at]});
    if (item != nullptr && !item->type.empty()) return at + 1 == word.size() ? item : nullptr;
  }
  return nullptr;
}

Position position(const std::vector<Parser::Item>& items, std::span<const std::string> words,
                  Context& context) {
  Position here;
  for (const auto& word : words) {
    if (here.awaited != nullptr) {
      if (here.awaited->names.back() == "--root") context.root = word;
      if (here.awaited->names.back() == "--run") context.run = word;
      here.awaited = nullptr;
    } else if (here.only_arguments || !word.starts_with('-')) {
      ++here.arguments;
    } else if (word == "--") {
      here.only_arguments = true;
    } else {
      here.awaited = awaiting(items, word);
    }
  }
  return here;
}

// The argument that stands at `index`; a list takes all that follow.
const Parser::Item* argument(const std::vector<Parser::Item>& items, std::size_t index) {
  const Parser::Item* last = nullptr;
  for (const auto& item : items) {
    if (!item.names.empty()) continue;
    last = &item;
    if (index-- == 0) return last;
  }
  return last != nullptr && last->list ? last : nullptr;
}

}  // namespace

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  return fail(ErrorKind::kInvalid,
              "completion: there is no script for '{}'; give bash, zsh or fish", shell);
}

std::string complete(std::span<const std::string> words, const Names& names) {
  std::vector<std::string> before(words.begin(), words.end());
  auto begun = before.empty() ? std::string() : before.back();
  if (!before.empty()) before.pop_back();
  if (begun == "=") begun.clear();
  std::erase(before, "=");

  const auto at = walk(before);
  if (!at.unknown.empty()) return "";
  // What plan and help take is a command line itself.
  if (at.verb().command_name == "VERB..." && !at.rest.empty() && !at.rest.back().starts_with('-')) {
    auto inner = at.rest;
    inner.push_back(begun);
    return complete(inner, names);
  }
  Context context;
  const auto items = items_of(at.verb());
  const auto here = position(items, at.rest, context);
  Candidates out(begun);
  const auto add_of_type = [&](std::string_view type) {
    if (type == "NETWORK" || type == "TARGET") out.add_names(names(context, type), type);
  };
  if (here.awaited != nullptr) {
    add_of_type(here.awaited->type);
  } else if (begun.starts_with('-') && !here.only_arguments) {
    for (const auto& item : items)
      for (const auto& name : item.names) out.add(name, item.help);
  } else if (at.verb().is_group() || at.verb().command_name == "VERB...") {
    const auto& group = at.verb().is_group() ? at.verb() : kRoot;
    for (const auto* verb : group.verbs)
      if (!verb->hidden) out.add(verb->name, verb->summary);
  } else if (const auto* item = argument(items, here.arguments); item != nullptr) {
    if (item->type == "SHELL") {
      for (const auto* shell : {"bash", "zsh", "fish"}) out.add(shell, "shell");
    }
    add_of_type(item->type);
  }
  return std::move(out).lines();
}

std::vector<std::string> stored_names(const Context& context, std::string_view type) {
  std::vector<std::string> out;
  const auto settings = context.settings();
  if (!settings || ::access(settings->root.c_str(), F_OK) != 0) return out;
  auto engine = Engine::open(*settings);
  if (!engine) return out;
  if (type == "NETWORK") {
    if (const auto networks = engine->networks())
      for (const auto& network : *networks) out.push_back(network.name);
  } else if (const auto sandboxes = engine->sandboxes()) {
    for (const auto& sandbox : *sandboxes) out.push_back(sandbox.name);
  }
  return out;
}

}  // namespace berth::cli
