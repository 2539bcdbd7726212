// The files of a sandbox, in <run>/sandboxes/<id>: what it sees as /etc/hosts, hostname and
// resolv.conf, and its log. Who shares another's network sees the other's. What the sandbox itself
// writes there stays (sandbox/shared_file.h). The files come before the record and go after it;
// what a process that was killed in between leaves is found by having no record and no lock.
// Another instance may share --run: a file in each directory says whose it is.

#include "engine/sandboxes/files.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/directories.h"
#include "base/result.h"
#include "engine/endpoints/links.h"
#include "engine/host/host_facts.h"
#include "engine/ids.h"
#include "engine/instance.h"
#include "engine/sandboxes/host_gateway.h"
#include "engine/state/draft.h"
#include "engine/state/state.h"
#include "engine/targets/targets.h"
#include "sandbox/files.h"
#include "sandbox/own_files.h"
#include "sandbox/resolv_conf.h"
#include "sandbox/shared_file.h"

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHostHosts = "/etc/hosts";

constexpr const char* kHostResolvConf = "/etc/resolv.conf";

// Are its /etc/hosts, hostname and resolv.conf its own, and berth's to write?
bool has_names(const Sandbox& sandbox) {
  return sandbox.kind != SandboxKind::kForeign && sandbox.shares.empty();
}

Status update(const std::string& path, const std::string& text, sandbox::Merge merge) {
  TRY(sandbox::update_shared(path, text, merge));
  return {};
}

constexpr const char* kInstanceFile = "instance";

Status make_directory(const std::string& path, const std::string& instance) {
  TRY(make_directories(path, 0755));
  std::error_code error;
  const auto file = fmt::format("{}/{}", path, kInstanceFile);
  return fs::exists(file, error) ? Status{} : sandbox::write_in_place(file, instance);
}

// May the instance remove the directory? One that nobody has written to yet is nobody's: who made
// it was killed before or while it wrote its name.
bool is_own(const fs::path& directory, const std::string& instance) {
  std::error_code error;
  if (fs::is_empty(directory, error) && !error) return true;
  const auto owner = sandbox::read_text(directory / kInstanceFile);
  return owner && (owner->empty() || *owner == instance);
}

Status write_resolv_conf(const Instance& instance, State& state, const Sandbox& sandbox) {
  if (!has_names(sandbox)) return {};
  const auto overrides =
      TRY(sandbox::parse_dns_overrides(sandbox.dns, sandbox.dns_search, sandbox.dns_options));
  const auto path = directory_of(instance, sandbox) + "/resolv.conf";
  if (sandbox.mode == NetworkMode::kHost) {
    // As it is, as long as nothing is asked for: the host's loopback is the sandbox's too.
    const auto text = TRY(sandbox::read_text(kHostResolvConf));
    if (overrides.empty()) return update(path, text, sandbox::keep_changed);
    const auto conf = sandbox::for_host_network(sandbox::parse_resolv_conf(text), overrides);
    return update(path, sandbox::to_text(conf), sandbox::keep_changed);
  }
  // What somebody else's namespace has is not known: nothing is kept from it.
  bool ipv6 = sandbox.mode == NetworkMode::kPath;
  for (const auto& endpoint : TRY(state.endpoints(sandbox.endpoints)))
    ipv6 = ipv6 || endpoint.address6;
  const auto conf = sandbox::for_sandbox(TRY(sandbox::read_host_resolv_conf()), overrides, ipv6);
  return update(path, sandbox::to_text(conf), sandbox::keep_changed);
}

Result<std::string> hosts_text(State& state, const Sandbox& sandbox) {
  sandbox::HostsFile hosts{.hostname = sandbox.hostname,
                           .domainname = sandbox.domainname,
                           .extra = {},
                           .addresses = {},
                           .ipv6 = has_ipv6()};
  const auto endpoints = TRY(state.endpoints(sandbox.endpoints));
  const auto host = TRY(host_gateway(state, sandbox, endpoints));
  for (const auto& line : sandbox.extra_hosts)
    std::ranges::move(sandbox::resolve(TRY(sandbox::parse_add_host(line)), host),
                      std::back_inserter(hosts.extra));
  if (sandbox.mode == NetworkMode::kHost)
    return TRY(sandbox::read_text(kHostHosts)) + sandbox::hosts_lines(hosts.extra);
  std::ranges::move(TRY(link_entries(state, endpoints)), std::back_inserter(hosts.extra));
  for (const auto& endpoint : endpoints)
    for (const auto& address : {endpoint.address4, endpoint.address6})
      if (address) hosts.addresses.push_back(address->ip());
  return sandbox::hosts_text(hosts);
}

Status write_moved_files(const Instance& instance, State& state,
                         const std::vector<Draft::Moved>& moved) {
  std::map<std::string, bool> ids;  // whose IPv6 may have come or gone
  for (const auto& each : moved) {
    ids[each.id] |= each.ipv6;
    for (const auto& linker : each.linkers) ids.emplace(linker, false);
  }
  Status all;
  for (const auto& [id, ipv6] : ids) {
    const auto sandbox = state.sandbox(id);
    if (!sandbox || sandbox->state == SandboxState::kExited) continue;  // nobody reads them now
    if (auto written = write_hosts(instance, state, *sandbox); !written) all = std::move(written);
    if (!ipv6) continue;
    if (auto written = write_resolv_conf(instance, state, *sandbox); !written)
      all = std::move(written);
  }
  return all;
}

}  // namespace

std::string directory_of(const Instance& instance, const Sandbox& sandbox) {
  return instance.run_path("sandboxes/" + sandbox.id);
}

std::string names_directory_of(const Instance& instance, const Sandbox& sandbox) {
  return instance.run_path("sandboxes/" + (sandbox.shares.empty() ? sandbox.id : sandbox.shares));
}

Status write_files(const Instance& instance, State& state, const Sandbox& sandbox) {
  if (!has_names(sandbox)) return {};
  const auto directory = directory_of(instance, sandbox);
  TRY(make_directory(directory, instance.tag));
  TRY(sandbox::write_in_place(directory + "/hostname", sandbox.hostname + "\n"));
  TRY(write_resolv_conf(instance, state, sandbox));
  return write_hosts(instance, state, sandbox);
}

Status write_hosts(const Instance& instance, State& state, const Sandbox& sandbox) {
  if (!has_names(sandbox)) return {};
  return update(directory_of(instance, sandbox) + "/hosts", TRY(hosts_text(state, sandbox)),
                sandbox::merge_lines);
}

// ---- when addresses come and go -----------------------------------------------------------------

Status note_move(Instance& instance, Draft& draft, const Sandbox& sandbox,
                 const Endpoint& endpoint) {
  if (sandbox.kind == SandboxKind::kForeign) return {};  // no files, and nobody can link to it
  if (!draft.before_record) {
    draft.before_record = [&instance, &draft] {
      return write_moved_files(instance, draft.state, draft.moved);
    };
    draft.after_rollback.push_back([&instance, &draft] {
      View as_before(*instance.store);
      (void)write_moved_files(instance, as_before.state, draft.moved);
    });
  }
  draft.moved.push_back(
      {sandbox.id, endpoint.address6.has_value(), TRY(draft.state.linkers(sandbox.name))});
  return {};
}

Result<std::vector<std::string>> mend_hosts(const Instance& instance) {
  std::vector<std::string> mended;
  View look(*instance.store);
  for (const auto& sandbox : TRY(look.state.sandboxes())) {
    // The host's own is copied once, as in Docker: it may have changed since.
    if (!has_names(sandbox) || sandbox.mode == NetworkMode::kHost || !alive(sandbox)) continue;
    TRY(make_directory(directory_of(instance, sandbox), instance.tag));
    const auto text = TRY(hosts_text(look.state, sandbox));
    if (TRY(sandbox::update_shared(directory_of(instance, sandbox) + "/hosts", text,
                                   sandbox::merge_lines)))
      mended.push_back(sandbox.name);
  }
  return mended;
}

std::vector<Repair> mend_views(const Instance& instance) {
  std::vector<Repair> repairs;
  View look(*instance.store);
  const auto sandboxes = look.state.sandboxes();
  if (!sandboxes) return {{"views of /etc", std::unexpected(sandboxes.error())}};
  for (const auto& sandbox : *sandboxes) {
    if (sandbox.kind != SandboxKind::kProcess || !alive(sandbox)) continue;
    const auto restored = sandbox::restore_own_files({sandbox.pid, sandbox.pid_start},
                                                     names_directory_of(instance, sandbox));
    if (!restored)
      repairs.push_back({sandbox.name + ": its files in /etc", std::unexpected(restored.error())});
    else if (!restored->empty())
      repairs.push_back(
          {fmt::format("{}: its own /etc/{} {} mounted again", sandbox.name,
                       fmt::join(*restored, ", /etc/"), restored->size() == 1 ? "is" : "are"),
           {}});
  }
  return repairs;
}

Result<UniqueFd> make_files(const Instance& instance, const Sandbox& sandbox) {
  const auto directory = directory_of(instance, sandbox);
  TRY(make_directory(directory, instance.tag));
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail_sys(errno, "lock {}", directory);
  if (!has_names(sandbox)) return fd;
  for (const auto* file : {"hosts", "hostname", "resolv.conf"})
    TRY(sandbox::write_in_place(directory + "/" + file, ""));
  return fd;
}

void remove_stray_files(const Instance& instance, std::chrono::seconds youngest) {
  std::error_code error;
  View look(*instance.store);
  for (const auto& entry : fs::directory_iterator(instance.run_path("sandboxes"), error)) {
    const auto id = entry.path().filename().string();
    const auto known = look.state.sandbox(id);
    if (known || known.error().kind != ErrorKind::kNotFound) continue;
    if (!is_own(entry.path(), instance.tag)) continue;
    // Between being made and being locked it is young.
    if (fs::file_time_type::clock::now() - entry.last_write_time(error) < youngest) continue;
    const UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd && flock(fd.get(), LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), error);
  }
}

void remove_files(const Instance& instance, const Sandbox& sandbox) {
  std::error_code ignored;  // on a tmpfs, and of no use to anybody
  fs::remove_all(directory_of(instance, sandbox), ignored);
}

}  // namespace berth::engine
