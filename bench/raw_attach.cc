#include "raw_attach.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>

#include "harness.h"
#include "translator/names.h"

namespace berth::bench {
namespace {

constexpr const char* kTable = "berth";

// Several netlink messages in a row.
class Messages {
 public:
  template <typename Header>
  void begin(int type, int flags, const Header& header) {
    start_ = size_;
    const nlmsghdr message{.nlmsg_len = 0,
                           .nlmsg_type = static_cast<std::uint16_t>(type),
                           .nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                           .nlmsg_seq = 1,
                           .nlmsg_pid = 0};
    put(&message, sizeof message);
    put(&header, sizeof header);
    set_length();
  }
  void attribute(int type, const void* data, std::size_t bytes) {
    const rtattr header{static_cast<std::uint16_t>(RTA_LENGTH(bytes)),
                        static_cast<std::uint16_t>(type)};
    put(&header, sizeof header);
    put(data, bytes);
    set_length();
  }
  void attribute(int type, std::uint32_t value) { attribute(type, &value, sizeof value); }
  void attribute(int type, const char* text) { attribute(type, text, std::strlen(text) + 1); }
  void attribute(int type, std::span<const std::uint8_t> bytes) {
    attribute(type, bytes.data(), bytes.size());
  }

  [[nodiscard]] std::size_t nest(int type) {
    const auto at = size_;
    attribute(type | NLA_F_NESTED, nullptr, 0);
    return at;
  }
  void end(std::size_t nest) {
    reinterpret_cast<rtattr*>(bytes_ + nest)->rta_len = static_cast<std::uint16_t>(size_ - nest);
  }
  void raw(const void* data, std::size_t bytes) {
    put(data, bytes);
    set_length();
  }

  // Sends all and waits for the one acknowledgement that is asked for, or the first error.
  void exchange(int fd, const std::string& what) {
    if (send(fd, bytes_, size_, 0) < 0) die(what + ": " + std::strerror(errno));
    alignas(nlmsghdr) char buffer[8192];
    for (bool answered = false; !answered;) {
      auto left = recv(fd, buffer, sizeof buffer, 0);
      if (left < 0) die(what + ": " + std::strerror(errno));
      for (auto* message = reinterpret_cast<nlmsghdr*>(buffer);
           NLMSG_OK(message, static_cast<std::size_t>(left)); message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type != NLMSG_ERROR) continue;
        const int error = static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
        if (error != 0) die(what + ": " + std::strerror(-error));
        answered = true;
      }
    }
  }

 private:
  void put(const void* data, std::size_t bytes) {
    const auto padded = NLMSG_ALIGN(bytes);
    if (size_ + padded > sizeof bytes_) die("the floor's messages are longer than its buffer");
    if (bytes != 0) std::memcpy(bytes_ + size_, data, bytes);
    std::memset(bytes_ + size_ + bytes, 0, padded - bytes);
    size_ += padded;
  }
  void set_length() {
    reinterpret_cast<nlmsghdr*>(bytes_ + start_)->nlmsg_len =
        static_cast<std::uint32_t>(size_ - start_);
  }

  alignas(nlmsghdr) char bytes_[8192];
  std::size_t size_ = 0;
  std::size_t start_ = 0;
};

int netlink_socket(int protocol) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) die(std::string("netlink socket: ") + std::strerror(errno));
  return fd;
}

int open_netns(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) die(std::string("open ") + path + ": " + std::strerror(errno));
  return fd;
}

// The link's index as the namespace of the socket numbers it.
int index_of(int netlink, const char* name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(netlink, SIOCGIFINDEX, &request) != 0) die(std::string(name) + " is not there");
  return request.ifr_ifindex;
}

bool bridged_frames_are_filtered() {
  const int fd = open("/proc/sys/net/bridge/bridge-nf-call-iptables", O_RDONLY | O_CLOEXEC);
  char value = '0';
  const bool read_it = fd >= 0 && read(fd, &value, 1) == 1;
  if (fd >= 0) close(fd);
  return read_it && value != '0';
}

int family_of(const Ip& ip) {
  return ip.is_v4() ? AF_INET : AF_INET6;
}

// ---- the interface ------------------------------------------------------------------------------

// Docker's: 02:42 and the address.
void put_mac(Messages& messages, const RawEndpoint& endpoint) {
  messages.attribute(IFLA_ADDRESS, Mac::from_ip(endpoint.v4.address.ip()).bytes());
}

void add_veth(Messages& messages, const RawEndpoint& endpoint, int netns, bool hairpin) {
  messages.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | (hairpin ? 0 : NLM_F_ACK),
                 ifinfomsg{.ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  messages.attribute(IFLA_IFNAME, endpoint.host_link.c_str());
  messages.attribute(IFLA_MASTER, static_cast<std::uint32_t>(endpoint.device));
  const auto info = messages.nest(IFLA_LINKINFO);
  messages.attribute(IFLA_INFO_KIND, "veth");
  const auto data = messages.nest(IFLA_INFO_DATA);
  const auto peer = messages.nest(VETH_INFO_PEER);
  const ifinfomsg header{};
  messages.raw(&header, sizeof header);
  messages.attribute(IFLA_IFNAME, endpoint.ifname.c_str());
  messages.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
  put_mac(messages, endpoint);
  messages.end(peer);
  messages.end(data);
  messages.end(info);
  if (!hairpin) return;
  messages.begin(RTM_NEWLINK, NLM_F_ACK, ifinfomsg{});
  messages.attribute(IFLA_IFNAME, endpoint.host_link.c_str());
  const auto port = messages.nest(IFLA_LINKINFO);
  messages.attribute(IFLA_INFO_SLAVE_KIND, "bridge");
  const auto settings = messages.nest(IFLA_INFO_SLAVE_DATA);
  const std::uint8_t on = 1;
  messages.attribute(IFLA_BRPORT_MODE, &on, sizeof on);
  messages.end(settings);
  messages.end(port);
}

void add_macvlan(Messages& messages, const RawEndpoint& endpoint, int netns) {
  messages.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, ifinfomsg{});
  messages.attribute(IFLA_IFNAME, endpoint.ifname.c_str());
  messages.attribute(IFLA_LINK, static_cast<std::uint32_t>(endpoint.device));
  messages.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
  put_mac(messages, endpoint);
  const auto info = messages.nest(IFLA_LINKINFO);
  messages.attribute(IFLA_INFO_KIND, "macvlan");
  const auto data = messages.nest(IFLA_INFO_DATA);
  messages.attribute(IFLA_MACVLAN_MODE, std::uint32_t{MACVLAN_MODE_BRIDGE});
  messages.end(data);
  messages.end(info);
}

// ---- inside the namespace -----------------------------------------------------------------------

// A setting of the interface in the namespace that the thread is in.
void set_ipv6(const std::string& ifname, const char* name, char value) {
  const auto path = "/proc/sys/net/ipv6/conf/" + ifname + "/" + name;
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, &value, 1) != 1) die("write " + path + ": " + std::strerror(errno));
  close(fd);
}

void add_address(Messages& messages, const Cidr& address, int index) {
  const auto& ip = address.ip();
  messages.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                 ifaddrmsg{.ifa_family = static_cast<std::uint8_t>(family_of(ip)),
                           .ifa_prefixlen = static_cast<std::uint8_t>(address.prefix()),
                           .ifa_flags = 0,
                           .ifa_scope = RT_SCOPE_UNIVERSE,
                           .ifa_index = static_cast<std::uint32_t>(index)});
  messages.attribute(IFA_LOCAL, ip.bytes());
  messages.attribute(IFA_ADDRESS, ip.bytes());
  if (ip.is_v4())
    messages.attribute(IFA_BROADCAST, address.last().bytes());
  else
    messages.attribute(IFA_FLAGS, std::uint32_t{IFA_F_NODAD});
}

void set_up(Messages& messages, int index, bool acknowledge) {
  messages.begin(RTM_NEWLINK, acknowledge ? NLM_F_ACK : 0,
                 ifinfomsg{.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
}

void add_default_route(Messages& messages, const Ip& gateway, int index, bool acknowledge) {
  messages.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | (acknowledge ? NLM_F_ACK : 0),
                 rtmsg{.rtm_family = static_cast<std::uint8_t>(family_of(gateway)),
                       .rtm_table = RT_TABLE_MAIN,
                       .rtm_protocol = RTPROT_STATIC,
                       .rtm_scope = RT_SCOPE_UNIVERSE,
                       .rtm_type = RTN_UNICAST});
  messages.attribute(RTA_GATEWAY, gateway.bytes());
  messages.attribute(RTA_OIF, static_cast<std::uint32_t>(index));
}

void configure(Messages& messages, const RawEndpoint& endpoint, int index) {
  const auto gateway4 = endpoint.v4.gateway;
  const auto gateway6 = endpoint.v6 ? endpoint.v6->gateway : std::nullopt;
  add_address(messages, endpoint.v4.address, index);
  if (endpoint.v6) add_address(messages, endpoint.v6->address, index);
  set_up(messages, index, /*acknowledge=*/!gateway4 && !gateway6);
  if (gateway4) add_default_route(messages, *gateway4, index, /*acknowledge=*/!gateway6);
  if (gateway6) add_default_route(messages, *gateway6, index, /*acknowledge=*/true);
}

// ---- published ports ----------------------------------------------------------------------------

// The bytes of a concatenation, whose fields are padded to 4 bytes each.
class Concatenation {
 public:
  Concatenation& add(std::span<const std::uint8_t> field) {
    std::memcpy(bytes_.data() + size_, field.data(), field.size());
    size_ += (field.size() + 3) / 4 * 4;
    return *this;
  }
  Concatenation& add(const Ip& ip) { return add(ip.bytes()); }
  Concatenation& add(Port port) {
    return add(std::array{static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)});
  }
  Concatenation& add_tcp() { return add(std::array{static_cast<std::uint8_t>(IPPROTO_TCP)}); }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<std::uint8_t, 40> bytes_{};
  std::size_t size_ = 0;
};

// One map's elements `[host address .] tcp . host port : address . container port`.
struct PublishedIn {
  const char* map;
  std::optional<Ip> host;
  Ip to;
};

void put_elements(Messages& batch, const PublishedIn& published, const std::vector<RawPort>& ports,
                  bool add, bool acknowledge) {
  const nfgenmsg header{.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0, .res_id = 0};
  const int type = NFNL_SUBSYS_NFTABLES << 8 | (add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM);
  batch.begin(type, (acknowledge ? NLM_F_ACK : 0) | (add ? NLM_F_CREATE | NLM_F_EXCL : 0), header);
  batch.attribute(NFTA_SET_ELEM_LIST_TABLE, kTable);
  batch.attribute(NFTA_SET_ELEM_LIST_SET, published.map);
  const auto elements = batch.nest(NFTA_SET_ELEM_LIST_ELEMENTS);
  const auto nested = [&](int attribute, const Concatenation& value) {
    const auto nest = batch.nest(attribute);
    batch.attribute(NFTA_DATA_VALUE, value.bytes());
    batch.end(nest);
  };
  for (const auto& port : ports) {
    Concatenation key;
    if (published.host) key.add(*published.host);
    key.add_tcp().add(port.host);
    const auto element = batch.nest(NFTA_LIST_ELEM);
    nested(NFTA_SET_ELEM_KEY, key);
    if (add) nested(NFTA_SET_ELEM_DATA, Concatenation().add(published.to).add(port.container));
    batch.end(element);
  }
  batch.end(elements);
}

}  // namespace

RawAttach::RawAttach()
    : route_(netlink_socket(NETLINK_ROUTE)),
      nft_(netlink_socket(NETLINK_NETFILTER)),
      own_netns_(open_netns("/proc/thread-self/ns/net")) {
  refresh();
}

RawAttach::~RawAttach() {
  for (const int fd : {route_, nft_, own_netns_}) close(fd);
}

void RawAttach::refresh() {
  hairpin_ = bridged_frames_are_filtered();
  translator_ = if_nametoindex(std::string(translator::kDevice6).c_str()) != 0;
}

void RawAttach::attach(const RawEndpoint& endpoint) {
  const int netns = open_netns(endpoint.netns.c_str());
  Messages host;
  if (endpoint.kind == RawEndpoint::Kind::kVeth)
    add_veth(host, endpoint, netns, hairpin_ && !endpoint.ports.empty());
  else
    add_macvlan(host, endpoint, netns);
  host.exchange(route_, "add the interface");

  if (setns(netns, CLONE_NEWNET) != 0) die("setns");
  const int inside = netlink_socket(NETLINK_ROUTE);
  set_ipv6(endpoint.ifname, "disable_ipv6", endpoint.v6 ? '0' : '1');
  if (endpoint.v6)
    for (const char* setting : {"accept_ra", "accept_dad"}) set_ipv6(endpoint.ifname, setting, '0');
  if (setns(own_netns_, CLONE_NEWNET) != 0) die("setns back");
  Messages settings;
  configure(settings, endpoint, index_of(inside, endpoint.ifname.c_str()));
  settings.exchange(inside, "configure " + endpoint.ifname);
  close(inside);
  close(netns);

  if (!endpoint.ports.empty()) change_elements(endpoint, true);
}

void RawAttach::detach(const RawEndpoint& endpoint) {
  if (!endpoint.ports.empty()) change_elements(endpoint, false);
  Messages host;
  host.begin(RTM_DELLINK, NLM_F_ACK, ifinfomsg{});
  if (endpoint.kind == RawEndpoint::Kind::kVeth) {
    host.attribute(IFLA_IFNAME, endpoint.host_link.c_str());
    return host.exchange(route_, "delete " + endpoint.host_link);
  }
  host.attribute(IFLA_IFNAME, endpoint.ifname.c_str());
  const int netns = open_netns(endpoint.netns.c_str());
  if (setns(netns, CLONE_NEWNET) != 0) die("setns");
  const int inside = netlink_socket(NETLINK_ROUTE);
  if (setns(own_netns_, CLONE_NEWNET) != 0) die("setns back");
  host.exchange(inside, "delete " + endpoint.ifname);
  close(inside);
  close(netns);
}

// On every IPv4 address; on every IPv6 address, for the endpoint's own one or by the translator;
// and on [::1], which is the translator's alone. All in one transaction.
void RawAttach::change_elements(const RawEndpoint& endpoint, bool add) {
  const auto& ip4 = endpoint.v4.address.ip();
  const auto translated = translator::translated(ip4);
  std::vector<PublishedIn> published{{"publish4", {}, ip4}};
  if (endpoint.v6 || translator_)
    published.push_back({"publish6", {}, endpoint.v6 ? endpoint.v6->address.ip() : translated});
  if (translator_)
    published.push_back({"publish6_addr", Ip::from_number(Ip::Family::kV6, 1), translated});

  const nfgenmsg frame{
      .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  Messages batch;
  batch.begin(NFNL_MSG_BATCH_BEGIN, 0, frame);
  for (const auto& each : published)
    put_elements(batch, each, endpoint.ports, add, /*acknowledge=*/&each == &published.back());
  batch.begin(NFNL_MSG_BATCH_END, 0, frame);
  batch.exchange(nft_, add ? "add the published ports" : "delete the published ports");
}

}  // namespace berth::bench
