// Which ports of the host endpoints have.
//
// One key for all addresses that an endpoint has a port on, as a port is mostly published on every
// address of both families and on [::1]: that is a third of the writes.

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "base/result.h"
#include "engine/ids.h"
#include "engine/state/state.h"

namespace berth::engine {
namespace {

constexpr std::size_t kPortDigits = 5;
constexpr std::string_view kBetween = " ";  // the addresses of a value

std::string kind_prefix(Protocol protocol) {
  std::string prefix("port/");
  prefix += name(protocol);
  prefix += '/';
  return prefix;
}

std::string port_prefix(const PortMapping& mapping) {
  auto prefix = kind_prefix(mapping.protocol);
  prefix.append(kPortDigits + 1, '0');
  prefix.back() = '/';
  auto digit = prefix.end() - 1;
  for (unsigned rest = mapping.host_port; rest != 0; rest /= 10)
    *--digit = static_cast<char>('0' + rest % 10);
  return prefix;
}

std::string port_key(const PortMapping& mapping, std::string_view endpoint_id) {
  auto key = port_prefix(mapping);
  key += endpoint_id;
  return key;
}

// Takes the first address off `text`.
std::string_view take_address(std::string_view& text) {
  const auto address = text.substr(0, text.find(kBetween));
  text.remove_prefix(std::min(text.size(), address.size() + kBetween.size()));
  return address;
}

bool holds(std::string_view text, std::string_view address) {
  while (!text.empty())
    if (take_address(text) == address) return true;
  return false;
}

void add(std::string& text, std::string_view address) {
  if (!text.empty()) text += kBetween;
  text += address;
}

}  // namespace

Result<std::optional<State::PortOwner>> State::port_owner(std::span<const PortMapping> wanted) {
  std::optional<PortOwner> owner;
  if (wanted.empty()) return owner;
  const auto& [protocol, any, port, to] = wanted.front();
  if (is_in_gap(wanted.front())) return owner;
  Status read;
  const auto all = kind_prefix(protocol);
  const auto prefix = port_prefix(wanted.front());
  bool is_free = true;
  int next = std::numeric_limits<Port>::max() + 1;
  const auto look_at = [&](std::string_view endpoint_id, std::string_view hex) -> Status {
    const auto host_ip = TRY(ip_from_hex(hex));
    const auto clashing = std::ranges::find_if(wanted, [&](const PortMapping& each) {
      const bool one_includes_the_other =
          host_ip.family() == each.host_ip.family() &&
          (host_ip.is_unspecified() || each.host_ip.is_unspecified());
      return host_ip == each.host_ip || one_includes_the_other;
    });
    if (clashing == wanted.end()) return {};
    owner = PortOwner{*clashing, *clashing, std::string(endpoint_id)};
    owner->mapping.host_ip = host_ip;
    return {};
  };
  TRY(tx_.scan(all, prefix, [&](std::string_view key, std::string_view addresses) {
    if (!key.starts_with(prefix)) {
      const auto digits = key.substr(all.size(), kPortDigits);
      std::from_chars(digits.begin(), digits.end(), next);
      return false;
    }
    is_free = false;
    while (read && !owner && !addresses.empty())
      read = look_at(key.substr(prefix.size()), take_address(addresses));
    return read && !owner;
  }));
  TRY(read);
  if (is_free) gap_ = {protocol, port, next};
  return owner;
}

bool State::is_in_gap(const PortMapping& mapping) const {
  return gap_.protocol == mapping.protocol && gap_.first <= mapping.host_port &&
         mapping.host_port < gap_.end;
}

void State::end_gap_at(const PortMapping& mapping) {
  if (!is_in_gap(mapping)) return;
  if (mapping.host_port == gap_.first)
    ++gap_.first;
  else
    gap_.end = mapping.host_port;
}

Status State::take_port(std::span<const PortMapping> mappings, std::string_view endpoint_id) {
  if (mappings.empty() || mappings.front().host_port == 0) return {};
  const auto& first = mappings.front();
  auto key = port_key(first, endpoint_id);
  std::string addresses;
  if (!is_in_gap(first)) addresses = TRY(tx_.get(key)).value_or("");
  end_gap_at(first);
  for (const auto& each : mappings)
    if (const auto address = hex(each.host_ip.bytes()); !holds(addresses, address))
      add(addresses, address);
  tx_.put(std::move(key), std::move(addresses));
  return {};
}

Status State::free_port(const PortMapping& mapping, std::string_view endpoint_id) {
  if (mapping.host_port == 0) return {};
  auto key = port_key(mapping, endpoint_id);
  const auto addresses = TRY(tx_.get(key));
  if (!addresses) return {};
  std::string left;
  const auto freed = hex(mapping.host_ip.bytes());
  for (std::string_view rest = *addresses; !rest.empty();)
    if (const auto address = take_address(rest); address != freed) add(left, address);
  if (left.empty())
    tx_.erase(std::move(key));
  else
    tx_.put(std::move(key), std::move(left));
  return {};
}

void State::take_ports(const Endpoint& endpoint) {
  std::map<std::string, std::string> taken;  // key to addresses
  for (const auto& each : all_ports(endpoint)) {
    if (each.host_port == 0) continue;
    end_gap_at(each);
    add(taken[port_key(each, endpoint.id)], hex(each.host_ip.bytes()));
  }
  for (auto& [key, addresses] : taken) tx_.put(key, std::move(addresses));
}

void State::free_ports(const Endpoint& endpoint) {
  for (const auto& mapping : all_ports(endpoint))
    if (mapping.host_port != 0) tx_.erase(port_key(mapping, endpoint.id));
}

}  // namespace berth::engine
