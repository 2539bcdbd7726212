// Programs on the packets of one interface: tc's qdisc `clsact` and its filters `bpf direct-action`
// over rtnetlink.
//
// clsact has no queue; it is the place where filters see what comes in (ingress) and what goes out
// (egress). A direct-action program's return value is the verdict (TC_ACT_OK, TC_ACT_SHOT).
//
// Sources: net/sched/sch_ingress.c, cls_api.c (tc_new_tfilter), cls_bpf.c; tc-bpf(8).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/bpf/program.h"
#include "kernel/netlink/socket.h"

namespace berth::kernel {

enum class Direction : std::uint8_t { kIngress, kEgress };

/// `tc qdisc add dev ... clsact`. kExists if it is there.
[[nodiscard]] Request add_clsact(int link_index);

struct BpfFilter {
  int link_index = 0;
  Direction direction = Direction::kIngress;
  int program = -1;  ///< its descriptor; the kernel keeps the program from then on
  std::string name;  ///< shown by `tc filter show`
};
/// Puts the program there, in the place of one that this made before. kUnsupported, kNotFound or
/// kInvalid where the kernel is built without cls_bpf.
[[nodiscard]] Request put_bpf_filter(const BpfFilter& filter);

struct BpfFilterInfo {
  std::string name;
  ProgramTag tag{};
  bool direct_action = false;
};
/// The bpf filters of one direction; none where the link has no clsact.
[[nodiscard]] Result<std::vector<BpfFilterInfo>> list_bpf_filters(Socket& socket, int link_index,
                                                                  Direction direction);

}  // namespace berth::kernel
