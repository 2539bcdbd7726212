// How addresses and names look in JSON (as their text), for every module that stores or prints them.
// Reading throws what nlohmann throws; callers catch it at the document's edge.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "berth/address.h"
#include "berth/ifname.h"

namespace berth::detail {

template <typename T>
T parsed(const nlohmann::json& json) {
  auto value = T::parse(json.get_ref<const std::string&>());
  if (!value) throw std::invalid_argument(value.error().message);
  return *std::move(value);
}

}  // namespace berth::detail

NLOHMANN_JSON_NAMESPACE_BEGIN

template <>
struct adl_serializer<berth::Ip> {
  static void to_json(json& out, const berth::Ip& value) { out = value.str(); }
  static void from_json(const json& in, berth::Ip& value) {
    value = berth::detail::parsed<berth::Ip>(in);
  }
};
template <>
struct adl_serializer<berth::Cidr> {
  static void to_json(json& out, const berth::Cidr& value) { out = value.str(); }
  static void from_json(const json& in, berth::Cidr& value) {
    value = berth::detail::parsed<berth::Cidr>(in);
  }
};
template <>
struct adl_serializer<berth::IpRange> {
  static void to_json(json& out, const berth::IpRange& value) { out = value.str(); }
  static void from_json(const json& in, berth::IpRange& value) {
    value = berth::detail::parsed<berth::IpRange>(in);
  }
};
template <>
struct adl_serializer<berth::Mac> {
  static void to_json(json& out, const berth::Mac& value) { out = value.str(); }
  static void from_json(const json& in, berth::Mac& value) {
    value = berth::detail::parsed<berth::Mac>(in);
  }
};
template <>
struct adl_serializer<berth::IfName> {
  static void to_json(json& out, const berth::IfName& value) { out = value.str(); }
  static void from_json(const json& in, berth::IfName& value) {
    value = in.get_ref<const std::string&>().empty() ? berth::IfName()
                                                     : berth::detail::parsed<berth::IfName>(in);
  }
};
template <>
struct adl_serializer<berth::Protocol> {
  static void to_json(json& out, const berth::Protocol& value) { out = berth::name(value); }
  static void from_json(const json& in, berth::Protocol& value) {
    auto protocol = berth::parse_protocol(in.get_ref<const std::string&>());
    if (!protocol) throw std::invalid_argument(protocol.error().message);
    value = *protocol;
  }
};
template <typename T>
struct adl_serializer<std::optional<T>> {
  static void to_json(json& out, const std::optional<T>& value) {
    if (value)
      out = *value;
    else
      out = nullptr;
  }
  static void from_json(const json& in, std::optional<T>& value) {
    if (in.is_null())
      value.reset();
    else
      value = in.get<T>();
  }
};

NLOHMANN_JSON_NAMESPACE_END
