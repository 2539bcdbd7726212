// The floor that attaching a sandbox is measured against: the same kernel objects, made by bare
// netlink messages that a minimal program would send, put together by hand.
//
// One attach is an interface that is born in the target namespace: the end of a veth pair whose
// other end is an up port of a bridge, or a macvlan; its IPv6 settings, addresses, state and
// default routes; and the elements that its published ports have in berth's maps, in one
// transaction. No planning, no journal, no state, no checks beyond the kernel's answers.
//
// As in such a program, the host's two sockets are opened once; the target namespace is entered
// once for every attach, for what has to be done inside: the settings, a socket of its own and the
// interface's index. Of requests that go out together the last alone is acknowledged. Shares no
// code with berth's own netlink layer, so that a slowness there shows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "berth/address.h"

namespace berth::bench {

/// An address with its subnet's prefix length, and the gateway of the default route by it.
struct RawAddress {
  Cidr address;
  std::optional<Ip> gateway;  ///< none: no default route
};

struct RawPort {
  Port host = 0;
  Port container = 0;
};

struct RawEndpoint {
  enum class Kind { kVeth, kMacvlan };
  Kind kind = Kind::kVeth;
  std::string netns;      ///< path of the namespace's file
  std::string ifname;     ///< in the namespace
  int device = 0;         ///< index of the bridge, or of the macvlan's parent
  std::string host_link;  ///< of a veth pair: the end on the host
  RawAddress v4;
  std::optional<RawAddress> v6;  ///< none: IPv6 is switched off on the interface
  std::vector<RawPort> ports;    ///< published on every address of the host, [::1] included
};

class RawAttach {
 public:
  /// In this thread's network namespace.
  RawAttach();
  RawAttach(const RawAttach&) = delete;
  RawAttach& operator=(const RawAttach&) = delete;
  ~RawAttach();

  /// Ports need the table `inet berth` to be there; those on IPv6 for an IPv4 address are published
  /// where the translator is there (see refresh()). Ends the program where the kernel refuses.
  void attach(const RawEndpoint& endpoint);
  void detach(const RawEndpoint& endpoint);
  /// Looks again at what the host has: the translator, and whether bridged frames are filtered.
  void refresh();

 private:
  void change_elements(const RawEndpoint& endpoint, bool add);

  int route_ = -1;
  int nft_ = -1;
  int own_netns_ = -1;
  bool hairpin_ = false;     ///< as berth has it: where bridged frames pass through netfilter
  bool translator_ = false;  ///< is there a way from IPv6 to containers' IPv4 addresses
};

}  // namespace berth::bench
