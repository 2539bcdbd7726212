// The floor that attaching a sandbox is measured against: the same kernel objects, made by bare
// netlink messages that a minimal program would send, put together by hand.
//
// One attach is a veth pair whose peer is born in the target namespace and whose host end is an up
// port of the bridge, the peer's address, state and default route, and one element of the map of
// published ports. No planning, no journal, no state, no checks beyond the kernel's answers.
//
// As in such a program, the host's two sockets are opened once; a socket in the target namespace,
// the namespace's file and the peer's index are fetched for every attach, for each is another.
// Shares no code with berth's own netlink layer, so that a slowness there shows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace berth::bench {

struct RawEndpoint {
  std::string netns;  ///< path of the namespace's file
  std::string host_link;
  std::uint32_t address = 0;  ///< host byte order
  int prefix = 0;
  std::uint32_t gateway = 0;  ///< host byte order
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
};

class RawAttach {
 public:
  /// In this thread's network namespace; `bridge` is the name of a device in it.
  explicit RawAttach(const std::string& bridge);
  RawAttach(const RawAttach&) = delete;
  RawAttach& operator=(const RawAttach&) = delete;
  ~RawAttach();

  void attach(const RawEndpoint& endpoint);  ///< ends the program where the kernel refuses
  void detach(const RawEndpoint& endpoint);

 private:
  void change_element(const RawEndpoint& endpoint, bool add);

  int route_ = -1;
  int nft_ = -1;
  int own_netns_ = -1;
  int bridge_index_ = 0;
  bool hairpin_ = false;  ///< as berth has it: where bridged frames pass through netfilter
};

}  // namespace berth::bench
