#include "kernel/netlink/filter.h"

#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "base/result.h"

namespace berth::kernel {
namespace {

constexpr std::uint32_t kPriority = 1;
constexpr std::uint32_t kHandle = 1;

std::uint32_t parent_of(Direction direction) {
  return TC_H_MAKE(TC_H_CLSACT,
                   direction == Direction::kIngress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

std::string_view name_of(Direction direction) {
  return direction == Direction::kIngress ? "ingress" : "egress";
}

std::optional<BpfFilterInfo> parse_filter(const MessageView& message) {
  const auto header = message.header<tcmsg>();
  if (message.type() != RTM_NEWTFILTER || !header) return std::nullopt;
  const auto attributes = message.attributes(sizeof *header);
  const auto kind = attributes.find(TCA_KIND);
  const auto options = attributes.find(TCA_OPTIONS);
  if (!kind || kind->str() != "bpf" || !options) return std::nullopt;
  BpfFilterInfo filter;
  const auto of_bpf = options->nested();
  // The first message of a chain describes the classifier itself, without a program.
  const auto tag = of_bpf.find(TCA_BPF_TAG);
  if (!tag || tag->payload.size() < filter.tag.size()) return std::nullopt;
  std::ranges::copy(tag->payload.first(filter.tag.size()), filter.tag.begin());
  if (const auto name = of_bpf.find(TCA_BPF_NAME)) filter.name = name->str();
  if (const auto flags = of_bpf.find(TCA_BPF_FLAGS))
    filter.direct_action = (flags->u32().value_or(0) & TCA_BPF_FLAG_ACT_DIRECT) != 0;
  return filter;
}

}  // namespace

Request add_clsact(int link_index) {
  const tcmsg header{.tcm_family = AF_UNSPEC,
                     .tcm_ifindex = link_index,
                     .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
                     .tcm_parent = TC_H_CLSACT};
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, header);
  message.put_string(TCA_KIND, "clsact");
  return {std::move(message),
          fmt::format("add qdisc clsact to the link with index {}", link_index)};
}

Request put_bpf_filter(const BpfFilter& filter) {
  const tcmsg header{.tcm_family = AF_UNSPEC,
                     .tcm_ifindex = filter.link_index,
                     .tcm_handle = kHandle,
                     .tcm_parent = parent_of(filter.direction),
                     .tcm_info = TC_H_MAKE(kPriority << 16, htons(ETH_P_ALL))};
  Message message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, header);
  message.put_string(TCA_KIND, "bpf");
  {
    const auto options = message.nest(TCA_OPTIONS);
    message.put_u32(TCA_BPF_FD, static_cast<std::uint32_t>(filter.program));
    message.put_string(TCA_BPF_NAME, filter.name);
    message.put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  }
  return {std::move(message),
          fmt::format("add filter bpf {} to the {} of the link with index {}", filter.name,
                      name_of(filter.direction), filter.link_index)};
}

Result<std::vector<BpfFilterInfo>> list_bpf_filters(Socket& socket, int link_index,
                                                    Direction direction) {
  const tcmsg header{
      .tcm_family = AF_UNSPEC, .tcm_ifindex = link_index, .tcm_parent = parent_of(direction)};
  auto found =
      socket.dump<BpfFilterInfo>({{RTM_GETTFILTER, 0, header},
                                  fmt::format("list the {} filters of the link with index {}",
                                              name_of(direction), link_index)},
                                 &parse_filter);
  // No clsact, no link.
  if (!found && (found.error().sys == EINVAL || found.error().kind == ErrorKind::kNotFound))
    return std::vector<BpfFilterInfo>{};
  return found;
}

}  // namespace berth::kernel
