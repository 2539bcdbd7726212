#include "kernel/netlink/link.h"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "base/result.h"

namespace berth::kernel {
namespace {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;

// ifi_change says which of ifi_flags are meant; IFF_UP and IFF_NOARP are those that berth sets.
ifinfomsg up_flag(bool up) {
  return {.ifi_flags = up ? unsigned{IFF_UP} : 0U, .ifi_change = IFF_UP};
}
void add_arp_flag(ifinfomsg& header, bool arp) {
  if (arp) return;
  header.ifi_flags |= IFF_NOARP;
  header.ifi_change |= IFF_NOARP;
}

void put_mac_and_mtu(Message& message, const std::optional<Mac>& mac, std::uint32_t mtu) {
  if (mac) message.put_mac(IFLA_ADDRESS, *mac);
  if (mtu != 0) message.put_u32(IFLA_MTU, mtu);
}

// A change of the link called `name`; the caller adds what is to change.
Message change_link(const IfName& name, const ifinfomsg& header = {}) {
  Message message(RTM_SETLINK, 0, header);
  message.put_string(IFLA_IFNAME, name.str());
  return message;
}

// Statistics make up half of a link's description, and nobody here reads them.
Message get_link(const ifinfomsg& header) {
  Message message(RTM_GETLINK, 0, header);
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return message;
}

Result<std::optional<LinkInfo>> get_link_or_none(Socket& socket, Request request) {
  auto found = socket.get<LinkInfo>(std::move(request), &parse_link);
  if (!found && found.error().sys == ENODEV) return std::nullopt;
  return found;
}

void read_link_info(LinkInfo& link, const Attributes& info) {
  if (const auto kind = info.find(IFLA_INFO_KIND)) link.kind = kind->str();
  if (const auto data = info.find(IFLA_INFO_DATA); data && link.kind == "bridge") {
    if (const auto filters = data->nested().find(IFLA_BR_VLAN_FILTERING))
      link.filters_vlans = filters->u8().value_or(0) != 0;
    if (const auto vlan = data->nested().find(IFLA_BR_VLAN_DEFAULT_PVID))
      link.default_vlan = vlan->u16();
  } else if (data && link.kind == "vrf") {
    if (const auto table = data->nested().find(IFLA_VRF_TABLE))
      link.vrf_table = table->u32().value_or(0);
  }
  const auto port_of = info.find(IFLA_INFO_SLAVE_KIND);
  const auto port = info.find(IFLA_INFO_SLAVE_DATA);
  if (!port_of || port_of->str() != "bridge" || !port) return;
  if (const auto isolated = port->nested().find(IFLA_BRPORT_ISOLATED))
    link.isolated = isolated->u8().value_or(0) != 0;
  if (const auto hairpin = port->nested().find(IFLA_BRPORT_MODE))
    link.hairpin = hairpin->u8().value_or(0) != 0;
  if (const auto locked = port->nested().find(IFLA_BRPORT_LOCKED))
    link.locked = locked->u8().value_or(0) != 0;
  if (const auto state = port->nested().find(IFLA_BRPORT_STATE))
    link.forwarding = state->u8() == BR_STATE_FORWARDING;
}

// As port data of RTM_NEWLINK (`ip link set ... type bridge_slave isolated on`), because the other
// way, RTM_SETLINK of family AF_BRIDGE (`bridge link set`), takes the port's index only.
struct PortFlag {
  std::uint16_t attribute;
  bool on;
};
Request set_port_flags(const IfName& name, std::initializer_list<PortFlag> flags,
                       std::string_view words) {
  Message message(RTM_NEWLINK, 0, ifinfomsg{});
  message.put_string(IFLA_IFNAME, name.str());
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_SLAVE_KIND, "bridge");
    {
      const auto port = message.nest(IFLA_INFO_SLAVE_DATA);
      for (const auto& flag : flags) message.put_u8(flag.attribute, flag.on ? 1 : 0);
    }
  }
  return {std::move(message), fmt::format("set bridge port {} {}", name.str(), words)};
}
Request set_port_flag(const IfName& name, std::uint16_t flag, bool on, std::string_view word) {
  return set_port_flags(name, {{flag, on}}, fmt::format("{} {}", word, on ? "on" : "off"));
}

// A new link on top of another one; the caller adds IFLA_LINKINFO.
Message new_sub_link(const SubLinkSpec& spec) {
  Message message(RTM_NEWLINK, kCreate, ifinfomsg{});
  message.put_string(IFLA_IFNAME, spec.name.str());
  message.put_u32(IFLA_LINK, static_cast<std::uint32_t>(spec.lower));
  put_mac_and_mtu(message, spec.mac, spec.mtu);
  if (spec.netns_fd >= 0)
    message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(spec.netns_fd));
  return message;
}

// In linux/if_link.h since Linux 6.2; Debian 12's headers are 6.1's.
constexpr std::uint16_t kMacvlanBroadcastCutoff = 9;  // IFLA_MACVLAN_BC_CUTOFF

}  // namespace

std::optional<LinkInfo> parse_link(const MessageView& message) {
  const auto header = message.header<ifinfomsg>();
  if (message.type() != RTM_NEWLINK || !header) return std::nullopt;
  LinkInfo link{.index = header->ifi_index,
                .up = (header->ifi_flags & IFF_UP) != 0,
                .arp = (header->ifi_flags & IFF_NOARP) == 0};
  for (const auto& attribute : message.attributes(sizeof *header)) {
    switch (attribute.type) {
      case IFLA_IFNAME:
        link.name = IfName::parse(attribute.str()).value_or(IfName{});
        break;
      case IFLA_ADDRESS:
        link.mac = attribute.mac();
        break;
      case IFLA_MTU:
        link.mtu = attribute.u32().value_or(0);
        break;
      case IFLA_MASTER:
        link.master = attribute.s32().value_or(0);
        break;
      case IFLA_LINK:
        link.peer_index = attribute.s32().value_or(0);
        break;
      case IFLA_LINK_NETNSID:
        link.peer_netnsid = attribute.s32();
        break;
      case IFLA_GROUP:
        link.group = attribute.u32().value_or(0);
        break;
      case IFLA_LINKINFO:
        read_link_info(link, attribute.nested());
        break;
      default:
        break;
    }
  }
  return link;
}

Result<std::optional<LinkInfo>> find_link(Socket& socket, const IfName& name) {
  auto message = get_link({});
  message.put_string(IFLA_IFNAME, name.str());
  return get_link_or_none(socket, {std::move(message), fmt::format("find link {}", name.str())});
}

Result<std::optional<LinkInfo>> find_link(Socket& socket, int index) {
  return get_link_or_none(
      socket, {get_link({.ifi_index = index}), fmt::format("find the link with index {}", index)});
}

// By binding the socket to the link, which a netlink socket takes no notice of. The ioctl for it,
// SIOCGIFINDEX, loads a module of that name where no link has it (dev_load in net/core/dev_ioctl.c):
// modprobe takes milliseconds, and the name may be anybody's choice. Who has not the capability to
// bind a socket again, CAP_NET_RAW, has hardly that to load a module.
Result<std::optional<int>> link_index(const Socket& socket, const IfName& name) {
  const auto& text = name.str();
  const auto size = static_cast<socklen_t>(text.size());
  int index = 0;
  socklen_t index_size = sizeof index;
  if (::setsockopt(socket.fd(), SOL_SOCKET, SO_BINDTODEVICE, text.c_str(), size) == 0 &&
      ::getsockopt(socket.fd(), SOL_SOCKET, SO_BINDTOIFINDEX, &index, &index_size) == 0)
    return index;
  if (errno == EPERM) {
    ifreq request{};
    text.copy(request.ifr_name, IFNAMSIZ - 1);
    if (::ioctl(socket.fd(), SIOCGIFINDEX, &request) == 0) return request.ifr_ifindex;
  }
  if (errno == ENODEV) return std::nullopt;
  return fail_sys(errno, "find link {}", text);
}

Result<std::optional<Mac>> link_mac(const Socket& socket, const IfName& name) {
  ifreq request{};
  name.str().copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(socket.fd(), SIOCGIFHWADDR, &request) != 0) {
    if (errno == ENODEV) return std::nullopt;
    return fail_sys(errno, "find link {}", name.str());
  }
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) return std::nullopt;
  std::array<std::uint8_t, 6> bytes;
  std::memcpy(bytes.data(), request.ifr_hwaddr.sa_data, bytes.size());
  return Mac(bytes);
}

Result<bool> link_is_up(const Socket& socket, const IfName& name) {
  ifreq request{};
  name.str().copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(socket.fd(), SIOCGIFFLAGS, &request) != 0)
    return fail_sys(errno, "find link {}", name.str());
  return (request.ifr_flags & IFF_UP) != 0;
}

Status sync_carrier(const Socket& socket, const IfName& name) {
  ethtool_value carrier{.cmd = ETHTOOL_GLINK, .data = 0};
  ifreq request{};
  name.str().copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&carrier);
  if (::ioctl(socket.fd(), SIOCETHTOOL, &request) == 0 || errno == ENODEV || errno == EOPNOTSUPP)
    return {};
  return fail_sys(errno, "ask for the carrier of link {}", name.str());
}

Result<std::vector<LinkInfo>> list_links(Socket& socket) {
  return socket.dump<LinkInfo>({get_link({}), "list links"}, &parse_link);
}

Request add_bridge(const BridgeSpec& spec) {
  Message message(RTM_NEWLINK, kCreate, up_flag(spec.up));
  message.put_string(IFLA_IFNAME, spec.name.str());
  put_mac_and_mtu(message, spec.mac, spec.mtu);
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "bridge");
  }
  return {std::move(message), fmt::format("add link {} (bridge)", spec.name.str())};
}

Request add_veth(const VethSpec& spec) {
  const auto& peer = spec.peer;
  auto header = up_flag(spec.up);
  ifinfomsg peer_header{};
  add_arp_flag(header, spec.arp);
  add_arp_flag(peer_header, spec.arp);
  Message message(RTM_NEWLINK, kCreate, header);
  message.put_string(IFLA_IFNAME, spec.name.str());
  put_mac_and_mtu(message, spec.mac, spec.mtu);
  if (spec.master != 0) message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(spec.master));
  if (spec.group != 0) message.put_u32(IFLA_GROUP, spec.group);
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "veth");
    {
      const auto data = message.nest(IFLA_INFO_DATA);
      {
        const auto end = message.nest(VETH_INFO_PEER);
        message.append(bytes_of(peer_header));
        message.put_string(IFLA_IFNAME, peer.name.str());
        put_mac_and_mtu(message, peer.mac, peer.mtu);
        if (peer.netns_fd >= 0)
          message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(peer.netns_fd));
      }
    }
  }
  return {std::move(message),
          fmt::format("add link {} (veth, peer {})", spec.name.str(), peer.name.str())};
}

Request add_macvlan(const MacvlanSpec& spec) {
  auto message = new_sub_link(spec.link);
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "macvlan");
    {
      const auto data = message.nest(IFLA_INFO_DATA);
      message.put_u32(IFLA_MACVLAN_MODE, spec.mode);
      if (spec.mode == MACVLAN_MODE_SOURCE) {
        message.put_u32(IFLA_MACVLAN_MACADDR_MODE, MACVLAN_MACADDR_SET);
        const auto list = message.nest(IFLA_MACVLAN_MACADDR_DATA);
        for (const auto& source : spec.sources) message.put_mac(IFLA_MACVLAN_MACADDR, source);
      }
      if (spec.broadcast_limit)
        message.put_u32(kMacvlanBroadcastCutoff, static_cast<std::uint32_t>(*spec.broadcast_limit));
    }
  }
  return {std::move(message), fmt::format("add link {} (macvlan)", spec.link.name.str())};
}

Request add_ipvlan(const IpvlanSpec& spec) {
  auto message = new_sub_link(spec.link);
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "ipvlan");
    {
      const auto data = message.nest(IFLA_INFO_DATA);
      message.put_u16(IFLA_IPVLAN_MODE, spec.mode);
      message.put_u16(IFLA_IPVLAN_FLAGS, spec.flags);
    }
  }
  return {std::move(message), fmt::format("add link {} (ipvlan)", spec.link.name.str())};
}

Request add_vlan(const SubLinkSpec& link, std::uint16_t id) {
  auto message = new_sub_link(link);
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "vlan");
    {
      const auto data = message.nest(IFLA_INFO_DATA);
      message.put_u16(IFLA_VLAN_ID, id);
    }
  }
  return {std::move(message), fmt::format("add link {} (vlan {})", link.name.str(), id)};
}

Request add_dummy(const IfName& name, std::uint32_t mtu) {
  Message message(RTM_NEWLINK, kCreate, ifinfomsg{});
  message.put_string(IFLA_IFNAME, name.str());
  put_mac_and_mtu(message, {}, mtu);
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "dummy");
  }
  return {std::move(message), fmt::format("add link {} (dummy)", name.str())};
}

Result<bool> has_link_kind(Socket& socket, std::string_view kind) {
  Message message(RTM_NEWLINK, kCreate, ifinfomsg{});
  message.put_string(IFLA_IFNAME, "berth-probe");
  message.put_u8(IFLA_ADDRESS, 0);
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, kind);
  }
  const auto refused = socket.request(
      {std::move(message), fmt::format("ask whether the kernel has {} devices", kind)});
  if (refused || refused.error().sys == EINVAL) return true;
  if (refused.error().sys == EOPNOTSUPP) return false;
  return std::unexpected(refused.error());
}

Request set_link_up(const IfName& name, bool up) {
  return {change_link(name, up_flag(up)),
          fmt::format("set link {} {}", name.str(), up ? "up" : "down")};
}

Request set_link_mtu(const IfName& name, std::uint32_t mtu) {
  auto message = change_link(name);
  message.put_u32(IFLA_MTU, mtu);
  return {std::move(message), fmt::format("set link {} mtu {}", name.str(), mtu)};
}

Request set_link_group(const IfName& name, std::uint32_t group) {
  auto message = change_link(name);
  message.put_u32(IFLA_GROUP, group);
  return {std::move(message), fmt::format("set link {} group {}", name.str(), group)};
}

Request set_link_master(const IfName& name, int master) {
  auto message = change_link(name);
  message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(master));
  return {std::move(message), fmt::format("set link {} master index {}", name.str(), master)};
}

Request set_port_isolated(const IfName& name, bool isolated) {
  return set_port_flag(name, IFLA_BRPORT_ISOLATED, isolated, "isolated");
}

Request set_port_hairpin(const IfName& name, bool hairpin) {
  return set_port_flag(name, IFLA_BRPORT_MODE, hairpin, "hairpin");
}

// Without learning: frames to the addresses of IEEE 802.1D are learnt from before the lock is looked
// at (br_handle_local_finish).
Request set_port_locked(const IfName& name) {
  return set_port_flags(name, {{IFLA_BRPORT_LOCKED, true}, {IFLA_BRPORT_LEARNING, false}},
                        "locked on learning off");
}

Result<bool> has_vrf(Socket& socket) {
  Message message(RTM_NEWLINK, kCreate, ifinfomsg{});
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "vrf");
  }
  const auto answer = socket.request({std::move(message), "look for VRF"});
  if (answer || answer.error().sys == EINVAL) return true;
  if (answer.error().kind == ErrorKind::kUnsupported) return false;
  return std::unexpected(answer.error());
}

Request delete_link(const IfName& name) {
  Message message(RTM_DELLINK, 0, ifinfomsg{});
  message.put_string(IFLA_IFNAME, name.str());
  return {std::move(message), fmt::format("delete link {}", name.str())};
}

Request delete_link_group(std::uint32_t group) {
  Message message(RTM_DELLINK, 0, ifinfomsg{});
  message.put_u32(IFLA_GROUP, group);
  return {std::move(message), fmt::format("delete the links of group {}", group)};
}

}  // namespace berth::kernel
