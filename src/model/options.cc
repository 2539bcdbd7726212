#include "model/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <vector>

#include "base/result.h"

namespace berth::model {
namespace {

constexpr std::array kKnown = {kOptionBridgeName, kOptionIcc, kOptionMasquerade, kOptionHostBinding,
                               kOptionMtu};

// Levenshtein distance: how many single-byte edits turn `a` into `b`.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string_view nearest(std::string_view name) {
  return *std::ranges::min_element(kKnown, {}, [&](auto known) { return edits(name, known); });
}

// Go's strconv.ParseBool, which is what Docker reads these with.
Result<bool> parse_bool(std::string_view option, std::string_view value) {
  constexpr std::array kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::ranges::find(kTrue, value) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, value) != kFalse.end()) return false;
  return fail(ErrorKind::kInvalid, "option {}={}: the value is not true or false", option, value);
}

}  // namespace

Result<BridgeSettings> parse_bridge_options(const Labels& options) {
  BridgeSettings settings;
  for (const auto& [option, value] : options) {
    if (option == kOptionBridgeName) {
      auto device = IfName::parse(value);
      if (!device) return std::unexpected(in_context(device.error(), "option {}", option));
      // /proc/sys/net has these for every interface, so the kernel lets none be called so
      // (sysctl_dev_name_is_allowed of include/linux/inetdevice.h).
      if (value == "all" || value == "default")
        return fail(ErrorKind::kInvalid, "option {}={}: the kernel keeps that name for itself",
                    option, value);
      settings.device = *std::move(device);
    } else if (option == kOptionIcc) {
      settings.icc = TRY(parse_bool(option, value));
    } else if (option == kOptionMasquerade) {
      settings.masquerade = TRY(parse_bool(option, value));
    } else if (option == kOptionHostBinding) {
      const auto ip = Ip::parse(value);
      if (!ip || !ip->is_v4())
        return fail(ErrorKind::kInvalid, "option {}={}: the value is not an IPv4 address", option,
                    value);
      settings.host_binding = *ip;
    } else if (option == kOptionMtu) {
      constexpr std::uint32_t kMin = 68, kMax = 65535;  // RFC 791: IPv4's least; ETH_MAX_MTU
      std::uint32_t mtu = 0;
      const auto end = value.data() + value.size();
      const auto [stop, error] = std::from_chars(value.data(), end, mtu);
      if (error != std::errc{} || stop != end || (mtu != 0 && (mtu < kMin || mtu > kMax)))
        return fail(ErrorKind::kInvalid,
                    "option {}={}: the value is not an MTU: {} to {} bytes, or 0 for the host's",
                    option, value, kMin, kMax);
      settings.mtu = mtu;
    } else {
      return fail(ErrorKind::kInvalid,
                  "option {}: the bridge driver has none of that name; the nearest is {}", option,
                  nearest(option));
    }
  }
  return settings;
}

Result<Driver> parse_driver(std::string_view text) {
  if (text == "bridge") return Driver::kBridge;
  if (text == "host" || text == "null" || text == "none")
    return fail(ErrorKind::kInvalid,
                "driver {}: only one network of it can be, and it exists already; give bridge",
                text);
  return fail(ErrorKind::kInvalid, "driver {}: there is none of that name; give bridge", text);
}

}  // namespace berth::model
