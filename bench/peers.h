// Others that attach containers, to be measured beside berth: netavark (Podman's) and the CNI
// bridge and portmap plugins.
//
// They are looked for on this machine (PATH and where the distributions put them) or, with
// BERTH_PEERS_TREE=DIR, in the root directory of another distribution, where they run by chroot(2);
// find_peers() then mounts there what they need, so it wants private namespaces. What is not found
// is said aloud and left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "harness.h"

namespace berth::bench {

/// One attachment with one published port, as every peer gets it.
struct Attachment {
  std::string id;       ///< of the container
  std::string netns;    ///< path of its namespace
  std::string address;  ///< for peers that do not choose one
  std::uint16_t host_port = 0;
};

class Netavark {
 public:
  [[nodiscard]] Command setup(const Attachment& attachment) const;
  [[nodiscard]] Command teardown(const Attachment& attachment) const;
  /// An address that belongs to its network, the n-th.
  [[nodiscard]] static std::string address(int n);

  std::string program;
  std::string root;  ///< chroot there; empty: this machine's
  std::string version;
};

class Cni {
 public:
  /// The chain bridge, portmap; what a runtime does, without a runtime.
  void add(const Attachment& attachment) const;
  void remove(const Attachment& attachment) const;

  std::string directory;
  std::string root;
  std::string version;
};

struct Peers {
  std::optional<Netavark> netavark;
  std::optional<Cni> cni;
};
[[nodiscard]] Peers find_peers();

}  // namespace berth::bench
