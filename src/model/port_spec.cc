#include <algorithm>
#include <cctype>
#include <charconv>
#include <tuple>

#include "base/result.h"
#include "berth/network.h"

namespace berth {
namespace {

constexpr std::string_view kForm =
    "[hostIP:][hostPort[-hostPort]:]containerPort[-containerPort][/tcp|udp|sctp]";

const Cidr kLinkLocal(Ip::from_number(Ip::Family::kV6, Uint128{0xfe80} << 112), 10);  // RFC 4291
const Cidr kMapped(Ip::from_number(Ip::Family::kV6, Uint128{0xffff} << 32), 96);      // likewise

// What an IPv4 address written as an IPv6 one means.
Ip ipv4_of(const Ip& ip) {
  return kMapped.contains(ip) ? *Ip::from_bytes(ip.bytes().subspan(12)) : ip;
}

bool parse_port(std::string_view text, Port& port) {
  const auto [end, error] = std::from_chars(text.begin(), text.end(), port);
  return error == std::errc{} && end == text.end() && port != 0;
}

// "80" or "80-90", both ends from 1 to 65535, in order.
bool parse_range(std::string_view text, Port& first, Port& last) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) {
    if (!parse_port(text, first)) return false;
    last = first;
    return true;
  }
  return parse_port(text.substr(0, dash), first) && parse_port(text.substr(dash + 1), last) &&
         first <= last;
}

}  // namespace

Result<PortSpec> parse_port_spec(std::string_view text) {
  const auto bad = [&](std::string_view what) {
    return fail(ErrorKind::kInvalid, "port '{}': {}; the form is {}", text, what, kForm);
  };
  PortSpec spec;
  auto rest = text;
  if (const auto slash = rest.rfind('/'); slash != std::string_view::npos) {
    std::string word(rest.substr(slash + 1));
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto protocol = parse_protocol(word);
    if (!protocol) return bad("the protocol is not tcp, udp or sctp");
    spec.protocol = *protocol;
    rest = rest.substr(0, slash);
  }

  const auto colon = rest.rfind(':');
  if (!parse_range(colon == std::string_view::npos ? rest : rest.substr(colon + 1),
                   spec.container_first, spec.container_last))
    return bad("the container port is not a number from 1 to 65535 or a range of them");
  if (colon == std::string_view::npos) return spec;

  // What is left is hostPort, hostIP:hostPort or hostIP: (any free port of that address).
  auto host = rest.substr(0, colon);
  if (const auto before = host.rfind(':'); before != std::string_view::npos) {
    auto address = host.substr(0, before);
    if (address.starts_with('[') && address.ends_with(']'))
      address = address.substr(1, address.size() - 2);
    const auto ip = Ip::parse(address);
    if (!ip) return bad("the host address is not an IP address");
    if (kLinkLocal.contains(*ip))
      return bad("a link-local address is not one of the host alone: give another");
    spec.host_ip = ipv4_of(*ip);
    host = host.substr(before + 1);
  } else if (host.find('.') != std::string_view::npos) {
    return bad("an address needs a second ':'");
  }
  if (host.empty() || host == "0") return spec;  // Docker takes 0 for any free one
  if (!parse_range(host, spec.host_first, spec.host_last))
    return bad("the host port is not a number from 1 to 65535 or a range of them");
  const int host_count = spec.host_last - spec.host_first + 1;
  const int container_count = spec.container_last - spec.container_first + 1;
  if (container_count != 1 && host_count != container_count)
    return bad(fmt::format("{} host ports cannot be paired with {} container ports", host_count,
                           container_count));
  return spec;
}

}  // namespace berth
