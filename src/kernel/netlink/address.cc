#include "kernel/netlink/address.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/result.h"

namespace berth::kernel {
namespace {

constexpr int kLongestPrefixWithBroadcast = 30;  // RFC 3021: a /31 has two hosts and nothing else

Message address_message(std::uint16_t type, std::uint16_t flags, int link_index,
                        const Cidr& address) {
  const ifaddrmsg header{
      .ifa_family = static_cast<std::uint8_t>(address.ip().is_v4() ? AF_INET : AF_INET6),
      .ifa_prefixlen = static_cast<std::uint8_t>(address.prefix()),
      .ifa_index = static_cast<std::uint32_t>(link_index)};
  Message message(type, flags, header);
  message.put_ip(IFA_LOCAL, address.ip());
  message.put_ip(IFA_ADDRESS, address.ip());
  return message;
}

}  // namespace

std::optional<AddressInfo> parse_address(const MessageView& message) {
  const auto header = message.header<ifaddrmsg>();
  if (message.type() != RTM_NEWADDR || !header) return std::nullopt;
  AddressInfo info{.link_index = static_cast<int>(header->ifa_index), .flags = header->ifa_flags};
  // On a point-to-point link IFA_ADDRESS is the far end and IFA_LOCAL this one; IPv6 has no
  // IFA_LOCAL elsewhere (if_addr.h).
  std::optional<Ip> local;
  std::optional<Ip> address;
  for (const auto& attribute : message.attributes(sizeof *header)) {
    if (attribute.type == IFA_LOCAL) local = attribute.ip();
    if (attribute.type == IFA_ADDRESS) address = attribute.ip();
    if (attribute.type == IFA_BROADCAST) info.broadcast = attribute.ip();
    if (attribute.type == IFA_FLAGS) info.flags = attribute.u32().value_or(info.flags);
  }
  if (!local) local = address;
  if (!local || header->ifa_prefixlen > local->bits()) return std::nullopt;
  info.address = Cidr(*local, header->ifa_prefixlen);
  return info;
}

Result<std::vector<AddressInfo>> list_addresses(Socket& socket, std::optional<int> link_index,
                                                std::optional<Ip::Family> family) {
  const ifaddrmsg header{
      .ifa_family = static_cast<std::uint8_t>(
          family ? (*family == Ip::Family::kV4 ? AF_INET : AF_INET6) : AF_UNSPEC),
      .ifa_index = static_cast<std::uint32_t>(link_index.value_or(0))};
  auto found =
      TRY(socket.dump<AddressInfo>({{RTM_GETADDR, 0, header}, "list addresses"}, &parse_address));
  // A kernel without IPv6 answers as if all families were asked for.
  std::erase_if(found, [&](const AddressInfo& info) {
    return (link_index && info.link_index != *link_index) ||
           (family && info.address.ip().family() != *family);
  });
  return found;
}

Request add_address(int link_index, const Cidr& address) {
  auto message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link_index, address);
  if (!address.ip().is_v4()) {
    message.put_u32(IFA_FLAGS, IFA_F_NODAD);
  } else if (address.prefix() <= kLongestPrefixWithBroadcast) {
    message.put_ip(IFA_BROADCAST, address.last());
  }
  return {std::move(message),
          fmt::format("add address {} to the link with index {}", address.str(), link_index)};
}

Request delete_address(int link_index, const Cidr& address) {
  return {address_message(RTM_DELADDR, 0, link_index, address),
          fmt::format("delete address {} of the link with index {}", address.str(), link_index)};
}

}  // namespace berth::kernel
