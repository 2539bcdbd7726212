#include <algorithm>
#include <array>
#include <charconv>

#include "base/result.h"
#include "berth/engine.h"

namespace berth {
namespace {

constexpr std::string_view kKeys =
    "ip, ip6, mac, alias, link-local-ip, ifname, host_ifname, gw-priority, link and driver-opt";

// Modes that stand in a network's place and have a colon of their own.
constexpr std::array<std::string_view, 2> kModes = {"container:", "ns:"};

using Fields = std::vector<std::string>;

// The fields between commas, as RFC 4180 quotes them: "a,b" in double quotes is one, "" in it a
// quote.
Result<Fields> split_fields(std::string_view text) {
  Fields fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto& field = fields.back();
    if (quoted && text[i] == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      field += text[i++];
    } else if (text[i] == '"' && (quoted || field.empty())) {
      quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      field += text[i];
    }
  }
  if (quoted) return fail(ErrorKind::kInvalid, "a quote is not closed");
  return fields;
}

template <typename T>
Status set_once(std::optional<T>& into, std::string_view key, std::string_view value) {
  if (into) return fail(ErrorKind::kInvalid, "{} is given twice", key);
  auto parsed = T::parse(value);
  if (!parsed) return std::unexpected(in_context(parsed.error(), "{}", key));
  into = *std::move(parsed);
  return {};
}

Status set_once(IfName& into, std::string_view key, std::string_view value) {
  if (!into.empty()) return fail(ErrorKind::kInvalid, "{} is given twice", key);
  auto parsed = IfName::parse(value);
  if (!parsed) return std::unexpected(in_context(parsed.error(), "{}", key));
  into = *std::move(parsed);
  return {};
}

Status set_family(std::optional<Ip>& into, Ip::Family family, std::string_view key,
                  std::string_view value) {
  TRY(set_once(into, key, value));
  if (into->family() == family) return {};
  return fail(ErrorKind::kInvalid, "{}: {} is no {} address", key, value,
              family == Ip::Family::kV4 ? "IPv4" : "IPv6");
}

Status set_driver_option(Labels& into, std::string_view value) {
  const auto equals = value.find('=');
  if (equals == value.npos || equals == 0)
    return fail(ErrorKind::kInvalid, "driver-opt: '{}' is not KEY=VALUE", value);
  into[std::string(value.substr(0, equals))] = value.substr(equals + 1);
  return {};
}

Status set(EndpointOptions& options, bool& has_priority, std::string_view key,
           std::string_view value) {
  if (value.empty()) return fail(ErrorKind::kInvalid, "{} has no value", key);
  if (key == "ip") return set_family(options.ip4, Ip::Family::kV4, key, value);
  if (key == "ip6") return set_family(options.ip6, Ip::Family::kV6, key, value);
  if (key == "mac" || key == "mac-address") return set_once(options.mac, key, value);
  if (key == "ifname" || key == "interface_name") return set_once(options.ifname, key, value);
  if (key == "host_ifname" || key == "host_interface_name")
    return set_once(options.host_ifname, key, value);
  if (key == "driver-opt") return set_driver_option(options.driver_options, value);
  if (key == "link-local-ip") {
    options.link_local.push_back(TRY(parse_link_local(value)));
    return {};
  }
  if (key == "alias" || key == "link") {
    (key == "alias" ? options.aliases : options.links).emplace_back(value);
    return {};
  }
  if (key == "gw-priority") {
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), options.gw_priority);
    if (error != std::errc{} || end != value.data() + value.size())
      return fail(ErrorKind::kInvalid, "gw-priority: '{}' is not a whole number", value);
    if (std::exchange(has_priority, true))
      return fail(ErrorKind::kInvalid, "{} is given twice", key);
    return {};
  }
  return fail(ErrorKind::kInvalid, "there is no '{}': {} can be given", key, kKeys);
}

Result<Attachment> parse(std::string_view text) {
  Attachment attachment;
  const auto equals = text.find('=');
  const auto colon = text.find(':');
  const auto is_of_mode = [&](std::string_view mode) { return text.starts_with(mode); };
  if (text.empty()) return fail(ErrorKind::kInvalid, "the network's name is missing");
  if ((equals == text.npos && colon == text.npos) || std::ranges::any_of(kModes, is_of_mode)) {
    attachment.network = text;
    return attachment;
  }
  if (colon < equals) {  // podman's: the name comes first
    if (colon == 0) return fail(ErrorKind::kInvalid, "the network's name is missing before ':'");
    attachment.network = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }

  bool has_priority = false;
  for (const auto& field : TRY(split_fields(text))) {
    const auto at = field.find('=');
    if (at == field.npos) return fail(ErrorKind::kInvalid, "'{}' is not KEY=VALUE", field);
    const auto key = std::string_view(field).substr(0, at);
    const auto value = std::string_view(field).substr(at + 1);
    if (key != "name") {
      TRY(set(attachment.options, has_priority, key, value));
    } else if (!attachment.network.empty()) {
      return fail(ErrorKind::kInvalid, "the network's name is given twice");
    } else {
      attachment.network = value;
    }
  }
  if (attachment.network.empty())
    return fail(ErrorKind::kInvalid, "the network's name is missing: give name=NETWORK as well");
  return attachment;
}

}  // namespace

Result<Cidr> parse_link_local(std::string_view text) {
  const auto ip = TRY(Ip::parse(text));
  const auto all =
      ip.is_v4() ? Cidr(Ip::v4(169, 254, 0, 0), 16) : Cidr(TRY(Ip::parse("fe80::")), 10);
  if (!all.contains(ip))
    return fail(ErrorKind::kInvalid, "{} is no link-local address: give one of {}", text,
                all.str());
  return Cidr(ip, ip.is_v4() ? 16 : 64);
}

Result<Attachment> parse_attachment(std::string_view text) {
  auto attachment = parse(text);
  if (!attachment) return std::unexpected(in_context(attachment.error(), "network '{}'", text));
  return attachment;
}

}  // namespace berth
