#include "engine/sandboxes/create.h"

#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/result.h"
#include "engine/change/commit.h"
#include "engine/change/recovery.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/sandboxes/confinement.h"
#include "engine/sandboxes/files.h"
#include "engine/sandboxes/modes.h"
#include "engine/sandboxes/sandboxes.h"
#include "engine/state/draft.h"
#include "engine/state/events.h"
#include "engine/state/state.h"
#include "kernel/netns/netns.h"
#include "sandbox/files.h"
#include "sandbox/names.h"
#include "sandbox/process.h"
#include "sandbox/resolv_conf.h"
#include "store/disk.h"

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultNetwork = "bridge";

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

Result<Sandbox> new_sandbox(State& state, const std::string& name, const std::string& hostname) {
  Sandbox sandbox;
  sandbox.id = random_id();
  sandbox.name = TRY(name_for(state, name));
  sandbox.hostname = hostname.empty() ? short_id(sandbox.id) : hostname;
  TRY(check_hostname(sandbox.hostname));
  sandbox.created = now();
  return sandbox;
}

// Names that come from elsewhere: the host's of a sandbox in the host's network, as in Docker, and
// the owner's of one that shares another's.
Status take_names(Sandbox& sandbox, const Mode& mode, const RunProcess& request) {
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

}  // namespace

// A name that is free and allowed, or one made up.
Result<std::string> name_for(State& state, const std::string& asked) {
  if (!asked.empty()) {
    TRY(sandbox::check_name(asked));
    TRY(check_name("sandbox", asked));  // and its length
    if (TRY(state.sandbox_name_taken(asked))) {
      const auto other = TRY(state.sandbox(asked));
      return fail(ErrorKind::kExists,
                  "the name {} is taken by sandbox {}: remove it, or give another name", asked,
                  short_id(other.id));
    }
    return asked;
  }
  for (int attempt = 0;; ++attempt) {
    const auto name =
        sandbox::random_name(std::stoull(random_id().substr(0, 16), nullptr, 16), attempt);
    if (!TRY(state.sandbox_name_taken(name))) return name;
  }
}

// The networks that a sandbox of mode kNetworks starts on.
std::vector<Attachment> networks_of(const RunProcess& request) {
  if (!request.networks.empty()) return request.networks;
  return {{.network = std::string(kDefaultNetwork), .options = {}}};
}

// Whether each network is there, and given once.
Status check_networks(State& state, const std::vector<Attachment>& networks) {
  std::vector<std::string> ids;
  for (const auto& each : networks) {
    const auto network = TRY(state.network(each.network));
    if (std::ranges::find(ids, network.id) != ids.end())
      return fail(ErrorKind::kInvalid, "network {} is given twice", network.name);
    ids.push_back(network.id);
  }
  return {};
}

// What `run` asks for, checked as far as it can be without the kernel.
Result<Sandbox> sandbox_for(State& state, const RunProcess& request, const Mode& mode) {
  auto sandbox = TRY(new_sandbox(state, request.name, request.hostname));
  if (request.argv.empty())
    return fail(ErrorKind::kInvalid, "no command is given: add one after --");
  sandbox.argv = request.argv;
  sandbox.entrypoint = request.entrypoint;
  sandbox.env = request.env;
  sandbox.workdir = request.workdir;
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
  sandbox.confinement = TRY(check_confinement(request.confinement, mode.mode, sandbox.rootfs));
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

Result<Sandbox> prepare(Instance& instance, Draft& draft, const CreateSandbox& request) {
  auto sandbox = TRY(new_sandbox(draft.state, request.name, request.hostname));
  sandbox.kind = SandboxKind::kNamespace;
  sandbox.state = SandboxState::kRunning;
  sandbox.started = sandbox.created;
  sandbox.netns_path = instance.run_path("netns/" + short_id(sandbox.id));
  draft.verb = "create sandbox " + sandbox.name;
  draft.plan.push_back(plan::AddNetns{sandbox.netns_path});
  draft.state.put(sandbox);
  draft.events.push_back(event_of(Event::Action::kSandboxCreate, sandbox));
  return sandbox;
}

Result<Sandbox> create_sandbox(Instance& instance, const CreateSandbox& request) {
  return with_dead_collected(instance, [&]() -> Result<Sandbox> {
    const auto held = TRY(lock_instance(instance));
    Draft draft(*instance.store);
    auto sandbox = TRY(prepare(instance, draft, request));
    draft.complete = [&]() -> Status {
      sandbox.netns_inode = TRY(kernel::Netns::open(sandbox.netns_path)).inode();
      draft.state.put(sandbox);
      return write_files(instance, draft.state, sandbox);
    };
    if (auto made = commit(instance, draft); !made) {
      remove_files(instance, sandbox);
      return std::unexpected(std::move(made).error());
    }
    return sandbox;
  });
}

}  // namespace berth::engine
