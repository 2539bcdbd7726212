// Network interfaces over rtnetlink: what there is, and the requests that make, change and remove
// it.
//
// The builders make Requests for Socket::request and Socket::batch; nothing happens before those.
// Links are named, not numbered, wherever the kernel allows it, so one batch can make a link and go
// on to change it without a look at the kernel in between.
//
// Sources: net/core/rtnetlink.c (rtnl_newlink_create, rtnl_group_dellink), drivers/net/veth.c,
// net/bridge/br_netlink.c; rtnetlink(7). Tested on Linux 6.18; the order in which a new link is
// made, switched on and put into its bridge reads the same in the sources since 5.18, so for 6.1
// too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

struct LinkInfo {
  int index = 0;
  IfName name;             ///< empty if another program chose one that IfName does not allow
  std::optional<Mac> mac;  ///< absent where hardware addresses are not six bytes
  std::uint32_t mtu = 0;   ///< bytes
  bool up = false;         ///< IFF_UP: switched on, whether or not it has a carrier
  bool arp = true;         ///< not IFF_NOARP
  int master = 0;          ///< index of the bridge it is a port of, or 0
  std::string kind;        ///< "bridge", "veth", ...; empty for hardware and lo
  int peer_index = 0;      ///< the other end of a veth, the lower device of a macvlan or vlan; or 0
  /// The namespace that peer_index counts in, as netns_id() of netns.h tells it; absent: this one,
  /// -1: one that is being taken down.
  std::optional<int> peer_netnsid;
  std::uint32_t group = 0;
  std::optional<bool> isolated;  ///< bridge ports only
  std::optional<bool> hairpin;   ///< bridge ports only
  bool locked = false;           ///< bridge ports only; see set_port_locked
  bool filters_vlans = false;    ///< bridges only
  /// Bridges only: the VLAN that ports begin in. Absent where the kernel's bridges know no VLANs
  /// (CONFIG_BRIDGE_VLAN_FILTERING); 0: none.
  std::optional<std::uint16_t> default_vlan;
  std::uint32_t vrf_table = 0;  ///< VRF devices only: their routing table
  bool forwarding = false;      ///< bridge ports only: BR_STATE_FORWARDING of linux/if_bridge.h
};

/// Reads one RTM_NEWLINK message; nullopt if it is none.
[[nodiscard]] std::optional<LinkInfo> parse_link(const MessageView& message);

/// The link of that name, or nullopt.
[[nodiscard]] Result<std::optional<LinkInfo>> find_link(Socket& socket, const IfName& name);
[[nodiscard]] Result<std::optional<LinkInfo>> find_link(Socket& socket, int index);
/// Every link of the socket's namespace.
[[nodiscard]] Result<std::vector<LinkInfo>> list_links(Socket& socket);

struct BridgeSpec {
  IfName name;
  std::optional<Mac> mac;  ///< without one the bridge changes address as ports come and go
  std::uint32_t mtu = 0;   ///< bytes; 0: the kernel's default. See add_bridge.
  bool up = true;
};
/// A bridge without STP: ports forward at once. Its MTU follows its ports' (the least of them, 1500
/// without any) until set_link_mtu pins it (br_mtu_auto_adjust in net/bridge/br_if.c).
[[nodiscard]] Request add_bridge(const BridgeSpec& spec);

struct VethPeer {
  IfName name;
  std::optional<Mac> mac;
  std::uint32_t mtu = 0;  ///< bytes; 0: the kernel's default
  int netns_fd = -1;      ///< the namespace it is born in; -1: the socket's
};
struct VethSpec {
  IfName name;
  std::optional<Mac> mac;
  std::uint32_t mtu = 0;
  int master = 0;           ///< index of the bridge to join; 0: none
  std::uint32_t group = 0;  ///< see delete_link_group
  bool up = true;
  bool arp = true;  ///< false: neither end asks for its neighbours' addresses (IFF_NOARP)
  VethPeer peer;
};
/// Both ends of a veth in one message: the peer is born in its namespace under its final name, so
/// it never needs to be moved or renamed, and this end joins its bridge. The peer is down: the
/// kernel opens no veth before both ends are linked (veth_open), so set_link_up it in its own
/// namespace.
[[nodiscard]] Request add_veth(const VethSpec& spec);

/// Where a sub-interface of another device is born.
struct SubLinkSpec {
  IfName name;
  int lower = 0;      ///< index of the device below, in the socket's namespace
  int netns_fd = -1;  ///< the namespace that the new link is born in; -1: the socket's
  std::optional<Mac> mac;
  std::uint32_t mtu = 0;  ///< bytes; 0: that of the device below
};
struct MacvlanSpec {
  SubLinkSpec link;
  std::uint32_t mode = 0;                       ///< MACVLAN_MODE_* of linux/if_link.h
  std::vector<Mac> sources;                     ///< of the source mode: whose frames come in
  std::optional<std::int32_t> broadcast_limit;  ///< IFLA_MACVLAN_BC_CUTOFF: multicast addresses
                                                ///< with more members go by the broadcast queue
};
/// A macvlan, down, in its namespace and under its final name from the start (macvlan_common_newlink
/// in drivers/net/macvlan.c).
[[nodiscard]] Request add_macvlan(const MacvlanSpec& spec);

struct IpvlanSpec {
  SubLinkSpec link;         ///< without a MAC address: an ipvlan has that of the device below
  std::uint16_t mode = 0;   ///< IPVLAN_MODE_*
  std::uint16_t flags = 0;  ///< IPVLAN_F_*; none: siblings talk to each other ("bridge")
};
/// An ipvlan, down. Mode and flags are those of the device below and all it carries:
/// ipvlan_link_new (drivers/net/ipvlan/ipvlan_main.c) changes them for all.
[[nodiscard]] Request add_ipvlan(const IpvlanSpec& spec);

/// An 802.1Q sub-interface, down.
[[nodiscard]] Request add_vlan(const SubLinkSpec& link, std::uint16_t id);

/// A device that drops what is sent on it, down.
[[nodiscard]] Request add_dummy(const IfName& name, std::uint32_t mtu);

/// Whether the kernel can make links of `kind`; a module that has them is loaded. Makes nothing:
/// the request that asks names an address of one byte and no device below, which every kind
/// refuses, while a kind that is not there is refused before (rtnl_newlink: EOPNOTSUPP).
[[nodiscard]] Result<bool> has_link_kind(Socket& socket, std::string_view kind);

/// The index of the link called `name` in the socket's namespace; nullopt if there is none. For when
/// no more than that is wanted: it takes no lock of the kernel's and describes nothing, which makes it
/// ten times as fast as find_link.
[[nodiscard]] Result<std::optional<int>> link_index(const Socket& socket, const IfName& name);

/// The hardware address of the link called `name`, as cheap as link_index; nullopt if there is none,
/// or none of six bytes.
[[nodiscard]] Result<std::optional<Mac>> link_mac(const Socket& socket, const IfName& name);

/// Whether the link is switched on (IFF_UP); as cheap as link_index. kNotFound if there is none.
[[nodiscard]] Result<bool> link_is_up(const Socket& socket, const IfName& name);

/// Makes what depends on the carrier of `name` follow it at once. A link whose peer has just come up
/// has its carrier, but its bridge port forwards, and its queue sends, only when a kernel worker has
/// seen to it, which can take a second on a busy machine: until then packets are lost. Asking for the
/// carrier does the worker's part (linkwatch_sync_dev in ethtool_op_get_link, net/ethtool/ioctl.c,
/// since Linux 6.3; before that asking changes nothing). No error where the link is gone.
[[nodiscard]] Status sync_carrier(const Socket& socket, const IfName& name);

[[nodiscard]] Request set_link_up(const IfName& name, bool up);
[[nodiscard]] Request set_link_mtu(const IfName& name, std::uint32_t mtu);
[[nodiscard]] Request set_link_group(const IfName& name, std::uint32_t group);
/// Makes `name` a port of the bridge with index `master`; 0 makes it leave its bridge.
[[nodiscard]] Request set_link_master(const IfName& name, int master);
/// Isolated ports of one bridge reach its other ports and itself, but not one another.
[[nodiscard]] Request set_port_isolated(const IfName& name, bool isolated);
/// A port in hairpin mode may get back what it sent.
[[nodiscard]] Request set_port_hairpin(const IfName& name, bool hairpin);

/// A locked port drops what comes from an address that the bridge's forwarding database does not
/// have for this port, and it learns none (net/bridge/br_input.c, br_handle_frame_finish; Linux 5.18
/// and later): add_fdb_entry of bridge.h says who may send.
[[nodiscard]] Request set_port_locked(const IfName& name);

/// Whether the kernel has virtual routers. Asks for a VRF device without a routing table, which no
/// kernel makes: one without VRF does not know the kind (drivers/net/vrf.c, vrf_newlink).
[[nodiscard]] Result<bool> has_vrf(Socket& socket);

/// With a veth, its peer goes too, wherever that is.
[[nodiscard]] Request delete_link(const IfName& name);
/// Every link of a group (not 0, where all links begin) in one request. The kernel waits for
/// readers (RCU grace periods) once per request, so this is much cheaper than one delete_link after
/// another.
[[nodiscard]] Request delete_link_group(std::uint32_t group);

}  // namespace berth::kernel
