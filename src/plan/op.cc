#include "plan/op.h"

#include <algorithm>
#include <set>

#include "plan/visit.h"

namespace berth::plan {
namespace {

// What a plan makes, so that whatever lives inside it needs no undoing of its own.
struct Made {
  std::set<std::string> namespaces;                     // paths
  std::set<std::pair<std::string, std::string>> links;  // namespace path, name

  [[nodiscard]] bool holds(const NsRef& ns, const IfName& link) const {
    return namespaces.contains(ns.path) || links.contains({ns.path, link.str()});
  }
};

Made made_by(const Plan& plan) {
  Made made;
  const auto add = [&](const NsRef& ns, const IfName& link) {
    made.links.insert({ns.path, link.str()});
  };
  for (const auto& op : plan)
    std::visit(
        Overloaded{
            [&](const AddNetns& netns) { made.namespaces.insert(netns.path); },
            [&](const OneOf<AddBridge, AddVlan, AddDummy> auto& link) { add({}, link.name); },
            [&](const AddVeth& veth) {
              add({}, veth.name);
              add(veth.peer_ns, veth.peer);
            },
            [&](const OneOf<AddMacvlan, AddIpvlan> auto& link) { add(link.ns, link.name); },
            [](const OneOf<DeleteNetns, DeleteLink, SetLinkUp, SetLinkMtu, JoinBridge, IsolatePort,
                           HairpinPort, FilterVlans, AddPortVlan, DeletePortVlan, LockPort,
                           AddFdbEntry, SetVrf, ProbeAddress, StartDhcp, StopDhcp, AddAddress,
                           DeleteAddress, AddRoute, DeleteRoute, SetSysctl, EnsureTable,
                           DeleteTableIfUnused, EnsureTranslator, DeleteTranslatorIfUnused,
                           AddElement, DeleteElement, FlushFlows, StartProcess,
                           SignalProcess> auto&) {},
        },
        op);
  return made;
}

std::optional<Op> inverse_of(const Op& op, const Made& made) {
  using Inverse = std::optional<Op>;
  return std::visit(
      Overloaded{
          [](const AddNetns& add) -> Inverse { return DeleteNetns{add.path}; },
          [](const AddBridge& add) -> Inverse { return deletion_of(add); },
          [](const AddVeth& add) -> Inverse { return deletion_of(add); },
          [](const AddMacvlan& add) -> Inverse { return deletion_of(add); },
          [](const AddIpvlan& add) -> Inverse { return deletion_of(add); },
          [](const AddVlan& add) -> Inverse { return deletion_of(add); },
          [](const AddDummy& add) -> Inverse { return deletion_of(add); },
          [&](const SetLinkUp& set) -> Inverse {
            if (made.holds(set.ns, set.name)) return std::nullopt;
            return SetLinkUp{set.ns, set.name, !set.up};
          },
          [&](const SetLinkMtu& set) -> Inverse {
            if (made.holds(set.ns, set.name)) return std::nullopt;
            return SetLinkMtu{set.ns, set.name, set.previous, set.mtu};
          },
          [&](const AddAddress& add) -> Inverse {
            if (made.holds(add.ns, add.link)) return std::nullopt;
            return DeleteAddress{add.ns, add.link, add.address};
          },
          [&](const AddRoute& add) -> Inverse {
            if (made.holds(add.ns, add.link)) return std::nullopt;
            return DeleteRoute{add.ns,   add.destination, add.gateway, add.link,
                               add.kind, add.metric,      add.source};
          },
          [&](const DeleteRoute& gone) -> Inverse {
            return AddRoute{gone.ns,   gone.destination, gone.gateway, gone.link,
                            gone.kind, gone.metric,      gone.source};
          },
          [&](const IsolatePort& set) -> Inverse {
            if (made.holds({}, set.name)) return std::nullopt;
            return IsolatePort{set.name, !set.on};
          },
          [&](const HairpinPort& set) -> Inverse {
            if (made.holds({}, set.name)) return std::nullopt;
            return HairpinPort{set.name, !set.on};
          },
          [&](const FilterVlans& set) -> Inverse {
            if (made.holds({}, set.bridge)) return std::nullopt;
            return FilterVlans{set.bridge, !set.on};
          },
          [&](const AddPortVlan& add) -> Inverse {
            if (made.holds({}, add.port)) return std::nullopt;
            return DeletePortVlan{add.port, add.vlan, add.self};
          },
          [&](const DeletePortVlan& gone) -> Inverse {
            if (made.holds({}, gone.port)) return std::nullopt;
            return AddPortVlan{gone.port, gone.vlan, gone.self};
          },
          [&](const SetVrf& set) -> Inverse {
            if (made.holds({}, set.name)) return std::nullopt;
            return SetVrf{set.name, set.vrf, !set.member};
          },
          [](const SetSysctl& set) -> Inverse {
            if (set.previous.empty()) return std::nullopt;  // dies with the device it belongs to
            return SetSysctl{set.key, set.previous, set.value, set.ns};
          },
          [](const StartDhcp& start) -> Inverse { return StopDhcp{start.directory}; },
          [](const DeleteAddress& gone) -> Inverse {
            return AddAddress{gone.ns, gone.link, gone.address};
          },
          [](const EnsureTable&) -> Inverse { return DeleteTableIfUnused{}; },
          [](const DeleteTableIfUnused&) -> Inverse { return EnsureTable{}; },
          [](const EnsureTranslator&) -> Inverse { return DeleteTranslatorIfUnused{}; },
          [](const DeleteTranslatorIfUnused&) -> Inverse { return EnsureTranslator{}; },
          [](const AddElement& add) -> Inverse { return DeleteElement{add.element}; },
          [](const DeleteElement& gone) -> Inverse { return AddElement{gone.element}; },
          // A link or namespace cannot be brought back as it was, so plans delete them last;
          // forgotten flows come back by themselves. What is set on a port goes with it.
          [](const OneOf<DeleteNetns, DeleteLink, JoinBridge, LockPort, AddFdbEntry, ProbeAddress,
                         StopDhcp, FlushFlows, StartProcess, SignalProcess> auto&) -> Inverse {
            return std::nullopt;
          },
      },
      op);
}

}  // namespace

Op::Op(const Op& other) = default;
Op::Op(Op&& other) noexcept = default;
Op& Op::operator=(const Op& other) = default;
Op& Op::operator=(Op&& other) noexcept = default;
Op::~Op() = default;

void append(Plan& plan, Plan more) {
  plan.insert(plan.end(), std::make_move_iterator(more.begin()),
              std::make_move_iterator(more.end()));
}

void put_flushes_last(Plan& plan) {
  std::ranges::stable_partition(
      plan, [](const Op& op) { return !std::holds_alternative<FlushFlows>(op); });
}

DeleteLink deletion_of(const AddBridge& made) {
  return {.name = made.name, .kind = "bridge", .mac = made.mac};
}
DeleteLink deletion_of(const AddVeth& made) {
  return {.name = made.name, .kind = "veth", .peer_ns = made.peer_ns};
}
DeleteLink deletion_of(const AddMacvlan& made) {
  return {.name = made.name, .ns = made.ns, .kind = "macvlan", .mac = made.mac};
}
DeleteLink deletion_of(const AddIpvlan& made) {
  return {.name = made.name, .ns = made.ns, .kind = "ipvlan"};
}
DeleteLink deletion_of(const AddVlan& made) {
  return {.name = made.name, .kind = "vlan"};
}
DeleteLink deletion_of(const AddDummy& made) {
  return {.name = made.name, .kind = "dummy"};
}

Plan inverse(const Plan& plan) {
  const auto made = made_by(plan);
  Plan undo;
  for (auto op = plan.rbegin(); op != plan.rend(); ++op)
    if (auto inverted = inverse_of(*op, made)) undo.push_back(std::move(*inverted));
  return undo;
}

}  // namespace berth::plan
