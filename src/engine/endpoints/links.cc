#include "engine/endpoints/links.h"

#include <algorithm>

#include "base/result.h"
#include "engine/endpoints/request_checks.h"
#include "engine/state/state.h"

namespace berth::engine {
namespace {

struct Link {
  std::string name, alias;
};

Link read(std::string_view text) {
  const auto colon = text.find(':');
  return {std::string(text.substr(0, colon)),
          std::string(colon == text.npos ? text : text.substr(colon + 1))};
}

// Each once, in this order: by its alias, its own host name and its name it is known.
std::string names_of(const std::string& alias, const Sandbox& linked) {
  std::vector<std::string> names{alias};
  for (const auto& name : {linked.hostname, linked.name})
    if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
  return fmt::format("{}", fmt::join(names, " "));
}

}  // namespace

Status normalise_links(State& state, const Sandbox& sandbox, std::vector<std::string>& links) {
  if (links.empty()) return {};
  if (sandbox.kind == SandboxKind::kForeign)
    return fail(ErrorKind::kInvalid,
                "--link {}: {} is somebody else's namespace, whose hosts file is not berth's",
                links.front(), sandbox.name);
  for (auto& text : links) {
    const auto link = read(text);
    if (link.name.empty() || !is_alias(link.alias))
      return fail(ErrorKind::kInvalid, "bad format for --link '{}': NAME or NAME:ALIAS is allowed",
                  text);
    auto linked = TRY(state.sandbox(link.name));
    if (linked.mode == NetworkMode::kContainer) linked = TRY(state.sandbox(linked.shares));
    if (linked.id == sandbox.id)
      return fail(ErrorKind::kInvalid, "--link {}: a sandbox cannot link to itself", text);
    if (linked.kind == SandboxKind::kForeign || linked.mode != NetworkMode::kNetworks)
      return fail(ErrorKind::kInvalid,
                  "--link {}: {} has no address on a network that a name could stand for", text,
                  linked.name);
    if (linked.state != SandboxState::kRunning)
      return fail(ErrorKind::kInvalid, "--link {}: cannot link to a sandbox that does not run",
                  text);
    text = linked.name + ":" + link.alias;
  }
  return {};
}

Result<std::vector<sandbox::HostEntry>> link_entries(State& state,
                                                     const std::vector<Endpoint>& endpoints) {
  std::vector<sandbox::HostEntry> entries;
  for (const auto& endpoint : endpoints) {
    for (const auto& text : endpoint.asked.links) {
      const auto link = read(text);
      const auto linked = TRY(state.sandbox_named(link.name));
      if (!linked) continue;
      for (const auto& other : TRY(state.endpoints(linked->endpoints))) {
        if (other.network_id != endpoint.network_id) continue;
        for (const auto& address : {other.address4, other.address6})
          if (address) entries.push_back({names_of(link.alias, *linked), address->ip()});
      }
    }
  }
  return entries;
}

}  // namespace berth::engine
