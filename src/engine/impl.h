// Inside the engine: what every use case shares.
//
// A use case is a prepare function: it reads the state and the facts it needs of the kernel, and
// leaves a Change, the plan and the writes that belong to it. plan() stops there and prints it.
// perform runs it under the instance lock and commits the change:
//
//   journal the plan  ->  apply it  ->  record the new state  ->  drop the journal's entry
//
// A crash in between leaves the entry. Whoever takes the lock next undoes a change that was making
// something and finishes one that was removing (its writes are in the entry), see journal.cc.
#pragma once

#include <cerrno>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "base/unique_fd.h"
#include "berth/engine.h"
#include "drivers/interface.h"
#include "engine/instance_lock.h"
#include "engine/modes.h"
#include "engine/ports.h"
#include "engine/roaming_ports.h"
#include "engine/state.h"
#include "kernel/netns/netns.h"
#include "plan/apply.h"
#include "plan/op.h"
#include "sandbox/process_id.h"
#include "store/journal.h"
#include "store/store.h"

namespace berth::engine {

enum class Direction { kMake, kRemove };

/// One request's effect, before it happens. Reads through `state` see its own writes.
struct Change {
  explicit Change(store::Store& store) : transaction(store), state(transaction) {}
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  Transaction transaction;
  State state;
  plan::Plan plan;
  plan::Namespaces namespaces;  ///< looked into already, for the plan to go on with
  plan::Plan last;   ///< goes after `plan`: deletions of links, which nothing can take back
  std::string verb;  ///< "connect web to mynet", for the journal's reader
  Direction direction = Direction::kMake;
  store::Durability durability = store::Durability::kNormal;
  bool force = false;  ///< removing: go on past the kernel's errors
  /// Set by commit: it is done and recorded, and an error only tells what was not as it should be.
  bool recorded = false;
  /// Found with others on the network's segment in an attempt before: not to be chosen again.
  std::vector<Ip> neighbours;
  /// Met while preparing: what they name is the request's target now, and they have ended without a
  /// word. Their ends are to be recorded first.
  std::vector<Sandbox> dead;

  /// Making: called once the plan is applied, for what is known only then. It may write to `state`
  /// (not to its plan); its error takes the change back.
  std::function<Status()> complete;
  /// Removing: what goes. A deleted link cannot be brought back, so if the removal fails after one
  /// these are made anew.
  std::vector<Endpoint> leaving;
  std::vector<Network> closing;

  /// A sandbox whose addresses come or go with the change, and those that link to it: their files
  /// in /etc are written anew once the plan is applied (sandbox_files.cc).
  struct Moved {
    std::string id;
    bool ipv6 = false;  ///< may it have gained or lost IPv6
    std::vector<std::string> linkers;
  };
  std::vector<Moved> moved;
};

/// Where tests break in: before an operation, and between the steps of a commit.
struct Faults {
  plan::BeforeOp before_op;
  /// "journalled", "applied", "named", "recorded"
  std::function<void(std::string_view step)> at;
  std::function<std::string()> draw_id;  ///< an endpoint's id, in place of a random one
};

/// A sandbox that a request names, and what must be known of its namespace.
struct TargetSandbox {
  Sandbox sandbox;
  plan::NsRef ns;
  bool loopback_down = false;  ///< foreign: its lo is to be set up
};

}  // namespace berth::engine

namespace berth {

class Engine::Impl {
 public:
  Config config;
  std::unique_ptr<store::Store> store;
  store::Journal journal;
  engine::InstanceLock instance_lock;
  plan::Kernel kernel;
  std::string instance;  // 8 hex digits that tell this instance's elements from another's
  engine::Faults faults;
  ino_t store_file = 0;  // of the store as it was opened; 0: in memory

  // snapshot.cc
  /// Keeps all reads of the store on one state while the result lives; where something does so
  /// already, on that one's.
  Result<std::shared_ptr<store::Store::ReadTransaction>> reading();
  std::weak_ptr<store::Store::ReadTransaction> snapshot;
  /// Refuses changes while reads are kept on one state: what they show may be over by then.
  Status may_change() const;

  // journal.cc
  /// Takes the instance lock and finishes what dead processes left.
  Result<engine::InstanceLock::Held> lock();
  /// The lock alone. An error if somebody has reset the instance since it was opened, and while a
  /// snapshot is held; kInUse if another process has the lock and `how` is LOCK_NB.
  Result<engine::InstanceLock::Held> lock_only(int how = 0);
  /// Finishes what dead processes left, unless a living one is at work.
  Status settle_abandoned();
  /// Finishes what the journal holds. Under the lock.
  Status settle_journal();
  using Documents = std::vector<std::pair<std::string, std::string>>;  // key, text
  Result<Documents> documents(std::string_view prefix);
  /// Entries that settle_journal could not read and set aside: what they began stays as it is until
  /// reconcile compares kernel and store.
  Result<Documents> unreadable_entries();
  /// Journals, applies and records `change`; after an error kernel and store are as before, unless
  /// `change.recorded`.
  Status commit(engine::Change& change);
  /// Takes back a change that was applied, and drops its journal entry. A removal that has ended a
  /// namespace keeps it, for the next command to carry out.
  Status take_back(const engine::Change& change, const plan::Plan& plan, Error error);

  /// A forced removal forgets what it could not delete but for the links: adds these to `writes`.
  void remember_links_left(const plan::Plan& plan, store::WriteSet& writes);
  /// Deletes those that are there still and are the same ones; `transaction` forgets all.
  Result<plan::Plan> links_left(engine::Transaction& transaction);

  // networks.cc
  Result<Network> prepare(engine::Change& change, const CreateNetwork& request);
  Status prepare(engine::Change& change, const RemoveNetworks& request);
  /// Adds the end of `networks` and of everybody's endpoints on them to the change.
  Status remove(engine::Change& change, const std::vector<Network>& networks);
  /// Adds what makes the network's kernel objects to the change, unless they are there.
  Result<engine::Realised> realise(engine::Change& change, const Network& network);
  /// Refuses a network that stands on something which is gone or called otherwise by now: its
  /// parent, its bridge.
  Status check_ground(const Network& network);
  /// Makes the missing parts of a network's kernel objects, as after `nft flush ruleset`.
  Status heal(const Network& network);
  /// body(), under the lock, and once more if that failed because something that berth made for one
  /// of `networks` is gone or down and that could be mended.
  template <typename Body>
  auto with_healed(const std::vector<std::string>& networks, Body body) -> decltype(body()) {
    auto done = body();
    if (done || done.error().sys == 0) return done;
    if (done.error().kind != ErrorKind::kNotFound && done.error().sys != ENETDOWN) return done;
    for (const auto& reference : networks) {
      engine::Change look(*store);
      const auto network = look.state.network(reference);
      if (!network || !heal(*network)) return done;
    }
    return networks.empty() ? done : body();
  }
  Status load_instance();
  Result<bool> table_intact();
  Status add_predefined_networks();
  /// For the network `bridge`, where the pools had no free subnet when the store was made.
  Status choose_subnet(engine::Change& change, Network& network);
  /// Makes anew what of a removal that failed cannot be undone, as far as the kernel lets it.
  void put_back(const engine::Change& change);
  /// What the network is in the firewall's table.
  std::vector<nft::Element> network_elements(const Network& network) const;
  /// What drivers must know of the host. `bridge_netfilter` is read where it matters alone.
  Result<drivers::Facts> facts(bool needs_bridge_netfilter) const;
  /// The operations that the network's kernel objects consist of.
  Result<plan::Plan> network_plan(const Network& network, std::uint32_t mtu);
  /// What drivers must know of the host and, where there is a VLAN, of the network's bridge.
  Result<drivers::Facts> bridge_facts(const Network& network, bool needs_bridge_netfilter,
                                      std::uint16_t vlan);
  /// For an adopted bridge: leaves of `plan` what the bridge has not, and notes in `realised` what
  /// takes that away.
  Status keep_to_what_is_missing(plan::Plan& plan, engine::Realised& realised);
  /// What leaves an adopted bridge as it was before the network, which is one of `leaving`.
  Result<plan::Plan> give_back(engine::State& state, const Network& network,
                               const engine::Realised& realised,
                               const std::vector<Network>& leaving);

  // update.cc
  Result<Network> prepare(engine::Change& change, const UpdateNetwork& request);
  Result<std::vector<Network>> unused_networks();
  Result<std::vector<SubnetUse>> subnet_use(const Network& network);

  // forwarding.cc
  /// What of the host's sysctls is to be switched so that it forwards for the network.
  Result<std::vector<plan::SetSysctl>> forwarding_plan(const Network& network) const;
  /// What switches on forwarding of one family, unless it is on.
  static Result<std::vector<plan::SetSysctl>> forwarding_plan(Ip::Family family);
  /// Adds `sysctls` to the change, and what is remembered of them.
  Status start_forwarding(engine::Change& change, std::vector<plan::SetSysctl> sysctls);
  /// What tells other instances what a forwarding sysctl held before; none for other sysctls.
  static std::optional<nft::Element> forwarding_mark(const plan::SetSysctl& sysctl);
  /// The marks of what this instance has switched; none if `network` is not in the table.
  Result<std::vector<nft::Element>> forwarding_marks(engine::State& state, const Network& network);
  /// Switches off what nobody needs once `networks` are gone.
  Status stop_forwarding(engine::Change& change, const std::vector<Network>& networks);

  // other_instances.cc
  /// The elements of a set of berth's table, of all instances; none where there is no table.
  Result<std::vector<nft::Element>> elements(std::string_view set);
  /// Those that another instance or somebody else has put there.
  Result<std::vector<nft::Element>> others_elements(std::string_view set);
  /// Does another instance have networks in berth's table?
  Result<bool> others_have_networks();
  /// The ports that others have published; none, and quickly, where there never was another instance:
  /// this is on the path of every attach that publishes something.
  Result<std::vector<nft::Element>> others_ports();
  /// What the instances tell each other under this name (table.h).
  Result<std::optional<nft::Element>> shared(std::string_view what);

  // parents.cc
  /// What the request left open about the network's parent; refuses what cannot be.
  Status complete_parent(Network& network, const std::vector<Network>& others);
  /// The addresses of the host's own sub-interface, one of each subnet: the auxiliary address called
  /// "host", else the first free one.
  Status choose_host_addresses(engine::Change& change, Network& network);
  /// Those of them that nobody has asked for.
  static std::vector<Ip> chosen_host_addresses(const Network& network);
  /// An error if the network's parent, somebody else's device, is gone or cannot be one.
  Status check_parent(const Network& network);
  /// Does the network's parent, which berth made, carry another network as well?
  Result<bool> parent_shared(engine::Change& change, const Network& network);
  Result<engine::Realised> realise_on_parent(engine::Change& change, Network network);
  /// What the network's driver has to say about a new endpoint: its MAC address, default route.
  Status settle_on_parent(engine::Change& change, const Network& network, Endpoint& endpoint);

  // dhcp.cc
  /// Refuses a network with DHCP that cannot be.
  static Status check_dhcp(const Network& network, const CreateNetwork& request);
  std::string dhcp_directory(const Endpoint& endpoint) const;
  /// What starts the endpoint's DHCP client.
  plan::StartDhcp dhcp_client(const Sandbox& sandbox, const Endpoint& endpoint) const;
  /// Gives an endpoint what its DHCP client was told last: address and default route. Of another
  /// network than one with DHCP it is left as it is. Under the lock.
  Result<Endpoint> take_lease(const std::string& endpoint_id);
  /// The same for all endpoints of living sandboxes: what changed, and what could not be taken.
  Result<std::vector<Repair>> take_leases();

  // engine.cc
  /// The store at config.root, with its directories; in memory where nothing is to be made.
  Status open_store();
  Result<Endpoint> connect(const Connect& request);

  // translation.cc
  /// Whether the translator leads to the endpoint's IPv4 address for these ports; makes it part of
  /// the change if it is needed and not there. Where there can be none, an error if a port cannot do
  /// without; else the ports are published on IPv4 alone.
  Result<bool> use_translator(engine::Change& change, const Network& network,
                              const Endpoint& endpoint, const std::vector<PortSpec>& specs);
  /// Makes the translator part of the change, unless it is there; an error if there can be none.
  Status add_translator(engine::Change& change);
  /// What forwarding the translator needs: IPv6, where the host has an address of its own.
  Result<std::vector<plan::SetSysctl>> translator_forwarding(engine::State& state);
  /// Is the translator there, and a network left that it may be needed for?
  Result<bool> translator_needed_without(engine::State& state,
                                         const std::vector<Network>& networks);
  /// What of the translator is missing, if a port needs it.
  Result<plan::Plan> translator_repairs(engine::State& state);

  // endpoints.cc
  Result<Endpoint> prepare(engine::Change& change, const Connect& request);
  Result<Endpoint> prepare(engine::Change& change, const Connect& request,
                           engine::TargetSandbox target);
  Status prepare(engine::Change& change, const Disconnect& request);
  /// Refuses a VLAN of the endpoint's own where the network's bridge keeps none apart.
  Status check_vlan(const Network& network, const Endpoint& endpoint);
  /// Draws the endpoint's id and names its device on the host after it.
  Status name_device(Endpoint& endpoint, const Network& network);
  /// Adds the end of `endpoints` to the change: routes and firewall first, links last, in one batch
  /// each.
  Status detach(engine::Change& change, const std::vector<Endpoint>& endpoints);
  // gateway.cc
  /// Decides for each family whether the default route goes by the last of `endpoints`, which is
  /// joining or has a new lease, and notes it there. What takes it away from another one.
  Result<plan::Plan> choose_default_routes(engine::Change& change,
                                           const engine::TargetSandbox& target,
                                           std::vector<Endpoint>& endpoints);
  /// The default routes of `sandbox` move from `leaving` to the best of the endpoints that stay.
  Status hand_on_default_routes(engine::Change& change, const Sandbox& sandbox,
                                const Endpoint& leaving, const std::vector<Endpoint>& all_leaving);
  /// What of a port that is to be published again and that somebody else has by now.
  enum class IfTaken { kRefuse, kWait };
  /// Publishes the ports that the sandbox was started with by the endpoints that they now belong
  /// to, which the state has all of. Those of `joining`, an id, come with its own plan, and they
  /// alone are refused if it is given.
  Status settle_ports(engine::Change& change, const Sandbox& sandbox, IfTaken if_taken,
                      std::string_view joining = {});
  /// May ports on IPv6 lead to the IPv4 address of one of `endpoints`; makes the translator part of
  /// the change, unless that removes something.
  Result<bool> may_translate(engine::Change& change, std::span<const engine::Attached> endpoints,
                             const std::vector<PortMapping>& ports);
  Result<std::vector<std::uint32_t>> metrics_of(engine::State& state,
                                                const std::vector<Endpoint>& endpoints);
  /// What the endpoint consists of: interface, addresses, routes, published ports.
  Result<plan::Plan> endpoint_plan(const Network& network, const Sandbox& sandbox,
                                   const Endpoint& endpoint);

  /// body(), and once more if that failed for something that the dead may hold (a name, an address,
  /// a port) and these have been collected. The lock is not held.
  template <typename Body>
  auto with_dead_collected(Body body) -> decltype(body()) {
    auto done = body();
    if (done) return done;
    const auto kind = done.error().kind;
    // A MAC address that the kernel says is in use has been waited for already (plan/outbox.cc).
    const bool held_by_somebody =
        (kind == ErrorKind::kInUse && done.error().sys != EADDRINUSE) ||
        kind == ErrorKind::kExists || kind == ErrorKind::kExhausted;
    if (!held_by_somebody || config.only_plan || !collect_dead()) return done;
    done = body();
    // A namespace that is gone takes its interfaces down a moment later (cleanup_net in
    // net/core/net_namespace.c), and until then they hold their parent.
    constexpr auto kPause = std::chrono::milliseconds(20);
    constexpr int kTries = 100;
    for (int i = 0; i < kTries && !done; ++i) {
      if (done.error().sys != EBUSY) break;
      std::this_thread::sleep_for(kPause);
      done = body();
    }
    return done;
  }

  // ports.cc
  Result<Endpoint> prepare(engine::Change& change, const Publish& request);
  Result<Endpoint> prepare(engine::Change& change, const Unpublish& request);
  /// Lets `edit` change the ports of the target's endpoint on the network, and plans what follows.
  Result<Endpoint> change_ports(
      engine::Change& change, const std::string& network_name, const Target& target,
      const std::function<Status(const Network& network, Endpoint& endpoint)>& edit);

  // targets.cc
  Result<engine::TargetSandbox> target(engine::Change& change, const Target& reference);
  /// Has the target, a namespace of somebody else's, a default route that is of none of `endpoints`,
  /// those that it has?
  Result<bool> has_foreign_default(engine::Change& change, const engine::TargetSandbox& target,
                                   std::span<const Endpoint> endpoints, Ip::Family family);
  /// The namespace file that a target means which is not berth's; nullopt for one that is.
  Result<std::optional<std::string>> foreign_path(const Target& reference);
  std::map<Target, sandbox::ProcessId> container_processes;  // as foreign_path found them
  /// The namespace that netns:PATH, pid:N, docker:NAME and so on mean.
  Result<kernel::Netns> open_foreign(const Target& reference);
  /// The sandbox that `reference` means, wherever it stands.
  Result<Sandbox> find_sandbox(engine::State& state, const Target& reference);

  // sandboxes.cc
  Result<Sandbox> prepare(engine::Change& change, const CreateSandbox& request);
  Result<Sandbox> prepare(engine::Change& change, const RunProcess& request);
  /// Connects a new sandbox to the networks that `run` asks for, in their order.
  Result<std::vector<Endpoint>> attach_all(engine::Change& change, const RunProcess& request,
                                           engine::TargetSandbox target);
  /// The ports that a sandbox on several networks is started with: each has its number of the first
  /// endpoint of `ids`, by their rank as a way out, that can carry it. An error if none can.
  Result<std::vector<PortMapping>> choose_ports(engine::Change& change,
                                                const std::vector<std::string>& ids,
                                                const std::vector<PortSpec>& specs);
  std::expected<Started, RunError> run(const RunProcess& request);

  // modes.cc
  /// The namespace that a new sandbox of that mode joins; none: it gets one of its own.
  Result<std::optional<kernel::Netns>> namespace_to_join(engine::State& state,
                                                         const engine::Mode& mode) const;
  /// Refuses to `verb` (stop, rm) `owner` while others than `targets` share its namespace.
  Status check_not_shared(engine::State& state, const Sandbox& owner,
                          const std::vector<Target>& targets, std::string_view verb);
  /// What opens the network namespace of `sandbox`: by one that shares it, if its own process has
  /// ended.
  Result<plan::NsRef> namespace_of(engine::State& state, const Sandbox& sandbox);

  // sandbox_files.cc
  std::string directory_of(const Sandbox& sandbox) const;
  /// Where its /etc/hosts, hostname and resolv.conf are: another's, if it shares that one's
  /// network.
  std::string names_directory_of(const Sandbox& sandbox) const;
  /// Writes /etc/hosts, hostname and resolv.conf of a sandbox as its endpoints now want them.
  Status write_files(engine::State& state, const Sandbox& sandbox);
  /// Of these, what changes when endpoints come and go.
  Status write_hosts(engine::State& state, const Sandbox& sandbox);
  Status write_resolv_conf(engine::State& state, const Sandbox& sandbox);
  Result<std::string> hosts_text(engine::State& state, const Sandbox& sandbox) const;
  /// Notes in `change` that `endpoint` of `sandbox` comes or goes.
  Status note_move(engine::Change& change, const Sandbox& sandbox, const Endpoint& endpoint);
  /// Writes the files of those that a change moves, as `state` has them.
  Status write_moved(engine::State& state, const std::vector<engine::Change::Moved>& moved);
  /// Puts berth's lines in every hosts file right; the names of those sandboxes that needed it.
  Result<std::vector<std::string>> mend_hosts();
  /// Mounts a process's own files again where it sees others in their places.
  std::vector<Repair> mend_views();
  void remove_files(const Sandbox& sandbox);
  /// Removes directories of sandboxes that have no record: what a killed `run` left. One that is
  /// being made is locked by its maker (make_files).
  void remove_stray_files(std::chrono::seconds youngest);
  Result<UniqueFd> make_files(const Sandbox& sandbox);
  /// Is what the record says still there: the process, the namespace?
  bool alive(const Sandbox& sandbox) const;
  /// Not recorded as ended, but its process or namespace is gone, and nobody is about to record it.
  bool is_dead(const Sandbox& sandbox) const;
  /// Adds the end of a process sandbox, or of a namespace that is gone, to the change. True if
  /// nothing of it is to be remembered.
  Result<bool> prepare_end(engine::Change& change, const Sandbox& sandbox, int exit_code);
  /// Records the end of a process sandbox, or of a namespace that is gone. No error if there was no
  /// more to it than what others have put in its place.
  Status finish(const Sandbox& sandbox, int exit_code);
  /// The same under the lock, unless somebody else has recorded it already.
  Status finish_if_known(const Sandbox& sandbox, int exit_code);
  /// Collects sandboxes whose process or namespace is gone without a word (a shim killed by -9).
  /// Nothing for a plan, and while a snapshot is held: what it shows stays as it is.
  Status collect_dead();
  /// The same for what `reference` names; the lock is not held.
  Status collect_stale(const Target& reference);
  /// Records the ends of `dead`. A disk that cannot be written is no error.
  Status record_ends(const std::vector<Sandbox>& dead);

  // stop.cc
  Status prepare(engine::Change& change, const StopSandboxes& request);
  Status prepare(engine::Change& change, const RemoveSandboxes& request);
  /// The same without looking at who shares whose namespace.
  Status prepare_removal(engine::Change& change, const RemoveSandboxes& request);
  std::vector<Outcome> stop(const StopSandboxes& request);
  std::vector<Outcome> remove_all(const RemoveSandboxes& request);

  // reboot.cc
  /// After a restart of the machine the kernel's part of everything is gone: records it so.
  Status notice_reboot();

  // reconcile.cc
  Status prepare(engine::Change& change, const Reconcile& request);
  Result<std::vector<Repair>> reconcile();
  /// Calls `found` with each thing that is not as it should be, and the change that mends it or why
  /// none can.
  using FoundDifference =
      std::function<void(const std::string& what, engine::Change& change, Status planned)>;
  Status find_differences(const FoundDifference& found);

  // reset.cc
  Status prepare(engine::Change& change, const Reset& request);
  std::vector<Error> reset();
  /// What a reset has to pass over because its record cannot be read.
  struct Damage {
    std::vector<Error> told;  ///< one for each record
    plan::Plan leftovers;     ///< removes what can be known without the record
  };
  /// Takes from the store what cannot be read and what hangs on that, so that the rest is readable.
  Result<Damage> drop_damaged();
  /// What carries this instance's tag in the table, and the bridges that it says are this instance's.
  Result<plan::Plan> removal_by_tag();

  // system.cc
  Result<Info> info();
  Result<DiskUse> disk_use();

  std::string run_path(std::string_view name) const;
  /// `error` of a change that publishes `ports`: if the cause is an element of another instance, an
  /// error that names who has the port.
  Error name_the_taker(Error error, const std::vector<PortMapping>& ports);
  std::string owner_comment(const Sandbox& sandbox, const Endpoint& endpoint) const;
};

struct EngineAccess {
  static Engine::Impl& impl(Engine& engine) { return *engine.impl_; }
};

}  // namespace berth
