#include "kernel/netlink/bridge.h"

#include <fmt/format.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/result.h"

namespace berth::kernel {
namespace {

constexpr std::uint16_t kAccess = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;

Message change_vlan(std::uint16_t type, int port, const bridge_vlan_info& vlan, bool self) {
  Message message(type, 0, ifinfomsg{.ifi_family = AF_BRIDGE, .ifi_index = port});
  {
    const auto spec = message.nest(IFLA_AF_SPEC);
    if (self) message.put_u16(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
    message.put(IFLA_BRIDGE_VLAN_INFO, bytes_of(vlan));
  }
  return message;
}

struct PortVlans {
  std::vector<PortVlan> all;
};

std::optional<PortVlans> parse_port_vlans(const MessageView& message) {
  const auto header = message.header<ifinfomsg>();
  if (message.type() != RTM_NEWLINK || !header) return std::nullopt;
  const auto spec = message.attributes(sizeof *header).find(IFLA_AF_SPEC);
  if (!spec) return std::nullopt;
  PortVlans vlans;
  for (const auto& attribute : spec->nested()) {
    bridge_vlan_info info;
    if (attribute.type != IFLA_BRIDGE_VLAN_INFO || attribute.payload.size() < sizeof info) continue;
    std::memcpy(&info, attribute.payload.data(), sizeof info);
    vlans.all.push_back({header->ifi_index, info.vid, (info.flags & kAccess) == kAccess});
  }
  return vlans;
}

std::optional<FdbEntry> parse_fdb_entry(const MessageView& message) {
  const auto header = message.header<ndmsg>();
  if (message.type() != RTM_NEWNEIGH || !header || header->ndm_family != AF_BRIDGE)
    return std::nullopt;
  const auto lladdr = message.attributes(sizeof *header).find(NDA_LLADDR);
  const auto mac = lladdr ? lladdr->mac() : std::nullopt;
  if (!mac) return std::nullopt;
  return FdbEntry{header->ndm_ifindex, *mac, (header->ndm_state & NUD_NOARP) != 0};
}

}  // namespace

Request set_vlan_filtering(const IfName& bridge, bool on) {
  Message message(RTM_NEWLINK, 0, ifinfomsg{});
  message.put_string(IFLA_IFNAME, bridge.str());
  {
    const auto info = message.nest(IFLA_LINKINFO);
    message.put_string(IFLA_INFO_KIND, "bridge");
    {
      const auto data = message.nest(IFLA_INFO_DATA);
      message.put_u8(IFLA_BR_VLAN_FILTERING, on ? 1 : 0);
    }
  }
  return {std::move(message),
          fmt::format("set bridge {} vlan_filtering {}, which needs a kernel with "
                      "CONFIG_BRIDGE_VLAN_FILTERING",
                      bridge.str(), on ? 1 : 0)};
}

Request add_port_vlan(int port, std::uint16_t vlan, bool self) {
  return {change_vlan(RTM_SETLINK, port, {.flags = kAccess, .vid = vlan}, self),
          fmt::format("put the bridge port with index {} into VLAN {}", port, vlan)};
}

Request delete_port_vlan(int port, std::uint16_t vlan, bool self) {
  return {change_vlan(RTM_DELLINK, port, {.flags = 0, .vid = vlan}, self),
          fmt::format("take the bridge port with index {} out of VLAN {}", port, vlan)};
}

Result<std::vector<PortVlan>> list_port_vlans(Socket& socket) {
  Message message(RTM_GETLINK, 0, ifinfomsg{.ifi_family = AF_BRIDGE});
  message.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
  std::vector<PortVlan> vlans;
  for (const auto& port : TRY(socket.dump<PortVlans>(
           {std::move(message), "list the VLANs of bridge ports"}, &parse_port_vlans)))
    vlans.insert(vlans.end(), port.all.begin(), port.all.end());
  return vlans;
}

Request add_fdb_entry(int port, const Mac& mac) {
  Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL,
                  ndmsg{.ndm_family = AF_BRIDGE,
                        .ndm_ifindex = port,
                        .ndm_state = NUD_NOARP | NUD_REACHABLE,
                        .ndm_flags = NTF_MASTER | NTF_STICKY});
  message.put_mac(NDA_LLADDR, mac);
  return {std::move(message),
          fmt::format("keep {} behind the bridge port with index {}", mac.str(), port)};
}

Result<std::vector<FdbEntry>> list_fdb(Socket& socket) {
  return socket.dump<FdbEntry>(
      {{RTM_GETNEIGH, 0, ndmsg{.ndm_family = AF_BRIDGE}}, "list the addresses behind bridge ports"},
      &parse_fdb_entry);
}

}  // namespace berth::kernel
