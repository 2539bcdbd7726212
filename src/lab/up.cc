// Making a lab: namespaces, switch, hosts.
#include <linux/netlink.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/result.h"
#include "base/shell.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/netns/netns.h"
#include "kernel/sysctl/sysctl.h"
#include "lab/layout.h"
#include "lab/switch.h"

namespace berth::lab {
namespace {

namespace fs = std::filesystem;
using kernel::Netns;
using kernel::Request;
using kernel::Socket;

constexpr mode_t kPrivate = 0700;
constexpr char kForwarding[] = "net.ipv4.ip_forward";

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kPrivate) != 0) return fail_sys(errno, "make the directory {}", path);
  return {};
}

// <run>/labs and what is missing above it.
Status ensure_directory(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return {};
  const auto parent = fs::path(path).parent_path().string();
  if (parent != path) TRY(ensure_directory(parent));
  if (::mkdir(path.c_str(), kPrivate) != 0 && errno != EEXIST)
    return fail_sys(errno, "make the directory {}", path);
  return {};
}

// The lab's own shared mount; see lab.h.
Status mount_shared(const std::string& path) {
  if (::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
      ::mount(nullptr, path.c_str(), nullptr, MS_SHARED, nullptr) != 0)
    return fail_sys(errno, "make {} a shared mount", path);
  return {};
}

Status all(std::vector<Status> results) {
  for (auto& result : results) TRY(std::move(result));
  return {};
}

Result<int> index_of(Socket& socket, const IfName& name) {
  const auto link = TRY(kernel::find_link(socket, name));
  if (!link) return fail(ErrorKind::kNotFound, "the link {} is gone", name.str());
  return link->index;
}

// A new namespace takes the settings of the machine's first one
// (net.core.devconf_inherit_init_net), but a lab should behave the same everywhere.
Status set_forwarding(const Netns& netns, bool on) {
  return kernel::run_in(netns, [&]() -> Status {
    const std::string_view wanted = on ? "1" : "0";
    if (TRY(kernel::read_sysctl(kForwarding)) == wanted) return {};
    return kernel::write_sysctl(kForwarding, wanted);
  });
}

struct SwitchEnd {
  Socket socket;
  int bridge = 0;  // its index
};

Result<SwitchEnd> make_switch(const Netns& netns, int prefix) {
  const auto lan = TRY(IfName::parse(kBridge));
  const auto lo = TRY(IfName::parse("lo"));
  auto socket = TRY(kernel::open_socket_in(netns, NETLINK_ROUTE));
  std::vector<Request> requests;
  requests.push_back(kernel::set_link_up(lo, true));
  requests.push_back(kernel::add_bridge({.name = lan, .mac = Mac::from_ip(gateway())}));
  TRY(all(socket.batch(requests)));
  const int bridge = TRY(index_of(socket, lan));
  requests.clear();
  requests.push_back(kernel::add_address(bridge, Cidr(gateway(), prefix)));
  requests.push_back(
      kernel::add_address(TRY(index_of(socket, lo)), Cidr(outside(), outside().bits())));
  TRY(all(socket.batch(requests)));
  TRY(set_forwarding(netns, true));
  return SwitchEnd{std::move(socket), bridge};
}

// The veths of all hosts, both ends: in the switch named as the host, in the host eth0.
Status plug_in(SwitchEnd& end, const Lab& lab, const std::map<std::string, Netns>& namespaces) {
  const auto eth0 = TRY(IfName::parse(kUplink));
  std::vector<Request> requests;
  for (const auto& host : lab.hosts) {
    requests.push_back(kernel::add_veth({.name = TRY(IfName::parse(host.name)),
                                         .master = end.bridge,
                                         .group = kPortGroup,
                                         .peer = {.name = eth0,
                                                  .mac = Mac::from_ip(host.address.ip()),
                                                  .netns_fd = namespaces.at(host.name).fd()}}));
  }
  return all(end.socket.batch(requests));
}

// A link that has just got its carrier drops packets until a kernel worker has seen to it, and on a
// busy machine a first ping would then wait a second for ARP to ask again. Asking for the link does
// the worker's part at once (linkwatch_sync_dev in rtnl_getlink, net/core/rtnetlink.c).
Status settle(Socket& socket, const IfName& name) {
  TRY(index_of(socket, name));
  return {};
}

Status set_up_host(const Netns& netns, const Host& host) {
  const auto eth0 = TRY(IfName::parse(kUplink));
  auto socket = TRY(kernel::open_socket_in(netns, NETLINK_ROUTE));
  const int index = TRY(index_of(socket, eth0));
  std::vector<Request> requests;
  requests.push_back(kernel::set_link_up(TRY(IfName::parse("lo")), true));
  requests.push_back(kernel::add_address(index, host.address));
  requests.push_back(kernel::set_link_up(eth0, true));
  requests.push_back(kernel::add_route({.gateway = gateway(), .link_index = index}));
  TRY(all(socket.batch(requests)));
  TRY(settle(socket, eth0));
  return set_forwarding(netns, false);
}

// Under another name first: the file is there only when it is whole.
Status describe(const Lab& lab) {
  const auto unfinished = description_file(lab) + ".new";
  errno = 0;
  std::ofstream file(unfinished);
  file << to_json(lab);
  file.close();
  if (!file) return fail_sys(errno, "write {}", unfinished);
  if (::rename(unfinished.c_str(), description_file(lab).c_str()) != 0)
    return fail_sys(errno, "write {}", description_file(lab));
  return {};
}

Status build(const Lab& lab) {
  TRY(mount_shared(lab.directory));
  TRY(make_directory(lab.directory + "/root"));
  TRY(make_directory(lab.directory + "/run"));
  std::map<std::string, Netns> namespaces;
  for (const auto& place : places(lab)) {
    TRY(make_directory(lab.root_of(place)));
    TRY(make_directory(lab.run_of(place)));
    namespaces.emplace(place, TRY(Netns::create(lab.netns_of(place))));
  }
  auto end = TRY(make_switch(namespaces.at(kSwitch), lab.hosts.front().address.prefix()));
  TRY(plug_in(end, lab, namespaces));
  for (const auto& host : lab.hosts) {
    if (auto made = set_up_host(namespaces.at(host.name), host); !made)
      return std::unexpected(in_context(std::move(made).error(), "host {}", host.name));
    TRY(settle(end.socket, TRY(IfName::parse(host.name))));
  }
  return describe(lab);
}

Error is_taken(const Lab& lab) {
  return {ErrorKind::kExists,
          fmt::format("a lab named '{}' is there already: choose another name, or remove it with "
                      "'berth lab down {}'",
                      lab.name, lab.name)};
}

}  // namespace

Result<Lab> up(const LabSpec& spec) {
  auto lab = TRY(layout(spec));
  TRY(ensure_directory(spec.directory));
  const auto held = TRY(lock(spec.directory));
  if (::mkdir(lab.directory.c_str(), kPrivate) != 0) {
    if (errno == EEXIST) return std::unexpected(is_taken(lab));
    return fail_sys(errno, "make the directory {}", lab.directory);
  }
  if (auto built = build(lab); !built) {
    auto error = in_context(std::move(built).error(), "lab '{}' was not made", lab.name);
    for (const auto& left : dismantle(lab)) error.message += "; " + left.message;
    return std::unexpected(std::move(error));
  }
  lab.intact = true;
  return lab;
}

// The same steps as build(), as commands.
Result<std::vector<std::string>> plan_up(const LabSpec& spec) {
  const auto lab = TRY(layout(spec));
  std::error_code error;
  if (fs::exists(fs::symlink_status(lab.directory, error))) return std::unexpected(is_taken(lab));
  std::vector<std::string> commands;
  const auto add = [&]<typename... Args>(fmt::format_string<Args...> text, Args&&... args) {
    commands.push_back(fmt::format(text, std::forward<Args>(args)...));
  };
  const auto in = [&](const std::string& place) {
    return "nsenter --net=" + shell_word(lab.netns_of(place)) + " ";
  };
  const auto own = shell_word(lab.directory);
  if (!fs::is_directory(spec.directory, error))
    add("mkdir -p -m 700 {}", shell_word(spec.directory));
  add("mkdir -m 700 {}", own);
  add("mount --bind {} {}", own, own);
  add("mount --make-shared {}", own);
  add("mkdir -m 700 {0}/root {0}/run", own);
  for (const auto& place : places(lab)) {
    add("mkdir -m 700 {} {}", shell_word(lab.root_of(place)), shell_word(lab.run_of(place)));
    const auto file = shell_word(lab.netns_of(place));
    add("touch {} && unshare --net={} true", file, file);
  }
  const auto on_switch = in(kSwitch);
  add("{}ip link set lo up", on_switch);
  add("{}ip link add {} address {} type bridge", on_switch, kBridge, Mac::from_ip(gateway()).str());
  add("{}ip link set {} up", on_switch, kBridge);
  add("{}ip addr add {} broadcast + dev {}", on_switch,
      Cidr(gateway(), lab.hosts.front().address.prefix()).str(), kBridge);
  add("{}ip addr add {} dev lo", on_switch, Cidr(outside(), outside().bits()).str());
  add("{}sysctl -qw {}=1", on_switch, kForwarding);
  for (const auto& host : lab.hosts) {
    add("{}ip link add {} group {} master {} type veth peer name {} address {} netns {}", on_switch,
        host.name, kPortGroup, kBridge, kUplink, Mac::from_ip(host.address.ip()).str(),
        shell_word(lab.netns_of(host.name)));
    add("{}ip link set {} up", on_switch, host.name);
    const auto on_host = in(host.name);
    add("{}ip link set lo up", on_host);
    add("{}ip addr add {} broadcast + dev {}", on_host, host.address.str(), kUplink);
    add("{}ip link set {} up", on_host, kUplink);
    add("{}ip route add default via {} dev {} proto static", on_host, gateway().str(), kUplink);
    add("{}sysctl -qw {}=0", on_host, kForwarding);
  }
  add("cat >{} <<'EOF'\n{}EOF", shell_word(description_file(lab)), to_json(lab));
  return commands;
}

}  // namespace berth::lab
