// What a bridge does with VLANs and with the addresses behind its ports: bridge(8) in netlink.
//
// These requests are of the family AF_BRIDGE, which names links by index and nothing else. Where
// `self` is asked for, the bridge's own port is meant: the one that the host's stack is behind.
//
// Sources: net/bridge/br_netlink.c (br_setlink, br_process_vlan_info), net/bridge/br_fdb.c
// (br_fdb_add). VLANs need a kernel with CONFIG_BRIDGE_VLAN_FILTERING: others answer EOPNOTSUPP.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

/// On: a frame passes only between ports that are in its VLAN.
[[nodiscard]] Request set_vlan_filtering(const IfName& bridge, bool on);

/// The port's frames without a tag are of `vlan`, both ways (an access port: "pvid untagged"). What
/// was the port's PVID before stays one of its VLANs.
[[nodiscard]] Request add_port_vlan(int port, std::uint16_t vlan, bool self);
/// A VLAN that the port does not have is no error.
[[nodiscard]] Request delete_port_vlan(int port, std::uint16_t vlan, bool self);

struct PortVlan {
  int port = 0;  ///< index of the port, or of the bridge for its own port
  std::uint16_t vlan = 0;
  bool access = false;  ///< PVID and untagged
};
/// Every VLAN of every port; empty where the kernel's bridges know no VLANs.
[[nodiscard]] Result<std::vector<PortVlan>> list_port_vlans(Socket& socket);

/// `mac` is behind that port and stays there, whoever else sends from it ("static sticky").
[[nodiscard]] Request add_fdb_entry(int port, const Mac& mac);

struct FdbEntry {
  int port = 0;
  Mac mac;
  bool fixed = false;  ///< made by somebody, and not learnt
};
[[nodiscard]] Result<std::vector<FdbEntry>> list_fdb(Socket& socket);

}  // namespace berth::kernel
