#include "engine/endpoints/request_checks.h"

#include <algorithm>
#include <array>

#include "base/result.h"

namespace berth::engine {
namespace {

// "all" and "default" are not interfaces in /proc/sys/net/*/conf, and lo is everywhere already.
Status check_ifname(const IfName& name) {
  constexpr std::array<std::string_view, 3> kReserved = {"lo", "all", "default"};
  if (std::ranges::find(kReserved, name.str()) == kReserved.end()) return {};
  return fail(ErrorKind::kInvalid, "interface name {} is the kernel's: give another one",
              name.str());
}

}  // namespace

bool is_alias(std::string_view text) {
  constexpr std::size_t kMaxBytes = 253;  // of a name in DNS (RFC 1035, 2.3.4)
  return !text.empty() && text.size() <= kMaxBytes &&
         std::ranges::all_of(text, [](unsigned char byte) {
           return byte > ' ' && byte != ':' && byte != '#' && byte != 0x7f;
         });
}

Status check_endpoint_request(const EndpointOptions& asked, const Network& network) {
  TRY(check_ifname(asked.ifname));
  TRY(check_ifname(asked.host_ifname));
  if (network.predefined && !asked.aliases.empty())
    return fail(ErrorKind::kInvalid,
                "alias {}: network {} has none: give it on a network made with `berth network "
                "create`",
                asked.aliases.front(), network.name);
  for (const auto& alias : asked.aliases)
    if (!is_alias(alias))
      return fail(ErrorKind::kInvalid,
                  "alias '{}': no name can be that: give one without spaces, ':' and '#', of 253 "
                  "bytes at most",
                  alias);
  const auto& given = asked.link_local;
  for (auto each = given.begin(); each != given.end(); ++each)
    if (std::find(given.begin(), each, *each) != each)
      return fail(ErrorKind::kInvalid, "link-local address {} is given twice", each->ip().str());
  return {};
}

}  // namespace berth::engine
