// The tree of verbs, and the way down it.
#include "frontends/cli/verbs.h"

#include <algorithm>
#include <array>

namespace berth::cli {
namespace {

constexpr std::array kRootVerbs = {
    &kNetworkVerb, &kRunVerb,        &kPsVerb,       &kInspectVerb,   &kExecVerb,      &kLogsVerb,
    &kStopVerb,    &kRmVerb,         &kPortVerb,     &kPublishVerb,   &kUnpublishVerb, &kAttachVerb,
    &kDetachVerb,  &kSandboxVerb,    &kPlanVerb,     &kContainerVerb, &kSystemVerb,    &kLabVerb,
    &kHelpVerb,    &kCompletionVerb, &kCompleteVerb, &kManVerb,       &kVersionVerb,
};

// The options before a verb that take a value: to be skipped together with it on the way there.
constexpr std::array<std::string_view, 5> kValued = {"--root", "--run", "--config",
                                                     "--default-address-pool", "--format"};

const Verb* child(const Verb& group, std::string_view word) {
  const auto found =
      std::ranges::find_if(group.verbs, [&](const Verb* verb) { return verb->is_called(word); });
  return found == group.verbs.end() ? nullptr : *found;
}

void visit_below(std::vector<const Verb*>& path,
                 const std::function<void(std::span<const Verb* const>)>& visit) {
  visit(path);
  for (const auto* verb : path.back()->verbs) {
    if (verb->hidden) continue;
    path.push_back(verb);
    visit_below(path, visit);
    path.pop_back();
  }
}

}  // namespace

constinit const Verb kRoot = {
    .name = "berth",
    .summary = "Container networking",
    .details =
        "Makes networks, starts processes in sandboxes of their own and connects them. Every "
        "change can be looked at first: 'berth plan VERB...' prints the ip, bridge, nft and "
        "sysctl commands that would do the same.",
    .examples =
        "berth network create --subnet 192.168.100.0/24 web\n"
        "berth run -d --name server --network web -p 8080:80 -- httpd -f\n"
        "berth ps\n"
        "berth rm -f server\n",
    .verbs = kRootVerbs,
};

bool Verb::is_called(std::string_view word) const {
  if (name == word) return true;
  for (auto rest = aliases; !rest.empty();) {
    const auto end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == word) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

Walk walk(std::span<const std::string> words) {
  Walk out;
  out.path.push_back(&kRoot);
  std::size_t i = 0;
  for (; i < words.size() && out.verb().is_group(); ++i) {
    const auto& word = words[i];
    if (word.starts_with('-')) {
      out.rest.push_back(word);
      if (std::ranges::find(kValued, word) != kValued.end() && i + 1 < words.size())
        out.rest.push_back(words[++i]);
      continue;
    }
    const auto* next = child(out.verb(), word);
    if (next == nullptr) {
      out.unknown = word;
      break;
    }
    out.path.push_back(next);
  }
  out.rest.insert(out.rest.end(), words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
  return out;
}

void for_each_verb(const std::function<void(std::span<const Verb* const>)>& visit) {
  std::vector<const Verb*> path = {&kRoot};
  visit_below(path, visit);
}

std::string full_name(std::span<const Verb* const> path) {
  std::string name;
  for (const auto* verb : path) {
    if (!name.empty()) name += ' ';
    name += verb->name;
  }
  return name;
}

}  // namespace berth::cli
