#include "translator/translator.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>

#include "base/result.h"
#include "kernel/bpf/program.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/filter.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/netns/netns.h"
#include "kernel/sysctl/device.h"
#include "kernel/sysctl/sysctl.h"
#include "translator/foreign.h"
#include "translator/program.h"

namespace berth::translator {
namespace {

constexpr std::uint32_t kMtu = 65535;            // the largest of a veth (ETH_MAX_MTU)
constexpr std::uint32_t kLoopbackMetric = 2000;  // lo's own route has 0
constexpr const char* kObject = "berth-translate.o";

IfName device(std::string_view name) {
  return IfName::parse(name).value();
}
Ip loopback6() {
  return Ip::from_number(Ip::Family::kV6, 1);
}
Mac hardware_address() {
  return Mac::from_ip(client4());
}
Cidr client6_alone() {
  return {client6(), 128};
}

struct Program {
  kernel::Direction direction;
  const char* section;  // of the object file, and the name of filter and program
  std::span<const std::uint64_t> instructions;
};
std::vector<Program> programs() {
  return {{kernel::Direction::kIngress, "to4", to4()}, {kernel::Direction::kEgress, "to6", to6()}};
}

kernel::Route to_prefix(int index6) {
  return {.family = Ip::Family::kV6, .destination = prefix(), .link_index = index6};
}
kernel::Route to_client4(int index4) {
  return {.family = Ip::Family::kV4, .destination = Cidr(client4(), 32), .link_index = index4};
}

// Of both devices, whatever net/*/conf/default says. IPv4 comes out of the one of them and is
// forwarded to a bridge; IPv6 is for the other alone, and there even on a host whose new devices
// have none.
struct Setting {
  IfName device;
  kernel::DeviceSetting what;

  [[nodiscard]] std::string key() const {
    return kernel::device_key(device, what.family, what.name);
  }
};
std::vector<Setting> settings() {
  const auto v6 = device(kDevice6), v4 = device(kDevice4);
  std::vector<Setting> all{{v6, {Ip::Family::kV6, "disable_ipv6", "0"}},
                           {v4, {Ip::Family::kV6, "disable_ipv6", "1"}},
                           {v4, {Ip::Family::kV4, "forwarding", "1"}}};
  for (const auto& end : {v6, v4}) {
    all.push_back({end, {Ip::Family::kV4, "route_localnet", "0"}});
    for (const auto& guard : kernel::kGuards) all.push_back({end, guard});
  }
  return all;
}

bool all_set() {
  return std::ranges::all_of(settings(), [](const Setting& setting) {
    const auto value = kernel::read_sysctl(setting.key());
    return value && *value == setting.what.value;
  });
}

// Whether the devices can be set so here: where /proc/sys is read-only, what a new device begins
// with has to be right already.
Status check_settings() {
  const auto defaults = device("default");
  for (const auto& [_, what] : settings()) {
    const auto key = kernel::device_key(defaults, what.family, what.name);
    const auto value = kernel::read_sysctl(key);
    if (value && *value == what.value) continue;
    if (::access(TRY(kernel::sysctl_path(key)).c_str(), W_OK) != 0)
      return fail_sys(errno, "the translator's devices need sysctl {} to be {}", what.name,
                      what.value);
  }
  return {};
}

struct Pair {
  kernel::LinkInfo v6, v4;
};

// The pair as it should be made, up or not; nullopt where it is not there or is something else.
Result<std::optional<Pair>> find_pair(kernel::Socket& route) {
  auto v6 = TRY(kernel::find_link(route, device(kDevice6)));
  auto v4 = TRY(kernel::find_link(route, device(kDevice4)));
  const auto right = [](const kernel::LinkInfo& end, const kernel::LinkInfo& other) {
    return end.kind == "veth" && end.peer_index == other.index && !end.peer_netnsid &&
           end.mac == hardware_address() && end.mtu == kMtu && !end.arp;
  };
  if (!v6 || !v4 || !right(*v6, *v4) || !right(*v4, *v6)) return std::nullopt;
  return Pair{*std::move(v6), *std::move(v4)};
}

Result<bool> has_route(kernel::Socket& route, const kernel::Route& wanted) {
  return std::ranges::any_of(TRY(kernel::list_routes(route, wanted.family)),
                             [&](const kernel::Route& each) {
                               return each.destination == wanted.destination &&
                                      each.link_index == wanted.link_index && !each.gateway;
                             });
}

Result<bool> has_program(kernel::Socket& route, int index, const Program& program) {
  const auto there = TRY(kernel::list_bpf_filters(route, index, program.direction));
  if (there.size() != 1 || !there[0].direct_action) return false;
  // The kernel names instructions by a digest; loading ours tells which.
  const auto loaded = TRY(kernel::load_classifier(program.section, program.instructions));
  return there[0].tag == TRY(kernel::tag_of(loaded));
}

Status done_or_there(Status status) {
  if (!status && status.error().kind == ErrorKind::kExists) return {};
  return status;
}

Result<std::vector<UniqueFd>> load() {
  std::vector<UniqueFd> loaded;
  for (const auto& program : programs())
    loaded.push_back(TRY(kernel::load_classifier(program.section, program.instructions)));
  return loaded;
}

// Is it one of the pair, whatever somebody has changed of it since?
bool is_own(const kernel::LinkInfo& link) {
  return link.kind == "veth" && link.mac == hardware_address();
}

Status make_pair(kernel::Socket& route) {
  TRY(check_names(route));
  TRY(remove(route));
  const auto mac = hardware_address();
  return route.request(
      kernel::add_veth({.name = device(kDevice6),
                        .mac = mac,
                        .mtu = kMtu,
                        .up = false,
                        .arp = false,
                        .peer = {.name = device(kDevice4), .mac = mac, .mtu = kMtu}}));
}

// What `pair` carries. Filters before the links are up, so that nothing ever passes untranslated.
Status complete(kernel::Socket& route, const Pair& pair, std::span<const UniqueFd> loaded) {
  TRY(done_or_there(route.request(kernel::add_clsact(pair.v4.index))));
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    const auto program = programs()[i];
    TRY(route.request(kernel::put_bpf_filter({.link_index = pair.v4.index,
                                              .direction = program.direction,
                                              .program = loaded[i].get(),
                                              .name = program.section})));
  }
  for (const auto& each : settings()) TRY(kernel::write_sysctl(each.key(), each.what.value));
  TRY(route.request(kernel::set_link_up(device(kDevice4), true)));
  TRY(route.request(kernel::set_link_up(device(kDevice6), true)));
  TRY(done_or_there(route.request(kernel::add_address(pair.v6.index, client6_alone()))));
  TRY(done_or_there(route.request(kernel::add_route(to_prefix(pair.v6.index)))));
  TRY(done_or_there(route.request(kernel::add_route(to_client4(pair.v4.index)))));
  return done_or_there(
      route.request(kernel::append_local_route(loopback6(), pair.v6.index, kLoopbackMetric)));
}

std::string object_path() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path() / kObject;
  if (!error && std::filesystem::exists(beside, error)) return beside.string();
  const auto installed = self.parent_path().parent_path() / "libexec" / "berth" / kObject;
  return std::filesystem::exists(installed, error) ? installed.string() : kObject;
}

}  // namespace

Result<bool> is_there(const kernel::Socket& route) {
  return TRY(kernel::link_index(route, device(kDevice6))).has_value();
}

Status check_names(kernel::Socket& route) {
  for (const auto name : {kDevice6, kDevice4})
    if (const auto there = TRY(kernel::find_link(route, device(name))); there && !is_own(*there))
      return fail(ErrorKind::kExists,
                  "an interface {} exists already and is not the translator's: remove it", name);
  return {};
}

Result<bool> intact(kernel::Socket& route) {
  const auto pair = TRY(find_pair(route));
  if (!pair || !pair->v6.up || !pair->v4.up || !all_set()) return false;
  const auto addresses = TRY(kernel::list_addresses(route, pair->v6.index));
  const auto is_client = [](const kernel::AddressInfo& each) {
    return each.address == client6_alone();
  };
  if (std::ranges::none_of(addresses, is_client)) return false;
  if (!TRY(has_route(route, to_prefix(pair->v6.index))) ||
      !TRY(has_route(route, to_client4(pair->v4.index))) ||
      !TRY(kernel::has_local_route(route, loopback6(), pair->v6.index)))
    return false;
  for (const auto& program : programs())
    if (!TRY(has_program(route, pair->v4.index, program))) return false;
  return true;
}

Status ensure(kernel::Socket& route) {
  const auto loaded = TRY(load());  // before anything is made
  auto pair = TRY(find_pair(route));
  const bool make = !pair;
  if (make) {
    TRY(make_pair(route));
    pair = TRY(find_pair(route));
    if (!pair)
      return fail(ErrorKind::kInUse, "{} is not as it was made: somebody changes it", kDevice6);
  }
  auto done = complete(route, *pair, loaded);
  if (!done && make) (void)remove(route);  // a translator is there or it is not
  return done;
}

Status remove(kernel::Socket& route) {
  for (const auto name : {kDevice6, kDevice4}) {
    const auto there = TRY(kernel::find_link(route, device(name)));
    if (!there || !is_own(*there)) continue;
    auto gone = route.request(kernel::delete_link(device(name)));
    if (!gone && gone.error().kind != ErrorKind::kNotFound) return gone;
  }
  return {};
}

Status possible() {
  TRY(load());  // fails quickly where it is not permitted
  TRY(check_settings());
  return kernel::run_in_new([]() -> Status {
    auto route = TRY(kernel::Socket::open(NETLINK_ROUTE));
    return ensure(route);
  });
}

std::vector<std::string> commands() {
  const auto mac = hardware_address().str();
  const auto object = object_path();
  std::vector<std::string> commands{
      fmt::format("ip link add name {} address {} mtu {} type veth peer name {} address {} mtu {}",
                  kDevice6, mac, kMtu, kDevice4, mac, kMtu),
      fmt::format("tc qdisc add dev {} clsact", kDevice4)};
  for (const auto& program : programs())
    commands.push_back(fmt::format(
        "tc filter add dev {} {} prio 1 handle 1 bpf direct-action object-file {} section {}",
        kDevice4, program.direction == kernel::Direction::kIngress ? "ingress" : "egress", object,
        program.section));
  for (const auto& each : settings())
    commands.push_back(fmt::format("sysctl -qw {}={}", each.key(), each.what.value));
  for (const auto name : {kDevice4, kDevice6})
    commands.push_back(fmt::format("ip link set {} arp off up", name));
  commands.push_back(fmt::format("ip addr add {} dev {} nodad", client6_alone().str(), kDevice6));
  commands.push_back(fmt::format("ip route add {} dev {} proto static", prefix().str(), kDevice6));
  commands.push_back(fmt::format("ip route add {} dev {} proto static", client4().str(), kDevice4));
  commands.push_back(
      fmt::format("ip -6 route append local {} dev {} table local proto static metric {}",
                  loopback6().str(), kDevice6, kLoopbackMetric));
  return commands;
}

}  // namespace berth::translator
