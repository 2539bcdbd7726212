#include "plan/render.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/shell.h"
#include "dhcp/client.h"
#include "firewall/table.h"
#include "translator/translator.h"

namespace berth::plan {
namespace {

constexpr auto& quoted = shell_word;

// Runs `command` inside the namespace; on the host side as it is.
std::string in(const NsRef& ns, std::string command) {
  if (ns.is_host()) return command;
  return fmt::format("nsenter --net={} {}", quoted(ns.path), command);
}

std::string mtu_words(std::uint32_t mtu) {
  return mtu == 0 ? "" : fmt::format(" mtu {}", mtu);
}

// As kernel::add_address has it: IPv6 without duplicate address detection.
std::string address_words(const Cidr& address) {
  if (!address.ip().is_v4()) return " nodad";
  if (address.prefix() > 30) return "";
  return fmt::format(" broadcast {}", address.last().str());
}

// `ip` takes "default" for IPv4's unless a gateway says otherwise, so ::/0 is written out.
std::string route_words(const auto& op) {
  std::string words;
  if (op.kind != RouteKind::kUnicast) words = std::string(name(op.kind)) + " ";
  words += op.destination ? op.destination->str() : "default";
  if (op.gateway) words += " via " + op.gateway->str();
  if (!op.link.empty()) words += " dev " + quoted(op.link.str());
  words += " proto static";
  if (op.metric != 0) words += fmt::format(" metric {}", op.metric);
  if (op.source) words += " src " + op.source->str();
  return words;
}

// How a sub-interface of another device begins: up to its kind.
std::string sub_link_words(const auto& op) {
  auto words = fmt::format("ip link add link {} name {}{}", quoted(op.parent.str()),
                           quoted(op.name.str()), mtu_words(op.mtu));
  if (!op.ns.is_host()) words += " netns " + quoted(op.ns.path);
  return words;
}

// Collects commands; nft statements wait until something else comes, and go out as one transaction.
class Renderer {
 public:
  void operator()(const AddNetns& op) {
    const auto path = quoted(op.path);
    const auto directory = std::filesystem::path(op.path).parent_path().string();
    command("mkdir -p -m 700 {} && touch {} && unshare --net={} ip link set lo up",
            quoted(directory), path, path);
  }
  void operator()(const DeleteNetns& op) {
    command("umount {} && rm {}", quoted(op.path), quoted(op.path));
  }
  void operator()(const AddBridge& op) {
    command("ip link add name {} address {} type bridge", quoted(op.name.str()), op.mac.str());
    command("ip link set {}{} up", quoted(op.name.str()), mtu_words(op.mtu));
  }
  void operator()(const AddVeth& op) {
    command("ip link add name {}{} master {} type veth peer name {} address {}{} netns {}",
            quoted(op.name.str()), mtu_words(op.mtu), quoted(op.bridge.str()),
            quoted(op.peer.str()), op.peer_mac.str(), mtu_words(op.mtu), quoted(op.peer_ns.path));
    command("ip link set {} up", quoted(op.name.str()));
  }
  void operator()(const AddMacvlan& op) {
    auto words = fmt::format("{} address {} type macvlan mode {}", sub_link_words(op), op.mac.str(),
                             name(op.mode));
    if (!op.sources.empty()) words += " macaddr set";
    for (const auto& source : op.sources) words += " " + source.str();
    if (op.broadcast_limit) words += fmt::format(" bclim {}", *op.broadcast_limit);
    add(std::move(words));
  }
  void operator()(const AddIpvlan& op) {
    command("{} type ipvlan mode {} {}", sub_link_words(op), name(op.mode), name(op.flag));
  }
  void operator()(const AddVlan& op) {
    command("ip link add link {} name {} type vlan id {}", quoted(op.lower.str()),
            quoted(op.name.str()), op.id);
  }
  void operator()(const AddDummy& op) {
    command("ip link add name {}{} type dummy", quoted(op.name.str()), mtu_words(op.mtu));
  }
  void operator()(const DeleteLink& op) { add(in(op.ns, "ip link del " + quoted(op.name.str()))); }
  void operator()(const ProbeAddress& op) {
    const auto* probe =
        op.address.is_v4() ? "arping -D -c 2 -w 1 -I {1} {0}" : "ndisc6 -m -n {0} {1}";
    add(in(op.ns, fmt::format(fmt::runtime(probe), op.address.str(), quoted(op.link.str()))));
  }
  void operator()(const SetLinkUp& op) {
    add(in(op.ns, fmt::format("ip link set {} {}", quoted(op.name.str()), op.up ? "up" : "down")));
  }
  void operator()(const SetLinkMtu& op) {
    add(in(op.ns, fmt::format("ip link set {}{}", quoted(op.name.str()), mtu_words(op.mtu))));
  }
  void operator()(const JoinBridge& op) {
    command("ip link set {} master {}", quoted(op.name.str()), quoted(op.bridge.str()));
  }
  void operator()(const IsolatePort& op) {
    command("bridge link set dev {} isolated {}", quoted(op.name.str()), op.on ? "on" : "off");
  }
  void operator()(const HairpinPort& op) {
    command("bridge link set dev {} hairpin {}", quoted(op.name.str()), op.on ? "on" : "off");
  }
  void operator()(const FilterVlans& op) {
    command("ip link set {} type bridge vlan_filtering {}", quoted(op.bridge.str()), op.on ? 1 : 0);
  }
  void operator()(const AddPortVlan& op) {
    command("bridge vlan add vid {} dev {}{} pvid untagged", op.vlan, quoted(op.port.str()),
            op.self ? " self" : "");
  }
  void operator()(const DeletePortVlan& op) {
    command("bridge vlan del vid {} dev {}{}", op.vlan, quoted(op.port.str()),
            op.self ? " self" : "");
  }
  void operator()(const LockPort& op) {
    command("bridge link set dev {} locked on learning off", quoted(op.name.str()));
  }
  void operator()(const AddFdbEntry& op) {
    command("bridge fdb add {} dev {} master static sticky", op.mac.str(), quoted(op.port.str()));
  }
  void operator()(const SetVrf& op) {
    if (op.member)
      command("ip link set {} master {}", quoted(op.name.str()), quoted(op.vrf.str()));
    else
      command("ip link set {} nomaster", quoted(op.name.str()));
  }
  void operator()(const StartDhcp& op) {
    std::string words = "env";
    for (const auto& each : op.env) words += " " + quoted(each);
    words += fmt::format(" {}={} udhcpc -i {} -n -R -s {} -p {}", dhcp::kDirectoryVariable,
                         quoted(op.directory), quoted(op.link.str()),
                         quoted(fmt::format("{}/{}", op.directory, dhcp::kEventProgram)),
                         quoted(op.directory + "/pid"));
    if (!op.hostname.empty()) words += " -x " + quoted("hostname:" + op.hostname);
    add(in(op.ns, words));
  }
  void operator()(const StopDhcp& op) {
    command("kill $(cat {}) && rm -r {}", quoted(op.directory + "/pid"), quoted(op.directory));
  }
  void operator()(const AddAddress& op) {
    add(in(op.ns, fmt::format("ip addr add {}{} dev {}", op.address.str(),
                              address_words(op.address), quoted(op.link.str()))));
  }
  void operator()(const DeleteAddress& op) {
    add(in(op.ns, fmt::format("ip addr del {} dev {}", op.address.str(), quoted(op.link.str()))));
  }
  void operator()(const AddRoute& op) { add(in(op.ns, "ip route add " + route_words(op))); }
  void operator()(const DeleteRoute& op) { add(in(op.ns, "ip route del " + route_words(op))); }
  // sysctl(8) reads '/' as the separator too, which leaves the dots of an interface name alone.
  void operator()(const SetSysctl& op) {
    add(in(op.ns, "sysctl -qw " + quoted(op.key + "=" + op.value)));
  }
  void operator()(const EnsureTable&) { nft(nft::text(firewall::table())); }
  // "If unused" in shell: no bridge of any instance, no rule of the administrator's.
  void operator()(const DeleteTableIfUnused&) {
    command(
        "test -n \"$(nft list set inet berth bridges | grep elements; "
        "nft list chain inet berth user | sed '1,2d;/}}/d')\" || nft delete table inet berth");
  }
  void operator()(const EnsureTranslator&) {
    for (auto& each : translator::commands()) add(std::move(each));
  }
  // "If unused" in shell: no published port leads to its prefix.
  void operator()(const DeleteTranslatorIfUnused&) {
    command(
        "{{ nft list map inet berth publish6; nft list map inet berth publish6_addr; }} | "
        "grep -q ' : 64:ff9b:1:' || ip link del {}",
        translator::kDevice6);
  }
  void operator()(const AddElement& op) { nft(op.element, "add"); }
  void operator()(const DeleteElement& op) { nft(op.element, "delete"); }
  void operator()(const FlushFlows& op) {
    const auto flows =
        fmt::format("conntrack -D -p {} --orig-port-dst {} --orig-dst", name(op.protocol), op.port);
    if (!op.address.is_unspecified()) return command("{} {}", flows, op.address.str());
    command("ip -{} -o addr | awk '{{ sub(\"/.*\", \"\", $4); print $4 }}' | xargs -n 1 {}",
            op.address.is_v4() ? 4 : 6, flows);
  }
  void operator()(const StartProcess& op) {
    auto words = in(op.ns, "unshare --mount --uts --ipc --pid --fork --mount-proc");
    if (!op.rootfs.empty()) words += " --root=" + quoted(op.rootfs);
    words += " -- sh -c " + quoted("hostname \"$0\" && exec \"$@\"") + " " + quoted(op.hostname);
    for (const auto& word : op.argv) words += " " + quoted(word);
    add(std::move(words));
  }

  void operator()(const SignalProcess& op) { command("kill -{} {}", op.signal, op.pid); }

  std::vector<std::string> take() {
    flush();
    return std::move(commands_);
  }

 private:
  template <typename... Args>
  void command(fmt::format_string<Args...> text, Args&&... args) {
    add(fmt::format(text, std::forward<Args>(args)...));
  }
  void add(std::string command) {
    flush();
    commands_.push_back(std::move(command));
  }
  void nft(std::string statements) { nft_ += statements; }
  void nft(const nft::Element& element, std::string_view verb) {
    nft_ += fmt::format("{} element inet berth {} {{ {} }}\n", verb, element.set,
                        verb == "add" ? nft::text_with_comment(element) : nft::text(element.key));
  }
  void flush() {
    if (nft_.empty()) return;
    commands_.push_back("nft -f - <<'EOF'\n" + std::exchange(nft_, {}) + "EOF");
  }

  std::vector<std::string> commands_;
  std::string nft_;
};

}  // namespace

std::vector<std::string> render(const Plan& plan) {
  Renderer renderer;
  for (const auto& op : plan) std::visit(renderer, op);
  return renderer.take();
}

}  // namespace berth::plan
