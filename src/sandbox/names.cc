#include "sandbox/names.h"

#include <algorithm>
#include <array>

#include "base/result.h"

namespace berth::sandbox {
namespace {

constexpr std::array<std::string_view, 64> kAdjectives = {
    "able",     "afloat",   "agile",   "amber",   "anchored", "azure",    "boreal",  "brave",
    "breezy",   "bright",   "brisk",   "buoyant", "calm",     "candid",   "clear",   "coastal",
    "coral",    "crisp",    "daring",  "deft",    "distant",  "eager",    "eastern", "fair",
    "fearless", "fleet",    "foggy",   "gallant", "gentle",   "gilded",   "golden",  "hardy",
    "humble",   "jolly",    "keen",    "lively",  "lucid",    "lunar",    "mellow",  "merry",
    "mighty",   "misty",    "moonlit", "moored",  "nimble",   "northern", "patient", "pelagic",
    "placid",   "polar",    "quiet",   "rapid",   "rolling",  "rugged",   "salty",   "serene",
    "silver",   "southern", "starlit", "steady",  "sunny",    "swift",    "tidal",   "windward"};

// Vessels, parts of them, places to lie, and people of the sea and of the network.
constexpr std::array<std::string_view, 64> kNouns = {
    "anchorage", "baran",      "bark",    "barge",     "beacon",  "brig",      "bollard",
    "buoy",      "capstan",    "caravel", "catamaran", "cerf",    "clark",     "clipper",
    "cook",      "corvette",   "crocker", "cutter",    "davies",  "dhow",      "dinghy",
    "dock",      "drake",      "earhart", "estrin",    "feinler", "ferry",     "frigate",
    "galleon",   "gangway",    "harbor",  "hawser",    "helm",    "jacobson",  "jetty",
    "junk",      "kahn",       "kayak",   "keel",      "ketch",   "kleinrock", "lagoon",
    "licklider", "lighthouse", "lugger",  "magellan",  "marina",  "mast",      "metcalfe",
    "mooring",   "perlman",    "pier",    "postel",    "pouzin",  "quay",      "roberts",
    "rudder",    "schooner",   "sextant", "sloop",     "tasman",  "trawler",   "wharf",
    "yawl"};

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name_char(char c) {
  return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
}

}  // namespace

Status check_name(std::string_view name) {
  if (name.size() >= 2 && is_alphanumeric(name.front()) &&
      std::ranges::all_of(name, is_name_char)) {
    return {};
  }
  return fail(ErrorKind::kInvalid,
              "invalid sandbox name \"{}\": two or more of [a-zA-Z0-9_.-] are allowed, the first a "
              "letter or digit",
              name);
}

std::string random_name(std::uint64_t random, int attempt) {
  static_assert(kAdjectives.size() == 64 && kNouns.size() == 64);
  auto name = fmt::format("{}_{}", kAdjectives[random % 64], kNouns[random / 64 % 64]);
  if (attempt > 0) name += static_cast<char>('0' + random / 64 / 64 % 10);
  return name;
}

}  // namespace berth::sandbox
