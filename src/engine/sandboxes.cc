// Sandboxes: making them, running processes in them, and recording their ends, however they come.

#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/result.h"
#include "engine/default_route.h"
#include "engine/elsewhere.h"
#include "engine/host_gateway.h"
#include "engine/ids.h"
#include "engine/impl.h"
#include "engine/ports.h"
#include "engine/roaming_ports.h"
#include "kernel/netns/netns.h"
#include "sandbox/files.h"
#include "sandbox/names.h"
#include "sandbox/process.h"
#include "sandbox/resolv_conf.h"
#include "store/disk.h"

namespace berth {
namespace {

using engine::Change;
namespace fs = std::filesystem;

constexpr std::string_view kDefaultNetwork = "bridge";

// A name that is free and allowed, or one made up.
Result<std::string> name_for(engine::State& state, const std::string& asked) {
  if (!asked.empty()) {
    TRY(sandbox::check_name(asked));
    TRY(engine::check_name("sandbox", asked));  // and its length
    if (TRY(state.sandbox_name_taken(asked))) {
      const auto other = TRY(state.sandbox(asked));
      return fail(ErrorKind::kExists,
                  "the name {} is taken by sandbox {}: remove it, or give another name", asked,
                  engine::short_id(other.id));
    }
    return asked;
  }
  for (int attempt = 0;; ++attempt) {
    const auto name =
        sandbox::random_name(std::stoull(engine::random_id().substr(0, 16), nullptr, 16), attempt);
    if (!TRY(state.sandbox_name_taken(name))) return name;
  }
}

// It becomes a line of /etc/hosts: letters, digits, '-', '_' and '.', as RFC 1123 and habit have
// it.
Status check_hostname(const std::string& hostname, std::string_view what = "hostname") {
  constexpr std::size_t kMaxBytes = 63;  // HOST_NAME_MAX is 64, a DNS label's limit is 63
  const auto allowed = [](unsigned char byte) {
    return std::isalnum(byte) || byte == '-' || byte == '_' || byte == '.';
  };
  if (hostname.size() <= kMaxBytes && std::isalnum(static_cast<unsigned char>(hostname[0])) &&
      std::ranges::all_of(hostname, allowed))
    return {};
  return fail(ErrorKind::kInvalid,
              "{} '{}' of {} bytes is not allowed: give a letter or digit, then letters, "
              "digits, '-', '_' or '.', at most {} bytes",
              what, hostname, hostname.size(), kMaxBytes);
}

Result<Sandbox> new_sandbox(engine::State& state, const std::string& name,
                            const std::string& hostname) {
  Sandbox sandbox;
  sandbox.id = engine::random_id();
  sandbox.name = TRY(name_for(state, name));
  sandbox.hostname = hostname.empty() ? engine::short_id(sandbox.id) : hostname;
  TRY(check_hostname(sandbox.hostname));
  sandbox.created = engine::now();
  return sandbox;
}

// The networks that a sandbox of mode kNetworks starts on.
std::vector<Attachment> networks_of(const RunProcess& request) {
  if (!request.networks.empty()) return request.networks;
  return {{.network = std::string(kDefaultNetwork), .options = {}}};
}

// Whether each network is there, and given once.
Status check_networks(engine::State& state, const std::vector<Attachment>& networks) {
  std::vector<std::string> ids;
  for (const auto& each : networks) {
    const auto network = TRY(state.network(each.network));
    if (std::ranges::find(ids, network.id) != ids.end())
      return fail(ErrorKind::kInvalid, "network {} is given twice", network.name);
    ids.push_back(network.id);
  }
  return {};
}

// Names that come from elsewhere: the host's of a sandbox in the host's network, as in Docker, and
// the owner's of one that shares another's.
Status take_names(Sandbox& sandbox, const engine::Mode& mode, const RunProcess& request) {
  if (mode.owner) {
    sandbox.hostname = mode.owner->hostname;
    sandbox.domainname = mode.owner->domainname;
    return {};
  }
  if (!request.domainname.empty()) TRY(check_hostname(request.domainname, "domain name"));
  sandbox.domainname = request.domainname;
  if (mode.mode != NetworkMode::kHost || !request.hostname.empty()) return {};
  utsname host{};
  if (uname(&host) != 0) return fail_sys(errno, "read the host's name");
  sandbox.hostname = host.nodename;
  return {};
}

// What `run` asks for, checked as far as it can be without the kernel.
Result<Sandbox> sandbox_for(engine::State& state, const RunProcess& request,
                            const engine::Mode& mode) {
  auto sandbox = TRY(new_sandbox(state, request.name, request.hostname));
  if (request.argv.empty())
    return fail(ErrorKind::kInvalid, "no command is given: add one after --");
  sandbox.argv = request.argv;
  sandbox.labels = request.labels;
  sandbox.auto_remove = request.auto_remove;
  sandbox.tty = request.tty;
  sandbox.log = request.detach;
  if (!request.rootfs.empty()) {
    std::error_code error;
    sandbox.rootfs = fs::canonical(request.rootfs, error);
    if (error) return fail_sys(error.value(), "rootfs {}", request.rootfs);
    if (!fs::is_directory(sandbox.rootfs))
      return fail(ErrorKind::kInvalid, "rootfs {} is not a directory", request.rootfs);
  }
  for (const auto& text : request.add_hosts)
    sandbox.extra_hosts.push_back(sandbox::to_text(TRY(sandbox::parse_add_host(text))));
  sandbox.dns = request.dns;
  sandbox.dns_search = request.dns_search;
  sandbox.dns_options = request.dns_options;
  TRY(sandbox::parse_dns_overrides(request.dns, request.dns_search, request.dns_options));
  sandbox.mode = mode.mode;
  if (mode.owner) sandbox.shares = mode.owner->id;
  TRY(take_names(sandbox, mode, request));
  if (mode.mode == NetworkMode::kNetworks) {
    TRY(check_networks(state, request.networks));
    sandbox.first_network = request.networks.empty()
                                ? std::string(kDefaultNetwork)
                                : TRY(state.network(request.networks[0].network)).name;
  }
  return sandbox;
}

// Why a process that was made does not run: what it says itself, where it has failed, before
// `consequence`, what then failed because it is gone. One that is about to be a zombie has no
// namespaces any more (do_exit in kernel/exit.c).
RunError why_not_started(sandbox::PendingProcess pending, Error consequence) {
  const auto own_netns = fmt::format("/proc/{}/ns/net", pending.pid());
  if (kernel::Netns::open(own_netns)) return RunError{std::move(consequence)};
  const auto started = std::move(pending).start();
  if (started) return RunError{std::move(consequence)};  // it was killed, and said nothing
  return RunError{started.error().error, started.error().exit_code};
}

class ForegroundProcess : public RunningProcess {
 public:
  explicit ForegroundProcess(sandbox::StartedProcess process) : process_(std::move(process)) {}
  int wait() override { return std::move(process_).wait().value_or(125); }

 private:
  sandbox::StartedProcess process_;
};

}  // namespace

// ---- a namespace without a process --------------------------------------------------------------

Result<Sandbox> Engine::Impl::prepare(Change& change, const CreateSandbox& request) {
  auto sandbox = TRY(new_sandbox(change.state, request.name, request.hostname));
  sandbox.kind = SandboxKind::kNamespace;
  sandbox.state = SandboxState::kRunning;
  sandbox.started = sandbox.created;
  sandbox.netns_path = run_path("netns/" + engine::short_id(sandbox.id));
  change.verb = "create sandbox " + sandbox.name;
  change.plan.push_back(plan::AddNetns{sandbox.netns_path});
  change.state.put(sandbox);
  return sandbox;
}

// ---- run ----------------------------------------------------------------------------------------

Result<std::vector<Endpoint>> Engine::Impl::attach_all(Change& change, const RunProcess& request,
                                                       engine::TargetSandbox target) {
  const auto networks = networks_of(request);
  TRY(check_networks(change.state, networks));
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const Connect connect{networks[i].network, target.sandbox.name, networks[i].options,
                          networks.size() == 1 ? request.ports : std::vector<PortSpec>{}};
    ids.push_back(TRY(prepare(change, connect, target)).id);
    target.sandbox.endpoints = ids;
    target.loopback_down = false;
  }
  if (request.ports.empty()) return change.state.endpoints(ids);

  auto& state = change.state;
  auto& sandbox = target.sandbox;
  sandbox = TRY(state.sandbox(sandbox.id));
  if (networks.size() == 1) {
    const auto endpoint = TRY(state.endpoint(ids.front()));
    const auto network = TRY(state.network_by_id(endpoint.network_id));
    sandbox.ports =
        engine::asked_ports(request.ports, network, {endpoint.ports, endpoint.translated});
    state.put(sandbox);
    return state.endpoints(ids);
  }
  // With several networks it is known only now which of them is the way out of which family.
  sandbox.ports = TRY(choose_ports(change, ids, request.ports));
  state.put(sandbox);
  TRY(settle_ports(change, sandbox, IfTaken::kRefuse));
  return state.endpoints(ids);
}

Result<std::vector<PortMapping>> Engine::Impl::choose_ports(Change& change,
                                                            const std::vector<std::string>& ids,
                                                            const std::vector<PortSpec>& specs) {
  auto& state = change.state;
  std::vector<engine::Attached> endpoints;
  for (auto& endpoint : TRY(state.endpoints(ids))) {
    auto network = TRY(state.network_by_id(endpoint.network_id));
    endpoints.push_back({std::move(endpoint), std::move(network)});
  }
  std::ranges::sort(endpoints, {}, [](const engine::Attached& each) {
    return engine::rank_of(each.endpoint, each.network.link.metric);
  });
  const auto publish = [&](const engine::Attached& by,
                           const PortSpec& spec) -> Result<engine::Published> {
    const bool translate = TRY(use_translator(change, by.network, by.endpoint, {spec}));
    return engine::resolve_ports(state, TRY(others_ports()), by.network, {spec}, by.endpoint,
                                 translate);
  };
  const auto cannot = [](const Error& error) {
    return error.kind == ErrorKind::kInvalid || error.kind == ErrorKind::kUnsupported;
  };
  std::vector<PortMapping> asked;
  std::vector<std::pair<PortMapping, std::string>> taken;  // by the endpoint with that id
  for (const auto& spec : specs) {
    std::optional<Error> refused;
    for (const auto& by : endpoints) {
      const auto published = publish(by, spec);
      if (!published && !cannot(published.error())) return std::unexpected(published.error());
      if (!published) {
        if (!refused) refused = published.error();
        continue;
      }
      refused.reset();
      for (const auto& port : engine::asked_ports({spec}, by.network, *published))
        asked.push_back(port);
      for (const auto* list : {&published->ports, &published->translated})
        for (const auto& port : *list) taken.emplace_back(port, by.endpoint.id);
      break;
    }
    if (refused) return std::unexpected(*std::move(refused));
  }
  for (const auto& [port, id] : taken) TRY(state.free_port(port, id));  // for settle_ports to take
  return asked;
}

// For plan() only: run() below makes the namespace by starting the process.
Result<Sandbox> Engine::Impl::prepare(Change& change, const RunProcess& request) {
  const auto mode = TRY(engine::mode_of(change.state, request));
  auto sandbox = TRY(sandbox_for(change.state, request, mode));
  plan::NsRef ns{run_path("netns/" + engine::short_id(sandbox.id)), 0};
  if (const auto joined = TRY(namespace_to_join(change.state, mode))) {
    ns = {mode.owner ? engine::own_netns_path(*mode.owner) : mode.path, joined->inode()};
    if (joined->inode() == TRY(kernel.inode())) ns.path.clear();
  } else {
    change.plan.push_back(plan::AddNetns{ns.path});
  }
  sandbox.netns_path = ns.path;
  std::vector<Endpoint> endpoints;
  if (sandbox.mode == NetworkMode::kNetworks)
    endpoints = TRY(attach_all(change, request, {.sandbox = sandbox, .ns = ns}));
  TRY(engine::check_host_gateway(change.state, sandbox, endpoints));
  change.plan.push_back(plan::StartProcess{ns, sandbox.hostname, sandbox.rootfs, sandbox.argv});
  return sandbox;
}

std::expected<Started, RunError> Engine::Impl::run(const RunProcess& request) {
  const auto refused = [](Error error) { return std::unexpected(RunError{std::move(error)}); };
  std::optional<kernel::Netns> joined;
  auto checked = with_dead_collected([&]() -> Result<Sandbox> {
    TRY(may_change());
    Change look(*store);
    const auto one_state = TRY(reading());
    const auto mode = TRY(engine::mode_of(look.state, request));
    auto sandbox = TRY(sandbox_for(look.state, request, mode));
    joined = TRY(namespace_to_join(look.state, mode));
    if (mode.mode == NetworkMode::kPath) sandbox.netns_path = mode.path;
    return sandbox;
  });
  if (!checked) return refused(checked.error());
  auto sandbox = *std::move(checked);

  // The files must be there before the process is, their content before it starts.
  const auto files = make_files(sandbox);
  if (!files) {
    remove_files(sandbox);
    return refused(files.error());
  }

  auto env = request.env;
  const auto is_hostname = [](const std::string& entry) { return entry.starts_with("HOSTNAME="); };
  if (std::ranges::none_of(env, is_hostname)) env.push_back("HOSTNAME=" + sandbox.hostname);
  const auto file = [&](std::string_view name) {
    return names_directory_of(sandbox) + "/" + std::string(name);
  };
  auto pending = sandbox::PendingProcess::spawn(
      {.id = sandbox.id,
       .name = sandbox.name,
       .hostname = sandbox.hostname,
       .domainname = sandbox.domainname,
       .netns = joined ? joined->fd() : -1,
       .argv = request.argv,
       .env = std::move(env),
       .rootfs = sandbox.rootfs.empty() ? std::nullopt : std::optional(sandbox.rootfs),
       .hosts_file = file("hosts"),
       .hostname_file = file("hostname"),
       .resolv_file = file("resolv.conf"),
       .log_file = directory_of(sandbox) + "/log",
       .detach = request.detach,
       .tty = request.tty,
       .open_stdin = request.open_stdin,
       .workdir = request.workdir,
       .shim = config.shim,
       .on_exit = {config.program, "--root", config.root, "--run", config.run, "sandbox", "exited",
                   sandbox.id}});
  if (!pending) {
    remove_files(sandbox);
    return refused(pending.error());
  }

  if (sandbox.netns_path.empty())
    sandbox.netns_path = fmt::format("/proc/{}/ns/net", pending->pid());
  sandbox.pid = pending->id().pid;
  sandbox.pid_start = pending->id().start_time;
  sandbox.shim_pid = pending->shim().pid;
  sandbox.shim_start = pending->shim().start_time;
  sandbox.state = SandboxState::kRunning;
  sandbox.started = engine::now();
  if (!joined) {
    const auto netns = kernel::Netns::open(sandbox.netns_path);
    if (!netns) {
      remove_files(sandbox);
      return std::unexpected(why_not_started(*std::move(pending), netns.error()));
    }
    sandbox.netns_inode = netns->inode();
  }
  std::vector<std::string> networks;
  if (sandbox.mode == NetworkMode::kNetworks)
    for (const auto& each : networks_of(request)) networks.push_back(each.network);
  const auto attach_once = [&]() -> Status {
    Change attaching(*store);
    sandbox.name = TRY(name_for(attaching.state, sandbox.name));
    std::vector<Endpoint> endpoints;
    std::vector<PortMapping> ports;
    sandbox.endpoints.clear();
    sandbox.ports.clear();
    const plan::NsRef ns{sandbox.netns_path, sandbox.netns_inode};
    if (sandbox.mode == NetworkMode::kNetworks) {
      endpoints = TRY(
          attach_all(attaching, request, {.sandbox = sandbox, .ns = ns, .loopback_down = true}));
      for (const auto& endpoint : endpoints) {
        ports.insert(ports.end(), endpoint.ports.begin(), endpoint.ports.end());
        sandbox.endpoints.push_back(endpoint.id);
      }
      if (!request.ports.empty()) sandbox.ports = TRY(attaching.state.sandbox(sandbox.id)).ports;
    } else if (sandbox.mode == NetworkMode::kNone) {
      attaching.plan.push_back(plan::SetLinkUp{ns, TRY(IfName::parse("lo"))});
    } else if (sandbox.mode == NetworkMode::kContainer) {
      // It was there a moment ago; from here on the lock keeps it from being removed.
      const auto owner = attaching.state.sandbox(sandbox.shares);
      if (!owner || !alive(*owner))
        return fail(ErrorKind::kNotFound, "{} has just ended", request.networks.front().network);
    }
    TRY(engine::check_host_gateway(attaching.state, sandbox, endpoints));
    attaching.state.put(sandbox);
    attaching.verb = "run " + sandbox.name;
    if (auto done = commit(attaching); !done)
      return std::unexpected(name_the_taker(std::move(done).error(), ports));
    return {};
  };
  const auto attach = [&]() -> Status {
    const auto held = TRY(lock());
    TRY(with_healed(networks, attach_once));
    for (const auto& id : sandbox.endpoints) TRY(take_lease(id));
    Change look(*store);
    return write_files(look.state, sandbox);
  };
  if (auto attached = with_dead_collected(attach); !attached) {
    auto refusal = why_not_started(*std::move(pending), attached.error());  // and kills it
    sandbox.auto_remove = true;  // nothing of it is to remain
    (void)finish_if_known(sandbox, 125);
    remove_files(sandbox);
    return std::unexpected(std::move(refusal));
  }

  auto started = std::move(*pending).start();
  if (!started) {
    sandbox.auto_remove = true;
    (void)finish_if_known(sandbox, started.error().exit_code);
    return std::unexpected(RunError{started.error().error, started.error().exit_code});
  }
  return Started{sandbox, std::make_unique<ForegroundProcess>(*std::move(started))};
}

// ---- their ends ---------------------------------------------------------------------------------

Result<bool> Engine::Impl::prepare_end(Change& change, const Sandbox& sandbox, int exit_code) {
  change.direction = engine::Direction::kRemove;
  change.verb = "end of " + sandbox.name;
  TRY(detach(change, TRY(change.state.endpoints(sandbox.endpoints))));
  if (sandbox.auto_remove || sandbox.kind != SandboxKind::kProcess) {
    change.state.erase(sandbox);
    if (sandbox.kind == SandboxKind::kNamespace)
      change.last.push_back(plan::DeleteNetns{sandbox.netns_path});
    return true;
  }
  auto ended = sandbox;
  ended.state = SandboxState::kExited;
  ended.exit_code = exit_code;
  ended.finished = engine::now();
  ended.endpoints.clear();
  ended.pid = ended.shim_pid = 0;
  ended.pid_start = ended.shim_start = 0;
  change.state.erase(sandbox);  // with the index of its namespace, which is gone
  change.state.put(ended);
  return false;
}

Status Engine::Impl::finish(const Sandbox& sandbox, int exit_code) {
  Change change(*store);
  const bool forget = TRY(prepare_end(change, sandbox, exit_code));
  const auto sharers = TRY(change.state.sharers(sandbox.id));
  if (auto committed = commit(change); !committed && !change.recorded) return committed;
  if (!sharers.empty()) {  // they go on reading its hosts file, and the addresses are free for others
    auto without_addresses = sandbox;
    without_addresses.endpoints.clear();
    (void)write_hosts(change.state, without_addresses);
  }
  if (forget) remove_files(sandbox);
  return {};
}

Status Engine::Impl::finish_if_known(const Sandbox& sandbox, int exit_code) {
  const auto held = TRY(lock());
  Change look(*store);
  auto known = look.state.sandbox(sandbox.id);
  if (!known || known->state == SandboxState::kExited) return {};  // somebody was quicker
  known->auto_remove = known->auto_remove || sandbox.auto_remove;
  return finish(*known, exit_code);
}

bool Engine::Impl::is_dead(const Sandbox& sandbox) const {
  if (sandbox.state == SandboxState::kExited) return false;
  if (sandbox.kind != SandboxKind::kProcess) {
    Change look(*store);
    return !alive(sandbox) && !engine::find_elsewhere(look.state, sandbox);
  }
  // While its shim lives, that is about to report the end with the exit code.
  return !alive(sandbox) && !sandbox::alive({sandbox.shim_pid, sandbox.shim_start});
}

Status Engine::Impl::collect_dead() {
  if (config.only_plan || !snapshot.expired()) return {};
  Change look(*store);
  std::vector<Sandbox> dead;
  for (auto& sandbox : TRY(look.state.sandboxes()))
    if (is_dead(sandbox)) dead.push_back(std::move(sandbox));
  return record_ends(dead);
}

Status Engine::Impl::record_ends(const std::vector<Sandbox>& dead) {
  for (const auto& each : dead) {
    auto recorded = finish_if_known(each, 128 + SIGKILL);
    if (recorded) continue;
    // Who only looks sees the record as it is; who wants to change something is told anyway.
    return store::is_disk_error(recorded.error()) ? Status{} : recorded;
  }
  return {};
}

Status Engine::Impl::collect_stale(const Target& reference) {
  if (config.only_plan || !snapshot.expired()) return {};
  std::vector<Sandbox> dead;
  const auto netns = open_foreign(reference);
  {
    Change look(*store);
    const auto one_state = TRY(reading());
    if (auto sandbox = look.state.sandbox(reference); sandbox && is_dead(*sandbox))
      dead.push_back(*std::move(sandbox));
    // The kernel gives the number of a namespace that is gone to the next one. One that is not
    // foreign or not there is none of ours to tell: the request itself will say so.
    if (netns) {
      auto sandbox = TRY(look.state.sandbox_by_netns(netns->inode()));
      if (sandbox && is_dead(*sandbox)) dead.push_back(*std::move(sandbox));
    }
  }
  return record_ends(dead);
}

}  // namespace berth
