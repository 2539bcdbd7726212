#include "model/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <numeric>
#include <ranges>
#include <span>
#include <vector>

#include "base/nearest.h"
#include "base/result.h"
#include "model/names.h"

namespace berth::model {
namespace {

// ---- values -------------------------------------------------------------------------------------

// An option as given, for parsing and for saying what is wrong with it.
struct Given {
  std::string_view name;
  std::string_view value;

  [[nodiscard]] std::unexpected<Error> refuse(std::string_view allowed) const {
    return fail(ErrorKind::kInvalid, "option {}={}: the value is not {}", name, value, allowed);
  }
};

// Go's strconv.ParseBool, which is what Docker reads these with.
Result<bool> parse_bool(const Given& given) {
  constexpr std::array kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::ranges::find(kTrue, given.value) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, given.value) != kFalse.end()) return false;
  return given.refuse("true or false");
}

Result<std::int64_t> parse_int(const Given& given, std::int64_t min, std::int64_t max) {
  std::int64_t number = 0;
  const auto end = given.value.data() + given.value.size();
  const auto [stop, error] = std::from_chars(given.value.data(), end, number);
  if (error != std::errc{} || stop != end || number < min || number > max)
    return given.refuse(fmt::format("a number from {} to {}", min, max));
  return number;
}

Result<IfName> parse_ifname(const Given& given) {
  auto name = IfName::parse(given.value);
  if (!name) return std::unexpected(in_context(name.error(), "option {}", given.name));
  // /proc/sys/net has these for every interface, so the kernel lets none be called so
  // (sysctl_dev_name_is_allowed of include/linux/inetdevice.h).
  if (given.value == "all" || given.value == "default")
    return fail(ErrorKind::kInvalid, "option {}={}: the kernel keeps that name for itself",
                given.name, given.value);
  return name;
}

Result<Ip> parse_ip(const Given& given, Ip::Family family) {
  const auto ip = Ip::parse(given.value);
  if (!ip || ip->family() != family)
    return given.refuse(family == Ip::Family::kV4 ? "an IPv4 address" : "an IPv6 address");
  return *ip;
}

template <typename Enum>
Result<Enum> parse_word(const Given& given) {
  if (const auto known = by_name<Enum>(given.value)) return *known;
  return given.refuse("one of " + names_of<Enum>());
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (const auto part : text | std::views::split(separator))
    if (!part.empty()) parts.emplace_back(part.begin(), part.end());
  return parts;
}

// ---- the options --------------------------------------------------------------------------------

// Which drivers take an option, as bits.
constexpr unsigned kBridge = 1, kMacvlan = 2, kIpvlan = 4;
constexpr unsigned kParented = kMacvlan | kIpvlan, kAll = kBridge | kParented;

struct Option {
  std::string_view name;
  std::string_view alias;  // another name of the same, or empty
  unsigned drivers;
  Status (*read)(Network& network, const Given& given);
};

// Reads a value with `parse` into a member that `member` picks.
#define BERTH_READ(member, parse)                      \
  [](Network& network, const Given& given) -> Status { \
    network.member = TRY(parse);                       \
    return {};                                         \
  }

Status read_mtu(Network& network, const Given& given) {
  constexpr std::int64_t kMin = 68, kMax = 65535;  // RFC 791: IPv4's least; ETH_MAX_MTU
  const auto mtu = parse_int(given, 0, kMax);
  if (!mtu || (*mtu != 0 && *mtu < kMin))
    return given.refuse(fmt::format("an MTU: {} to {} bytes, or 0 for the host's", kMin, kMax));
  network.link.mtu = static_cast<std::uint32_t>(*mtu);
  return {};
}

Status read_host_binding(Network& network, const Given& given) {
  const auto ip = Ip::parse(given.value);
  if (!ip) return given.refuse("an IP address");
  network.bridge.host_binding = *ip;
  return {};
}

Status read_prefix(Network& network, const Given& given) {
  // Room for a number of up to four digits.
  constexpr std::size_t kLongest = 11;
  const auto name = TRY(parse_ifname(given));
  if (name.str().size() > kLongest)
    return given.refuse(fmt::format("a name of at most {} bytes, as a number follows", kLongest));
  network.link.ifname_prefix = name.str();
  return {};
}

Status read_mode(Network& network, const Given& given) {
  switch (network.driver) {
    case Driver::kMacvlan:
      network.parent.macvlan_mode = TRY(parse_word<MacvlanMode>(given));
      return {};
    case Driver::kIpvlan:
      network.parent.ipvlan_mode = TRY(parse_word<IpvlanMode>(given));
      return {};
    default:
      if (given.value != "managed" && given.value != "unmanaged")
        return given.refuse("managed or unmanaged");
      network.bridge.managed = given.value == "managed";
      return {};
  }
}

Status read_trusted(Network& network, const Given& given) {
  network.bridge.trusted.clear();
  for (const auto each : split(given.value, ':'))
    network.bridge.trusted.push_back(TRY(parse_ifname({given.name, each})));
  return {};
}

Status read_sources(Network& network, const Given& given) {
  network.parent.sources.clear();
  for (const auto each : split(given.value, ',')) {
    const auto mac = Mac::parse(each);
    if (!mac) return given.refuse("a list of MAC addresses with commas");
    network.parent.sources.push_back(*mac);
  }
  return {};
}

Status read_default_bridge(Network&, const Given& given) {
  if (!TRY(parse_bool(given))) return {};
  return fail(ErrorKind::kInvalid,
              "option {}={}: the default network is there from the start: use network bridge",
              given.name, given.value);
}

// netavark's isolation between networks: berth's are always apart, as its "strict".
Status read_isolate(Network&, const Given& given) {
  if (given.value == "strict" || TRY(parse_bool(given))) return {};
  return fail(ErrorKind::kUnsupported,
              "option {}={}: networks are always isolated from each other; connect a sandbox to "
              "both, or publish a port",
              given.name, given.value);
}

Status read_no_default_route(Network& network, const Given& given) {
  network.link.default_route = !TRY(parse_bool(given));
  return {};
}

// A forward from IPv6 ports of the host to a container that has IPv4 alone is switched off by this.
Status read_no_proxy(Network& network, const Given& given) {
  network.bridge.translate6to4 = !TRY(parse_bool(given));
  return {};
}

constexpr Option kOptions[] = {
    {kOptionMtu, "mtu", kAll, read_mtu},
    {"com.docker.network.container_iface_prefix", "", kAll, read_prefix},
    {"com.docker.network.enable_ipv4", "", kAll, BERTH_READ(ipv4, parse_bool(given))},
    {"com.docker.network.enable_ipv6", "", kAll, BERTH_READ(ipv6, parse_bool(given))},
    {"com.docker.network.advertise_addr_nmsgs", "", kAll,
     BERTH_READ(link.announcements, parse_int(given, 0, 3))},
    {"com.docker.network.advertise_addr_ms", "", kAll,
     BERTH_READ(link.announce_interval_ms, parse_int(given, 100, 2000))},
    {"metric", "", kAll, BERTH_READ(link.metric, parse_int(given, 0, 0xffffffff))},
    {"no_default_route", "", kAll, read_no_default_route},

    {kOptionBridgeName, "", kBridge, BERTH_READ(bridge.device, parse_ifname(given))},
    {"com.docker.network.bridge.default_bridge", "", kBridge, read_default_bridge},
    {kOptionIcc, "", kBridge, BERTH_READ(bridge.icc, parse_bool(given))},
    {kOptionMasquerade, "", kBridge, BERTH_READ(bridge.masquerade, parse_bool(given))},
    {"com.docker.network.bridge.gateway_mode_ipv4", "", kBridge,
     BERTH_READ(bridge.mode4, parse_word<GatewayMode>(given))},
    {"com.docker.network.bridge.gateway_mode_ipv6", "", kBridge,
     BERTH_READ(bridge.mode6, parse_word<GatewayMode>(given))},
    {kOptionHostBinding, "", kBridge, read_host_binding},
    {"com.docker.network.bridge.inhibit_ipv4", "", kBridge,
     BERTH_READ(bridge.inhibit_ipv4, parse_bool(given))},
    {"com.docker.network.bridge.trusted_host_interfaces", "", kBridge, read_trusted},
    {"com.docker.network.host_ipv4", "outbound_addr4", kBridge,
     BERTH_READ(bridge.snat4, parse_ip(given, Ip::Family::kV4))},
    {"com.docker.network.host_ipv6", "outbound_addr6", kBridge,
     BERTH_READ(bridge.snat6, parse_ip(given, Ip::Family::kV6))},
    {kOptionNoProxy6to4, "", kBridge, read_no_proxy},
    {"mode", "", kAll, read_mode},
    {"isolate", "", kBridge, read_isolate},
    {"vlan", "", kBridge, BERTH_READ(bridge.vlan, parse_int(given, 1, 4094))},
    {"port_isolation", "portIsolation", kBridge,
     BERTH_READ(bridge.port_isolation, parse_bool(given))},
    {"mac_spoof_check", "macspoofchk", kBridge,
     BERTH_READ(bridge.mac_spoof_check, parse_bool(given))},
    {"vrf", "", kBridge, BERTH_READ(bridge.vrf, parse_ifname(given))},

    {kOptionParent, "", kParented, BERTH_READ(parent.device, parse_ifname(given))},
    {"host_access", "", kParented, BERTH_READ(parent.host_access, parse_bool(given))},
    {"macvlan_mode", "", kMacvlan, read_mode},
    {"macvlan_sources", "", kMacvlan, read_sources},
    {"bclim", "", kMacvlan, BERTH_READ(parent.broadcast_limit, parse_int(given, -1, 0x7fffffff))},
    {"ipvlan_mode", "", kIpvlan, read_mode},
    {"ipvlan_flag", "", kIpvlan, BERTH_READ(parent.ipvlan_flag, parse_word<IpvlanFlag>(given))},
};
#undef BERTH_READ

unsigned bit_of(Driver driver) {
  switch (driver) {
    case Driver::kBridge:
      return kBridge;
    case Driver::kMacvlan:
      return kMacvlan;
    case Driver::kIpvlan:
      return kIpvlan;
    case Driver::kHost:
    case Driver::kNone:
      break;
  }
  return 0;
}

// ---- unknown names ------------------------------------------------------------------------------

// Of the options that any of `drivers` takes.
std::string_view nearest_option(std::string_view option, unsigned drivers) {
  std::vector<std::string_view> known;
  for (const auto& each : kOptions) {
    if ((each.drivers & drivers) == 0) continue;
    known.push_back(each.name);
    if (!each.alias.empty()) known.push_back(each.alias);
  }
  return nearest(option, known);
}

std::unexpected<Error> unknown(const Network& network, std::string_view option) {
  return fail(ErrorKind::kInvalid, "option {}: the {} driver has no such option; the nearest is {}",
              option, name(network.driver), nearest_option(option, bit_of(network.driver)));
}

bool is_called(const Option& option, std::string_view name) {
  return option.name == name || (!option.alias.empty() && option.alias == name);
}

constexpr std::array kDrivers = {Driver::kBridge, Driver::kMacvlan, Driver::kIpvlan};

constexpr std::string_view kEndpointIfname = "com.docker.network.endpoint.ifname";
constexpr std::string_view kEndpointSysctls = "com.docker.network.endpoint.sysctls";
constexpr std::string_view kEndpointMac = "com.docker.network.endpoint.macaddress";
constexpr std::string_view kHostIfname = "host_interface_name";
// Docker's daemon hands these to its drivers: of what they say, a bridge's does nothing but for the
// links of enable_icc=false, and macvlan's and ipvlan's nothing at all.
constexpr std::string_view kEndpointPorts = "com.docker.network.endpoint.exposedports";
constexpr std::string_view kEndpointDns = "com.docker.network.endpoint.dnsservers";
constexpr std::array kEndpointOptions = {kEndpointIfname, kEndpointSysctls, kEndpointMac,
                                         kHostIfname,     kEndpointPorts,   kEndpointDns};

constexpr std::string_view kSerial = "com.docker.network.ipam.serial";

// The kernel's name of a key: Docker separates with dots, in which a dot of IFNAME's cannot stand.
std::string slashed(std::string_view key) {
  std::string path(key);
  if (path.find('/') == std::string::npos) std::ranges::replace(path, '.', '/');
  return path;
}

}  // namespace

Status read_options(Network& network, const Labels& options) {
  std::map<decltype(Option::read), Given> read;  // what means the same is read by the same
  for (const auto& [option, value] : options) {
    const auto is_named = [&](const Option& each) {
      return is_called(each, option) && (each.drivers & bit_of(network.driver)) != 0;
    };
    const auto known = std::ranges::find_if(kOptions, is_named);
    if (known == std::end(kOptions)) return unknown(network, option);
    const auto [same, first] = read.emplace(known->read, Given{option, value});
    if (!first && same->second.value != value)
      return fail(ErrorKind::kInvalid,
                  "option {}={}: that is {} by another name, which is {}: give one of them", option,
                  value, same->second.name, same->second.value);
    TRY(known->read(network, {option, value}));
  }
  return {};
}

Status check_template_options(const Labels& options) {
  for (const auto& [option, value] : options) {
    Status read =
        fail(ErrorKind::kInvalid, "option {}: no driver has such an option; the nearest is {}",
             option, nearest_option(option, kAll));
    for (const auto driver : kDrivers) {
      const auto takes = [&](const Option& each) {
        return is_called(each, option) && (each.drivers & bit_of(driver)) != 0;
      };
      if (std::ranges::none_of(kOptions, takes)) continue;
      Network network;
      network.driver = driver;
      read = read_options(network, {{option, value}});
      if (read) break;
    }
    TRY(read);
  }
  return {};
}

std::vector<OptionName> option_names() {
  std::vector<OptionName> names;
  for (const auto& each : kOptions) {
    auto& name = names.emplace_back(OptionName{each.name, each.alias, {}});
    for (const auto driver : kDrivers)
      if ((each.drivers & bit_of(driver)) != 0) name.takers.push_back(driver);
  }
  return names;
}

std::vector<std::string_view> endpoint_option_names() {
  return {kEndpointOptions.begin(), kEndpointOptions.end()};
}

Status read_endpoint_options(EndpointOptions& endpoint) {
  const auto set = [](IfName& into, const Given& given) -> Status {
    const auto name = TRY(parse_ifname(given));
    if (!into.empty() && into != name)
      return fail(ErrorKind::kInvalid, "option {}={}: the interface is to be called {} as well",
                  given.name, given.value, into.str());
    into = name;
    return {};
  };
  for (const auto& [option, value] : endpoint.driver_options) {
    const Given given{option, value};
    if (option == kEndpointIfname) {
      TRY(set(endpoint.ifname, given));
    } else if (option == kHostIfname) {
      TRY(set(endpoint.host_ifname, given));
    } else if (option == kEndpointMac) {
      const auto mac = Mac::parse(value);
      if (!mac) return given.refuse("a MAC address");
      if (endpoint.mac && *endpoint.mac != *mac)
        return fail(ErrorKind::kInvalid, "option {}={}: the MAC address is to be {} as well",
                    option, value, endpoint.mac->str());
      endpoint.mac = *mac;
    } else if (option == kEndpointSysctls) {
      TRY(endpoint_sysctls(endpoint.driver_options, {}));
    } else if (option == kEndpointPorts) {
      for (const auto each : split(value, ','))
        if (const auto port = parse_port_spec(each); !port || each.contains(':'))
          return given.refuse("ports like 80/tcp with commas");
    } else if (option == kEndpointDns) {
      for (const auto each : split(value, ','))
        if (!Ip::parse(each)) return given.refuse("IP addresses with commas");
    } else {
      return fail(ErrorKind::kInvalid,
                  "option {}: endpoints have no such option; the nearest is {}", option,
                  nearest(option, kEndpointOptions));
    }
  }
  return {};
}

Result<std::vector<std::string>> endpoint_sysctls(const Labels& driver_options,
                                                  const IfName& ifname) {
  constexpr std::string_view kPlace = "IFNAME", kLowerPlace = "ifname";  // Docker takes both
  std::vector<std::string> sysctls;
  const auto given = driver_options.find(std::string(kEndpointSysctls));
  if (given == driver_options.end()) return sysctls;
  for (const auto each : split(given->second, ',')) {
    const auto equals = each.find('=');
    if (equals == each.npos)
      return fail(ErrorKind::kInvalid, "option {}={}: '{}' is not KEY=VALUE", given->first,
                  given->second, each);
    auto key = slashed(each.substr(0, equals));
    const auto parts = split(key, '/');
    const bool of_interface = parts.size() == 5 && parts[0] == "net" &&
                              (parts[3] == kPlace || parts[3] == kLowerPlace) &&
                              (parts[1] == "ipv4" || parts[1] == "ipv6" || parts[1] == "mpls") &&
                              (parts[2] == "conf" || parts[2] == "neigh");
    if (!of_interface)
      return fail(ErrorKind::kInvalid,
                  "option {}={}: '{}' is not a setting of the interface, like "
                  "net.ipv4.conf.IFNAME.log_martians",
                  given->first, given->second, each.substr(0, equals));
    const auto place = parts[0].size() + parts[1].size() + parts[2].size() + 3;
    key.replace(place, kPlace.size(), ifname.str());
    sysctls.push_back(key + "=" + std::string(each.substr(equals + 1)));
  }
  return sysctls;
}

Result<Driver> parse_driver(std::string_view text) {
  if (text == "host" || text == "null" || text == "none")
    return fail(ErrorKind::kInvalid,
                "driver {}: only one network of it can be, and it exists already; give bridge",
                text);
  const auto driver = by_name<Driver>(text);
  if (!driver)
    return fail(ErrorKind::kInvalid,
                "unknown driver '{}': the drivers are bridge, macvlan and ipvlan", text);
  return *driver;
}

Status check_ipam_options(Ipam ipam, const Labels& options) {
  for (const auto& [option, value] : options) {
    if (ipam != Ipam::kBerth || option != kSerial)
      return fail(ErrorKind::kInvalid, "--ipam-opt {}: ipam driver {} has {}", option, name(ipam),
                  ipam == Ipam::kBerth ? fmt::format("no option but {}", kSerial) : "no options");
    (void)TRY(parse_bool({option, value}));
  }
  return {};
}

bool is_serial(const Network& network) {
  const auto given = network.ipam_options.find(std::string(kSerial));
  return given != network.ipam_options.end() &&
         parse_bool({given->first, given->second}).value_or(false);
}

Result<Ipam> parse_ipam(std::string_view text) {
  if (text.empty() || text == "host-local") return Ipam::kBerth;
  if (text == "none") return Ipam::kNone;
  if (const auto known = by_name<Ipam>(text)) return *known;
  return fail(ErrorKind::kInvalid,
              "unknown ipam driver '{}': the ipam drivers are default, dhcp and null", text);
}

}  // namespace berth::model
