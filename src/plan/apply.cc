#include "plan/apply.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "base/result.h"
#include "dhcp/client.h"
#include "firewall/table.h"
#include "kernel/neighbour/who_has.h"
#include "kernel/netlink/address.h"
#include "kernel/netlink/bridge.h"
#include "kernel/netlink/link.h"
#include "kernel/netlink/route.h"
#include "kernel/netns/netns.h"
#include "kernel/sysctl/sysctl.h"
#include "plan/kernel_terms.h"
#include "plan/namespaces.h"
#include "plan/outbox.h"
#include "plan/visit.h"
#include "translator/translator.h"

namespace berth::plan {
namespace {

bool is_removing(const Op& op) {
  return std::visit(
      Overloaded{
          [](const OneOf<DeleteNetns, DeleteLink, DeletePortVlan, StopDhcp, DeleteAddress,
                         DeleteRoute, DeleteTableIfUnused, DeleteTranslatorIfUnused, DeleteElement,
                         FlushFlows> auto&) { return true; },
          [](const OneOf<AddNetns, AddBridge, AddVeth, AddMacvlan, AddIpvlan, AddVlan, AddDummy,
                         SetLinkUp, SetLinkMtu, JoinBridge, IsolatePort, HairpinPort, FilterVlans,
                         AddPortVlan, LockPort, AddFdbEntry, SetVrf, ProbeAddress, StartDhcp,
                         AddAddress, AddRoute, SetSysctl, EnsureTable, EnsureTranslator, AddElement,
                         StartProcess, SignalProcess> auto&) { return false; },
      },
      op);
}

// Who has the address. A container that has ended may still answer for it: the kernel takes its
// namespace down in its own time (cleanup_net in net/core/net_namespace.c). So one that seems to be
// a container, by the MAC address that Docker and berth give them, is asked again for a while.
Result<std::optional<Mac>> once_the_ended_are_silent(const IfName& link, const Ip& address) {
  constexpr auto kPatience = std::chrono::seconds(3);
  constexpr auto kPause = std::chrono::milliseconds(20);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto owner = TRY(kernel::who_has(link, address));
    const bool container = owner && owner->bytes()[0] == 0x02 && owner->bytes()[1] == 0x42;
    if (!container || std::chrono::steady_clock::now() > end) return owner;
    std::this_thread::sleep_for(kPause);
  }
}

// Carries a plan out. One object a call of apply() or apply_all().
class Run {
 public:
  enum class Mode { kStopAtFirstError, kGoOn };

  Run(Kernel& kernel, const Plan& plan, Mode mode, Namespaces opened = {})
      : kernel_(kernel),
        namespaces_(std::move(opened)),
        plan_(plan),
        mode_(mode),
        done_(plan.size()),
        outbox_(
            kernel_, namespaces_,
            mode == Mode::kGoOn ? Outbox::AfterRefusal::kGoOn : Outbox::AfterRefusal::kStop,
            [this](std::size_t position, Status status) { settle(position, std::move(status)); }) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void carry_out(const BeforeOp& before) {
    for (current_ = 0; current_ < plan_.size() && !stopped(); ++current_) {
      if (before) {
        flush();
        if (stopped()) return;
        if (auto allowed = before(current_); !allowed) {
          settle(current_, std::move(allowed));
          continue;
        }
      }
      std::visit(*this, plan_[current_]);
    }
    flush();
    if (!stopped()) sync_carriers();
  }

  [[nodiscard]] std::vector<Error> take_errors() { return std::move(errors_); }
  /// The operations that the kernel has confirmed, in order.
  [[nodiscard]] Plan done() const {
    Plan done;
    for (std::size_t i = 0; i < plan_.size(); ++i)
      if (done_[i]) done.push_back(plan_[i]);
    return done;
  }

  // ---- one function an operation ----------------------------------------------------------------

  void operator()(const AddNetns& op) {
    now([&] { return add_netns(op); });
  }
  void operator()(const DeleteNetns& op) {
    now([&] { return kernel::Netns::remove(op.path); });
  }

  void operator()(const AddBridge& op) {
    queue({}, kernel::add_bridge({.name = op.name, .mac = op.mac}));
    if (op.mtu == 0) return;
    // In a request of its own the MTU is the bridge's for good, and not that of its ports or,
    // without any, the default (link.h). Only once it is known that the bridge is this plan's.
    flush();
    if (done_[current_]) queue({}, kernel::set_link_mtu(op.name, op.mtu));
  }

  void operator()(const AddVeth& op) {
    const auto master = index_of({}, op.bridge);
    if (stopped()) return;
    if (!master) return settle(current_, std::unexpected(master.error()));
    const auto netns = namespaces_.open(op.peer_ns);
    if (!netns) return settle(current_, std::unexpected(netns.error()));
    queue({}, kernel::add_veth({.name = op.name,
                                .mac = {},
                                .mtu = op.mtu,
                                .master = *master,
                                .peer = {.name = op.peer,
                                         .mac = op.peer_mac,
                                         .mtu = op.mtu,
                                         .netns_fd = (*netns)->fd()}}));
  }

  void operator()(const AddMacvlan& op) {
    on_parent(op, [&](kernel::SubLinkSpec link) {
      link.mac = op.mac;
      return kernel::add_macvlan({.link = std::move(link),
                                  .mode = kernel_mode(op.mode),
                                  .sources = op.sources,
                                  .broadcast_limit = op.broadcast_limit});
    });
  }
  void operator()(const AddIpvlan& op) {
    on_parent(op, [&](kernel::SubLinkSpec link) {
      return kernel::add_ipvlan(
          {.link = std::move(link), .mode = kernel_mode(op.mode), .flags = kernel_flags(op.flag)});
    });
  }
  void operator()(const AddVlan& op) {
    with_index({}, op.lower, [&](int lower) {
      return kernel::add_vlan({.name = op.name, .lower = lower, .mac = {}}, op.id);
    });
  }
  void operator()(const AddDummy& op) { queue({}, kernel::add_dummy(op.name, op.mtu)); }

  void operator()(const DeleteLink& op) {
    if (!op.ns.is_host()) {
      indexes_.erase({op.ns, op.name});
      return queue(op.ns, kernel::delete_link(op.name));
    }
    outbox_.make_way_for(Outbox::Kind::kDeletions);
    if (stopped()) return;
    indexes_.clear();
    outbox_.add_deletion(current_, op.name);
  }

  void operator()(const SetLinkUp& op) { queue(op.ns, kernel::set_link_up(op.name, op.up)); }

  void operator()(const SetLinkMtu& op) { queue(op.ns, kernel::set_link_mtu(op.name, op.mtu)); }

  void operator()(const JoinBridge& op) {
    const auto master = index_of({}, op.bridge);
    if (stopped()) return;
    if (!master) return settle(current_, std::unexpected(master.error()));
    queue({}, kernel::set_link_master(op.name, *master));
  }

  void operator()(const IsolatePort& op) { queue({}, kernel::set_port_isolated(op.name, op.on)); }
  void operator()(const HairpinPort& op) { queue({}, kernel::set_port_hairpin(op.name, op.on)); }

  void operator()(const ProbeAddress& op) {
    now([&]() -> Status {
      sync_carriers();  // else a bridge port that has just come up lets the question go nowhere
      const auto ask = [&] { return once_the_ended_are_silent(op.link, op.address); };
      const auto owner =
          op.ns.is_host() ? TRY(ask()) : TRY(kernel::run_in(*TRY(namespaces_.open(op.ns)), ask));
      if (!owner) return {};
      return fail(
          ErrorKind::kInUse,
          "address {} is in use on the network already, by the machine with the MAC address "
          "{}: give another one",
          op.address.str(), owner->str());
    });
  }
  void operator()(const FilterVlans& op) {
    queue({}, kernel::set_vlan_filtering(op.bridge, op.on));
  }
  void operator()(const AddPortVlan& op) {
    with_index({}, op.port,
               [&](int index) { return kernel::add_port_vlan(index, op.vlan, op.self); });
  }
  void operator()(const DeletePortVlan& op) {
    with_index({}, op.port,
               [&](int index) { return kernel::delete_port_vlan(index, op.vlan, op.self); });
  }
  void operator()(const LockPort& op) { queue({}, kernel::set_port_locked(op.name)); }
  void operator()(const AddFdbEntry& op) {
    with_index({}, op.port, [&](int index) { return kernel::add_fdb_entry(index, op.mac); });
  }
  void operator()(const SetVrf& op) {
    if (!op.member) return queue({}, kernel::set_link_master(op.name, 0));
    with_index({}, op.vrf, [&](int index) { return kernel::set_link_master(op.name, index); });
  }

  void operator()(const StartDhcp& op) {
    now([&]() -> Status {
      TRY(dhcp::start(*TRY(namespaces_.open(op.ns)), {.directory = op.directory,
                                                      .link = op.link,
                                                      .hostname = op.hostname,
                                                      .program = op.program,
                                                      .env = op.env}));
      return {};
    });
  }
  void operator()(const StopDhcp& op) {
    now([&] { return dhcp::stop(op.directory); });
  }

  void operator()(const AddAddress& op) {
    with_index(op.ns, op.link, [&](int index) { return kernel::add_address(index, op.address); });
  }
  void operator()(const DeleteAddress& op) {
    with_index(op.ns, op.link,
               [&](int index) { return kernel::delete_address(index, op.address); });
  }
  void operator()(const AddRoute& op) {
    with_index(op.ns, op.link, [&](int index) { return kernel::add_route(route(op, index)); });
  }
  void operator()(const DeleteRoute& op) {
    with_index(op.ns, op.link, [&](int index) { return kernel::delete_route(route(op, index)); });
  }

  void operator()(const SetSysctl& op) {
    if (op.ns.is_host()) return now([&] { return kernel::write_sysctl(op.key, op.value); });
    outbox_.make_way_for(Outbox::Kind::kSettings, op.ns);
    if (!stopped()) outbox_.add(current_, op);
  }

  void operator()(const EnsureTable&) {
    now([&]() -> Status {
      TRY(firewall::ensure_table(*TRY(kernel_.nft())));
      return {};
    });
  }
  void operator()(const DeleteTableIfUnused&) {
    now([&]() -> Status {
      TRY(firewall::remove_table_if_unused(*TRY(kernel_.nft())));
      return {};
    });
  }
  void operator()(const EnsureTranslator&) {
    now([&] { return make_translator(); });
  }
  void operator()(const DeleteTranslatorIfUnused&) {
    now([&]() -> Status {
      if (TRY(firewall::publishes_into(*TRY(kernel_.nft()), translator::prefix()))) return {};
      return translator::remove(*TRY(kernel_.route()));
    });
  }
  void operator()(const AddElement& op) { queue_element(Outbox::Kind::kAdditions, op.element); }
  void operator()(const DeleteElement& op) { queue_element(Outbox::Kind::kRemovals, op.element); }

  void operator()(const FlushFlows& op) {
    outbox_.make_way_for(Outbox::Kind::kFlushes);
    if (!stopped())
      outbox_.add(
          current_,
          {.protocol = op.protocol, .destination = op.address, .destination_port = op.port});
  }

  void operator()(const StartProcess&) {}  // printed only
  void operator()(const SignalProcess&) {}

 private:
  [[nodiscard]] bool stopped() const {
    return mode_ == Mode::kStopAtFirstError && !errors_.empty();
  }

  // Records how operation `position` went. Gone already is fine for what removes, and when going on
  // for what switches something off; there already is fine when going on.
  void settle(std::size_t position, Status status) {
    const auto& op = plan_[position];
    const auto* up = std::get_if<SetLinkUp>(&op);
    const auto* hairpin = std::get_if<HairpinPort>(&op);
    const auto* isolated = std::get_if<IsolatePort>(&op);
    const bool switching_off =
        (up && !up->up) || (hairpin && !hairpin->on) || (isolated && !isolated->on);
    const bool going_on = mode_ == Mode::kGoOn;
    const bool fine = status ||
                      (status.error().kind == ErrorKind::kNotFound &&
                       (is_removing(op) || (going_on && switching_off))) ||
                      (status.error().kind == ErrorKind::kExists && going_on);
    if (fine)
      done_[position] = true;
    else
      errors_.push_back(explained(op, std::move(status).error()));
  }

  // A parent that cannot take a sub-interface says no more than "invalid" or "busy"
  // (macvlan_common_newlink, netdev_rx_handler_register), and a macvlan that clashes with another
  // one says so when it is set up (macvlan_open).
  [[nodiscard]] Error explained(const Op& op, Error error) const {
    if (const auto* up = std::get_if<SetLinkUp>(&op); up && error.sys == EADDRINUSE) {
      for (const auto& each : plan_) {
        const auto* made = std::get_if<AddMacvlan>(&each);
        if (!made || made->ns != up->ns || made->name != up->name) continue;
        error.message += fmt::format(
            ": its MAC address {} is that of {} or of another sub-interface of it: give another "
            "one",
            made->mac.str(), made->parent.str());
      }
      return error;
    }
    const auto* macvlan = std::get_if<AddMacvlan>(&op);
    const auto* ipvlan = std::get_if<AddIpvlan>(&op);
    if ((!macvlan && !ipvlan) || (error.sys != EINVAL && error.sys != EBUSY)) return error;
    error.kind = ErrorKind::kInUse;
    error.message += fmt::format(
        ": {} takes no {} now: something else has it (a bridge, a bond, a passthru macvlan, or "
        "sub-interfaces of another kind)",
        (macvlan ? macvlan->parent : ipvlan->parent).str(), macvlan ? "macvlan" : "ipvlan");
    error.sys = EBUSY;
    return error;
  }

  // For what does not wait: it comes after all that does.
  template <typename Body>
  void now(Body body) {
    flush();
    if (!stopped()) settle(current_, body());
  }

  Status make_translator() { return translator::ensure(*TRY(kernel_.route())); }

  static Status add_netns(const AddNetns& op) {
    const auto made = TRY(kernel::Netns::create(op.path));
    auto up = loopback_up(made);
    if (!up) (void)kernel::Netns::remove(op.path);  // an operation is done or it is not
    return up;
  }
  static Status loopback_up(const kernel::Netns& netns) {
    auto socket = TRY(kernel::open_socket_in(netns, NETLINK_ROUTE));
    return socket.request(kernel::set_link_up(TRY(IfName::parse("lo")), true));
  }

  static kernel::Route route(const auto& op, int index) {
    kernel::Route route;
    route.family = op.gateway ? op.gateway->family() : op.destination->ip().family();
    route.destination = op.destination;
    route.gateway = op.gateway;
    route.link_index = index;
    route.source = op.source;
    route.metric = op.metric;
    route.type = kernel_type(op.kind);
    return route;
  }

  // The pairs of this plan carry packets from now on and not when the kernel finds the time
  // (sync_carrier in link.h). Nothing depends on it but the first packets. The sandbox's end has
  // its part in it too: without a carrier it does not answer neighbour solicitations
  // (addrconf_notify in net/ipv6/addrconf.c joins the groups for them).
  void sync_carriers() {
    for (const auto& op : plan_) {
      const auto* veth = std::get_if<AddVeth>(&op);
      if (!veth) continue;
      if (const auto socket = kernel_.route()) (void)kernel::sync_carrier(**socket, veth->name);
      if (const auto socket = namespaces_.route(kernel_, veth->peer_ns))
        (void)kernel::sync_carrier(**socket, veth->peer);
    }
  }

  // ---- what waits to be sent together -----------------------------------------------------------

  void queue(const NsRef& ns, kernel::Request request) {
    outbox_.make_way_for(Outbox::Kind::kRequests, ns);
    if (!stopped()) outbox_.add(current_, std::move(request));
  }

  template <typename Build>
  void with_index(const NsRef& ns, const IfName& link, Build build) {
    if (link.empty()) return queue(ns, build(0));  // a blackhole's
    const auto index = index_of(ns, link);
    if (stopped()) return;
    if (!index) return settle(current_, std::unexpected(index.error()));
    queue(ns, build(*index));
  }

  // A link on top of a device of the host, born in the namespace that it is for.
  template <typename Build>
  void on_parent(const auto& op, Build build) {
    const kernel::Netns* netns = nullptr;
    if (!op.ns.is_host()) {
      const auto opened = namespaces_.open(op.ns);
      if (!opened) return settle(current_, std::unexpected(opened.error()));
      netns = *opened;
    }
    with_index({}, op.parent, [&](int parent) {
      return build({.name = op.name,
                    .lower = parent,
                    .netns_fd = netns ? netns->fd() : -1,
                    .mac = {},
                    .mtu = op.mtu});
    });
  }

  // Asks the kernel once per link; a link that waits to be made is made first.
  Result<int> index_of(const NsRef& ns, const IfName& link) {
    const auto known = indexes_.find({ns, link});
    if (known != indexes_.end()) return known->second;
    flush();
    const auto found = TRY(kernel::link_index(*TRY(namespaces_.route(kernel_, ns)), link));
    if (!found)
      return fail_sys(ENODEV, "find interface {}{}", link.str(),
                      ns.is_host() ? "" : " in " + ns.path);
    indexes_[{ns, link}] = *found;
    return *found;
  }

  void queue_element(Outbox::Kind kind, const nft::Element& element) {
    outbox_.make_way_for(kind);
    if (!stopped()) outbox_.add(current_, element);
  }

  void flush() { outbox_.flush(); }

  Kernel& kernel_;
  Namespaces namespaces_;
  const Plan& plan_;
  Mode mode_;
  std::size_t current_ = 0;
  std::vector<bool> done_;  // by position
  std::vector<Error> errors_;

  Outbox outbox_;
  std::map<std::pair<NsRef, IfName>, int> indexes_;
};

}  // namespace

Result<kernel::Socket*> Kernel::route() {
  if (!route_) route_ = TRY(kernel::Socket::open(NETLINK_ROUTE));
  return &*route_;
}

Result<nft::Connection*> Kernel::nft() {
  if (!nft_) nft_ = TRY(nft::Connection::open());
  return &*nft_;
}

Result<ino_t> Kernel::inode() {
  if (!inode_) inode_ = TRY(kernel::Netns::current()).inode();
  return *inode_;
}

const Result<kernel::Home>& Kernel::home() {
  if (!home_) home_ = kernel::Home::here();
  return *home_;
}

Result<kernel::Socket*> Kernel::netfilter() {
  if (!netfilter_) netfilter_ = TRY(kernel::Socket::open(NETLINK_NETFILTER));
  return &*netfilter_;
}

Status apply(Kernel& kernel, const Plan& plan, const BeforeOp& before, Namespaces opened) {
  Run run(kernel, plan, Run::Mode::kStopAtFirstError, std::move(opened));
  run.carry_out(before);
  auto errors = run.take_errors();
  if (errors.empty()) return {};
  auto error = std::move(errors.front());
  for (const auto& more : apply_all(kernel, inverse(run.done())))
    error.message += "; and taking back what was done: " + more.message;
  return std::unexpected(std::move(error));
}

std::vector<Error> apply_all(Kernel& kernel, const Plan& plan, const BeforeOp& before) {
  Run run(kernel, plan, Run::Mode::kGoOn);
  run.carry_out(before);
  return run.take_errors();
}

}  // namespace berth::plan
