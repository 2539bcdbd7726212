#include "raw_attach.h"

#include <arpa/inet.h>
#include <fcntl.h>
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

#include <cerrno>
#include <cstring>

#include "harness.h"

namespace berth::bench {
namespace {

constexpr const char* kTable = "berth";
constexpr const char* kPublishMap = "publish4";

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

  // Sends all and waits for `answers` acknowledgements.
  void exchange(int fd, int answers, const std::string& what) {
    if (send(fd, bytes_, size_, 0) < 0) die(what + ": " + std::strerror(errno));
    alignas(nlmsghdr) char buffer[8192];
    while (answers > 0) {
      auto left = recv(fd, buffer, sizeof buffer, 0);
      if (left < 0) die(what + ": " + std::strerror(errno));
      for (auto* message = reinterpret_cast<nlmsghdr*>(buffer);
           NLMSG_OK(message, static_cast<std::size_t>(left)); message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type != NLMSG_ERROR) continue;
        const int error = static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
        if (error != 0) die(what + ": " + std::strerror(-error));
        --answers;
      }
    }
  }

 private:
  void put(const void* data, std::size_t bytes) {
    if (bytes != 0) std::memcpy(bytes_ + size_, data, bytes);
    size_ += NLMSG_ALIGN(bytes);
  }
  void set_length() {
    reinterpret_cast<nlmsghdr*>(bytes_ + start_)->nlmsg_len =
        static_cast<std::uint32_t>(size_ - start_);
  }

  alignas(nlmsghdr) char bytes_[2048]{};
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

void add_veth(Messages& messages, const RawEndpoint& endpoint, int bridge, int netns,
              bool hairpin) {
  messages.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                 ifinfomsg{.ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  messages.attribute(IFLA_IFNAME, endpoint.host_link.c_str());
  messages.attribute(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
  const auto info = messages.nest(IFLA_LINKINFO);
  messages.attribute(IFLA_INFO_KIND, "veth");
  const auto data = messages.nest(IFLA_INFO_DATA);
  const auto peer = messages.nest(VETH_INFO_PEER);
  const ifinfomsg header{};
  messages.raw(&header, sizeof header);
  messages.attribute(IFLA_IFNAME, "eth0");
  messages.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
  const std::uint32_t ip = htonl(endpoint.address);
  std::uint8_t mac[6] = {0x02, 0x42};  // Docker's: 02:42 and the address
  std::memcpy(mac + 2, &ip, 4);
  messages.attribute(IFLA_ADDRESS, mac, sizeof mac);
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

void configure_peer(Messages& messages, const RawEndpoint& endpoint, int index) {
  const std::uint32_t ip = htonl(endpoint.address);
  const std::uint32_t gateway = htonl(endpoint.gateway);
  messages.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                 ifaddrmsg{.ifa_family = AF_INET,
                           .ifa_prefixlen = static_cast<std::uint8_t>(endpoint.prefix),
                           .ifa_flags = 0,
                           .ifa_scope = RT_SCOPE_UNIVERSE,
                           .ifa_index = static_cast<std::uint32_t>(index)});
  messages.attribute(IFA_LOCAL, ip);
  messages.attribute(IFA_ADDRESS, ip);
  messages.begin(RTM_NEWLINK, NLM_F_ACK,
                 ifinfomsg{.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  messages.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                 rtmsg{.rtm_family = AF_INET,
                       .rtm_table = RT_TABLE_MAIN,
                       .rtm_protocol = RTPROT_STATIC,
                       .rtm_scope = RT_SCOPE_UNIVERSE,
                       .rtm_type = RTN_UNICAST});
  messages.attribute(RTA_GATEWAY, gateway);
  messages.attribute(RTA_OIF, static_cast<std::uint32_t>(index));
}

}  // namespace

RawAttach::RawAttach(const std::string& bridge)
    : route_(netlink_socket(NETLINK_ROUTE)),
      nft_(netlink_socket(NETLINK_NETFILTER)),
      own_netns_(open_netns("/proc/thread-self/ns/net")),
      bridge_index_(index_of(route_, bridge.c_str())),
      hairpin_(bridged_frames_are_filtered()) {}

RawAttach::~RawAttach() {
  for (const int fd : {route_, nft_, own_netns_}) close(fd);
}

void RawAttach::attach(const RawEndpoint& endpoint) {
  const int netns = open_netns(endpoint.netns.c_str());
  Messages host;
  add_veth(host, endpoint, bridge_index_, netns, hairpin_);
  host.exchange(route_, hairpin_ ? 2 : 1, "add " + endpoint.host_link);

  if (setns(netns, CLONE_NEWNET) != 0) die("setns");
  const int inside = netlink_socket(NETLINK_ROUTE);
  if (setns(own_netns_, CLONE_NEWNET) != 0) die("setns back");
  Messages peer;
  configure_peer(peer, endpoint, index_of(inside, "eth0"));
  peer.exchange(inside, 3, "configure eth0");
  close(inside);
  close(netns);

  change_element(endpoint, true);
}

void RawAttach::detach(const RawEndpoint& endpoint) {
  change_element(endpoint, false);
  Messages host;
  host.begin(RTM_DELLINK, NLM_F_ACK, ifinfomsg{});
  host.attribute(IFLA_IFNAME, endpoint.host_link.c_str());
  host.exchange(route_, 1, "delete " + endpoint.host_link);
}

// The element `tcp . host_port : address . container_port`, as one nft transaction.
void RawAttach::change_element(const RawEndpoint& endpoint, bool add) {
  const nfgenmsg frame{
      .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  const nfgenmsg header{.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0, .res_id = 0};
  const int type = NFNL_SUBSYS_NFTABLES << 8 | (add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM);
  // Fields of a concatenation are padded to 4 bytes each.
  std::uint8_t key[8]{IPPROTO_TCP};
  std::uint8_t data[8]{};
  const std::uint16_t host_port = htons(endpoint.host_port);
  const std::uint32_t ip = htonl(endpoint.address);
  const std::uint16_t container_port = htons(endpoint.container_port);
  std::memcpy(key + 4, &host_port, sizeof host_port);
  std::memcpy(data, &ip, sizeof ip);
  std::memcpy(data + 4, &container_port, sizeof container_port);

  Messages batch;
  batch.begin(NFNL_MSG_BATCH_BEGIN, 0, frame);
  batch.begin(type, NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0), header);
  batch.attribute(NFTA_SET_ELEM_LIST_TABLE, kTable);
  batch.attribute(NFTA_SET_ELEM_LIST_SET, kPublishMap);
  const auto elements = batch.nest(NFTA_SET_ELEM_LIST_ELEMENTS);
  const auto element = batch.nest(NFTA_LIST_ELEM);
  const auto nested = [&](int attribute, const std::uint8_t* bytes) {
    const auto nest = batch.nest(attribute);
    batch.attribute(NFTA_DATA_VALUE, bytes, 8);
    batch.end(nest);
  };
  nested(NFTA_SET_ELEM_KEY, key);
  if (add) nested(NFTA_SET_ELEM_DATA, data);
  batch.end(element);
  batch.end(elements);
  batch.begin(NFNL_MSG_BATCH_END, 0, frame);
  batch.exchange(nft_, 1, add ? "add the published port" : "delete the published port");
}

}  // namespace berth::bench
