// Where everything is in the store, and typed access to it.
//
//   network/<id>                          Network
//   network-name/<name>                   -> network id
//   endpoint/<id>                         Endpoint
//   user/<network>/<endpoint>             -> sandbox id
//   sandbox/<id>                          Sandbox
//   sandbox-name/<name>                   -> sandbox id
//   netns/<inode>                         -> id of the sandbox that it belongs to
//   share/<owner>/<sandbox>               this sandbox is in the network namespace of that one
//   link/<name>/<endpoint>                -> id of the sandbox that links to <name> by it
//   lease/<network>/<4 or 6>/<address in hex>  -> endpoint id
//   hint/<network>/<subnet in hex>        an address below which all of the range are taken
//   port/<protocol>/<port>/<endpoint>     the addresses in hex that the endpoint has the port of the
//                                         host on (port in 5 digits, so that keys sort)
//   realised/<network>                    its kernel objects have been made; the endpoints' MTU, and
//                                         after a blank the plan of Realised::give_back
//   switched/<sysctl>                     its value before berth switched it
//   left/<link>                           namespace, index and MAC of a link that a forced removal left
//   meta/instance                         8 hex digits that tell this instance's elements from others'
//   meta/boot                             the boot in which the kernel's part of all this was made
//   meta/netns                            and the network namespace: its inode and cookie
//   meta/journal-boot                     both of the journal, while those two are older: a damaged
//                                         record keeps the rest from being forgotten
//   last-change                           id of the last change that is recorded whole (commit.cc)
//   unreadable/journal/<id>               the journal's entry of a change, which could not be read:
//                                         kept for reconcile to tell of it
//
// Functions of this file neither lock nor touch the kernel. Reads see the transaction's own writes.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "berth/network.h"
#include "engine/change/transaction.h"
#include "plan/op.h"

namespace berth::engine {

/// The kernel objects of a network, as far as the store knows them.
struct Realised {
  std::uint32_t mtu = 0;  ///< bytes, of every endpoint
  plan::Plan give_back;   ///< of an adopted bridge: takes away what it got (given_bridge.h)
};

/// The endpoint's published ports, those among them that are not listed.
[[nodiscard]] std::vector<PortMapping> all_ports(const Endpoint& endpoint);

/// Does the network need the host to forward packets of `family`?
[[nodiscard]] bool needs_forwarding(const Network& network, Ip::Family family);

/// Is it of a driver that puts sub-interfaces on a parent device?
[[nodiscard]] bool has_parent(const Network& network);

/// Are there elements of it in berth's table?
[[nodiscard]] bool in_table(const Network& network);

/// Does a DHCP client get the endpoint's address: not where it was given one.
[[nodiscard]] bool is_by_dhcp(const Network& network, const Endpoint& endpoint);

class State {
 public:
  explicit State(Transaction& transaction) : tx_(transaction) {}

  // Networks. `reference` is an id, a name or a unique prefix of an id, in this order.
  Result<Network> network(std::string_view reference);
  Result<Network> network_by_id(std::string_view id);
  Result<std::vector<Network>> networks();  ///< by name
  void put(const Network& network);
  void erase(const Network& network);
  Result<std::optional<Realised>> realised(const Network& network);
  void put_realised(const Network& network, const Realised& realised);
  void erase_realised(const Network& network);
  /// Is another network than `except` realised that needs the host to forward `family`?
  Result<bool> forwarding_needed_without(const std::vector<Network>& except, Ip::Family family);

  // Endpoints: the document, its index, its lease and its ports go together.
  Result<Endpoint> endpoint(std::string_view id);
  Result<std::vector<Endpoint>> endpoints(const std::vector<std::string>& ids);
  Result<std::vector<Endpoint>> endpoints_of_network(std::string_view network_id);
  /// With its addresses and links, and its ports unless take_port() has taken them.
  enum class Ports : bool { kToTake, kTaken };
  void put(const Endpoint& endpoint, Ports ports = Ports::kToTake);
  Status erase(const Endpoint& endpoint);

  // Sandboxes. A reference is a name, an id or a unique prefix of an id.
  Result<Sandbox> sandbox(std::string_view reference);
  Result<std::optional<Sandbox>> sandbox_by_netns(std::uint64_t inode);
  Result<std::vector<Sandbox>> sandboxes();                             ///< newest first
  Result<std::optional<Sandbox>> sandbox_named(std::string_view name);  ///< by its name alone
  Result<bool> sandbox_name_taken(std::string_view name);
  void put(const Sandbox& sandbox);
  void erase(const Sandbox& sandbox);
  /// Those that have not ended and share the network namespace of the sandbox `id`, by id.
  Result<std::vector<Sandbox>> sharers(std::string_view id);
  /// The ids of the sandboxes that link to the sandbox `name`, each once.
  Result<std::vector<std::string>> linkers(std::string_view name);

  // Addresses.
  /// The networks whose endpoints share a segment, and so must not share an address: those on one
  /// parent, and those on one bridge that was there before them, unless their VLANs keep them
  /// apart. `network` is the first of them; a bridge that berth makes is a segment of its own.
  Result<std::vector<Network>> on_one_segment(const Network& network);
  Result<Ip> allocate(const Network& network, const Subnet& subnet);
  Status reserve(const Network& network, const Subnet& subnet, const Ip& ip);
  /// Whether nobody has the address, in the network's subnets or not; the error names who has it.
  Status check_free(const Network& network, const Ip& ip);

  // Ports.
  struct PortOwner {
    PortMapping mapping;  ///< what it has
    PortMapping wanted;   ///< what that clashes with
    std::string endpoint_id;
  };
  /// Who holds a port that one of `wanted` would clash with: on the same address, or one of them on
  /// all. They are of one protocol and host port: that takes one look.
  Result<std::optional<PortOwner>> port_owner(std::span<const PortMapping> wanted);
  /// Takes `mappings`, of one protocol and host port, for an endpoint before put(endpoint), so that
  /// the next look sees them taken.
  Status take_port(std::span<const PortMapping> mappings, std::string_view endpoint_id);
  Status free_port(const PortMapping& mapping, std::string_view endpoint_id);
  void take_ports(const Endpoint& endpoint);  ///< all that it has
  void free_ports(const Endpoint& endpoint);

  // Sysctls of the host that berth switched, and what they held before.
  Result<std::optional<std::string>> switched(std::string_view sysctl);
  void put_switched(std::string_view sysctl, std::string_view before);
  void erase_switched(std::string_view sysctl);
  /// What switches back those of `family`.
  Result<std::vector<plan::SetSysctl>> switched_for(Ip::Family family);

 private:
  Status each_network(const std::function<void(const Network&)>& visit);
  /// The id that `reference` means among the documents at `kind`, by the name index `index`.
  Result<std::string> resolve(std::string_view kind, std::string_view index, std::string_view what,
                              std::string_view reference);
  /// An address of the network is free again.
  Status lower_hint(const Network& network, const Ip& ip);
  Status add_taken(std::set<Ip>& taken, const Network& other, const Cidr& subnet, const Ip& from);

  // Ports from `first` to before `end` that the last look has found free: ports are mostly asked
  // for one after the other, and each look is a query of the store.
  struct Gap {
    Protocol protocol = Protocol::kTcp;
    int first = 0, end = 0;
  };
  bool is_in_gap(const PortMapping& mapping) const;
  void end_gap_at(const PortMapping& mapping);

  Transaction& tx_;
  Gap gap_;
};

}  // namespace berth::engine
