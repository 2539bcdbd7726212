// The typed kernel operations that every change of berth consists of.
//
// Theory of operation: an Op is a value. It names links by (namespace, name), never by index, so it
// can be printed as the command a person would type (render.h), written to the journal and read
// back (json.h), inverted (inverse() below) and applied (apply.h). Making operations are strict:
// what they make must not be there. Removing operations are tolerant: what is gone already is fine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "berth/address.h"
#include "berth/ifname.h"
#include "berth/network.h"
#include "kernel/nft/element.h"

namespace berth::plan {

/// A network namespace: the one the engine runs in (path empty) or the one that `path` opens. The
/// inode says which one was meant when the plan was made, so that a path or pid that has since been
/// taken by another namespace is never touched. 0: not known yet (a namespace the plan itself
/// makes).
struct NsRef {
  std::string path;
  std::uint64_t inode = 0;
  [[nodiscard]] bool is_host() const { return path.empty(); }
  friend auto operator<=>(const NsRef&, const NsRef&) = default;
};

/// Makes a network namespace held by a bind mount on `path`, with its loopback device up.
struct AddNetns {
  std::string path;
};
struct DeleteNetns {
  std::string path;
};

/// Makes a bridge on the host side and sets it up.
struct AddBridge {
  IfName name;
  Mac mac;
  std::uint32_t mtu = 0;  ///< bytes; 0: the kernel's default
};

/// Makes a veth pair: `name` on the host, up and a port of `bridge`; `peer` in the sandbox, down
/// (the kernel lets no end up before both are linked: veth_open in drivers/net/veth.c).
struct AddVeth {
  IfName name;
  IfName bridge;
  std::uint32_t mtu = 0;  ///< bytes; 0: the kernel's default
  NsRef peer_ns;
  IfName peer;
  Mac peer_mac;
};

/// Makes a macvlan on top of the host's device `parent`, in `ns` (the host or a sandbox), down.
struct AddMacvlan {
  NsRef ns;
  IfName name;
  IfName parent;
  Mac mac;
  std::uint32_t mtu = 0;  ///< bytes; 0: the parent's
  MacvlanMode mode = MacvlanMode::kBridge;
  std::vector<Mac> sources{};
  std::optional<std::int32_t> broadcast_limit{};
};

/// Makes an ipvlan on top of the host's device `parent`, in `ns`, down. Its MAC address is the
/// parent's.
struct AddIpvlan {
  NsRef ns;
  IfName name;
  IfName parent;
  std::uint32_t mtu = 0;  ///< bytes; 0: the parent's
  IpvlanMode mode = IpvlanMode::kL2;
  IpvlanFlag flag = IpvlanFlag::kBridge;
};

/// Makes VLAN `id` of the host's device `lower`, on the host, down.
struct AddVlan {
  IfName name;
  IfName lower;
  std::uint16_t id = 0;
};
/// Makes a device that leads nowhere, on the host, down.
struct AddDummy {
  IfName name;
  std::uint32_t mtu = 0;  ///< bytes; 0: the kernel's default
};

/// The pair goes with either end, a bridge's ports stay. Gone already is fine. `kind` and what comes
/// after it tell the link that is meant from one that somebody else has given its name since
/// (whose.h).
struct DeleteLink {
  IfName name;
  NsRef ns{};
  std::string kind{};        ///< as the kernel says it ("bridge"); empty: whatever has the name
  std::optional<Mac> mac{};  ///< none: any
  NsRef peer_ns{};           ///< of a veth: where its other end is; empty: not on the host
};

/// Asks the neighbours of `link` whether one of them has `address` (RFC 5227; neighbour discovery
/// for IPv6): an error if one answers. The link is up.
struct ProbeAddress {
  NsRef ns;
  IfName link;
  Ip address;
};

struct SetLinkUp {
  NsRef ns;
  IfName name;
  bool up = true;
};

/// `previous` is what it had when the plan was made.
struct SetLinkMtu {
  NsRef ns;
  IfName name;
  std::uint32_t mtu = 0;       ///< bytes
  std::uint32_t previous = 0;  ///< bytes
};

/// Makes a link a port of a bridge that came after it (its own went, and was made again).
struct JoinBridge {
  IfName name;
  IfName bridge;
};

/// An isolated bridge port reaches the bridge itself but no other isolated port (bridge(8)).
struct IsolatePort {
  IfName name;
  bool on = true;
};

/// A port in hairpin mode gets back what it sent, where that is its destination (bridge(8)).
struct HairpinPort {
  IfName name;
  bool on = true;
};

/// A bridge that filters VLANs lets a frame pass between ports of its VLAN only.
struct FilterVlans {
  IfName bridge;
  bool on = true;
};

/// Makes a bridge port an access port of a VLAN: what it sends and gets has no tag. `self`: the
/// bridge's own port, which the host is behind.
struct AddPortVlan {
  IfName port;
  std::uint16_t vlan = 0;
  bool self = false;
};
/// Not in that VLAN is fine.
struct DeletePortVlan {
  IfName port;
  std::uint16_t vlan = 0;
  bool self = false;
};

/// A locked port lets nothing in but from addresses that AddFdbEntry puts behind it.
struct LockPort {
  IfName name;
};
struct AddFdbEntry {
  IfName port;
  Mac mac;
};

/// Makes a link a member of a VRF: its addresses and routes are in the VRF's table. Off: takes it
/// out.
struct SetVrf {
  IfName name;
  IfName vrf;
  bool member = true;
};

/// Starts a DHCP client on `link`, which is up, and waits until it has its first lease (src/dhcp).
/// What the lease says is for others to do.
struct StartDhcp {
  NsRef ns;
  IfName link;
  std::string directory;  ///< the client's own
  std::string hostname;   ///< told to the server
  std::string program;    ///< berth, for the client's events
  std::vector<std::string> env;
};
/// Ends the client, which gives its lease back.
struct StopDhcp {
  std::string directory;
};

struct AddAddress {
  NsRef ns;
  IfName link;
  Cidr address;
};
struct DeleteAddress {
  NsRef ns;
  IfName link;
  Cidr address;
};

/// A route of protocol "static". A blackhole and its like have neither gateway nor link.
struct AddRoute {
  NsRef ns;
  std::optional<Cidr> destination;  ///< none: the default route of the gateway's family
  std::optional<Ip> gateway;
  IfName link;
  RouteKind kind = RouteKind::kUnicast;
  std::uint32_t metric = 0;    ///< 0: the kernel's default
  std::optional<Ip> source{};  ///< what goes by it bears this address, unless its sender chose one
  friend bool operator==(const AddRoute&, const AddRoute&) = default;
};
struct DeleteRoute {
  NsRef ns;
  std::optional<Cidr> destination;
  std::optional<Ip> gateway;
  IfName link;
  RouteKind kind = RouteKind::kUnicast;
  std::uint32_t metric = 0;
  std::optional<Ip> source{};
};

/// Writes a sysctl of the namespace. `previous` is what it held when the plan was made; empty for
/// one that goes with a device that the plan makes.
struct SetSysctl {
  std::string key;  ///< path below /proc/sys: net/ipv4/ip_forward
  std::string value;
  std::string previous;
  NsRef ns{};
};

/// Makes the table `inet berth` where it is missing or damaged.
struct EnsureTable {};
/// Removes the table unless it holds elements or rules of the administrator.
struct DeleteTableIfUnused {};

/// Makes the translator (translator/translator.h) where it is missing or damaged.
struct EnsureTranslator {};
/// Removes it unless a published port leads there.
struct DeleteTranslatorIfUnused {};

struct AddElement {
  nft::Element element;
};
struct DeleteElement {
  nft::Element element;
};

/// Forgets the tracked UDP flows to a published port of this host, so that no old flow keeps an old
/// mapping. It comes after what changes the mapping; flushes next to each other are one look at the
/// kernel's table, which is slow (conntrack.h).
struct FlushFlows {
  Protocol protocol = Protocol::kUdp;
  Ip address;     ///< original destination; unspecified: every address of this host, of its family
  Port port = 0;  ///< original destination port
};

/// Starts the sandbox's process. Printed only: the engine's sandbox module does it.
struct StartProcess {
  NsRef ns;
  std::string hostname;
  std::string rootfs;
  std::vector<std::string> argv;
};

/// Sends a process a signal. Printed only: the engine does it through a pidfd.
struct SignalProcess {
  std::int32_t pid = 0;
  std::int32_t signal = 0;
};

using AnyOp = std::variant<AddNetns, DeleteNetns, AddBridge, AddVeth, AddMacvlan, AddIpvlan,
                           AddVlan, AddDummy, DeleteLink, SetLinkUp, SetLinkMtu, JoinBridge,
                           IsolatePort, HairpinPort, FilterVlans, AddPortVlan, DeletePortVlan,
                           LockPort, AddFdbEntry, SetVrf, ProbeAddress, StartDhcp, StopDhcp,
                           AddAddress, DeleteAddress, AddRoute, DeleteRoute, SetSysctl, EnsureTable,
                           DeleteTableIfUnused, EnsureTranslator, DeleteTranslatorIfUnused,
                           AddElement, DeleteElement, FlushFlows, StartProcess, SignalProcess>;

/// One operation. A class and not an alias of the variant, so that the code that copies, moves and
/// destroys one is compiled once, in op.cc: it was more than half of the code of every file that
/// has a plan.
class Op : public AnyOp {
 public:
  template <typename T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, Op>)
  Op(T op) noexcept : AnyOp(std::in_place_type<T>, std::move(op)) {}  // NOLINT: implicit
  Op(const Op& other);
  Op(Op&& other) noexcept;
  Op& operator=(const Op& other);
  Op& operator=(Op&& other) noexcept;
  ~Op();
};

/// Operations in the order in which they are to happen.
using Plan = std::vector<Op>;

void append(Plan& plan, Plan more);

/// Moves the flushes of flows to the end of `plan`, next to each other.
void put_flushes_last(Plan& plan);

/// What deletes the link that the operation makes, and no other one of its name.
[[nodiscard]] DeleteLink deletion_of(const AddBridge& made);
[[nodiscard]] DeleteLink deletion_of(const AddVeth& made);
[[nodiscard]] DeleteLink deletion_of(const AddMacvlan& made);
[[nodiscard]] DeleteLink deletion_of(const AddIpvlan& made);
[[nodiscard]] DeleteLink deletion_of(const AddVlan& made);
[[nodiscard]] DeleteLink deletion_of(const AddDummy& made);

/// The plan that takes back what `plan` did, in reverse. Left out is what goes with something else:
/// addresses, routes and states of a link or namespace that `plan` itself makes. A deleted link or
/// namespace cannot be taken back: a plan has such operations at its end, where none can fail
/// after.
[[nodiscard]] Plan inverse(const Plan& plan);

}  // namespace berth::plan
