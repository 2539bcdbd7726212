// The files of a sandbox, in <run>/sandboxes/<id>: what it sees as /etc/hosts, hostname and
// resolv.conf, and its log. They come before the record and go after it; what a process that was
// killed in between leaves is found by having no record and no lock.

#include <fcntl.h>
#include <sys/file.h>

#include <filesystem>

#include "base/result.h"
#include "engine/impl.h"
#include "sandbox/files.h"
#include "sandbox/resolv_conf.h"

namespace berth {
namespace {

using engine::Change;
namespace fs = std::filesystem;

Status make_directory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail_sys(error.value(), "make directory {}", path);
  return {};
}

}  // namespace

std::string Engine::Impl::directory_of(const Sandbox& sandbox) const {
  return run_path("sandboxes/" + sandbox.id);
}

Status Engine::Impl::write_files(engine::State& state, const Sandbox& sandbox) {
  if (sandbox.kind == SandboxKind::kForeign) return {};
  const auto directory = directory_of(sandbox);
  TRY(make_directory(directory));
  const auto resolv = sandbox::for_sandbox(TRY(sandbox::read_host_resolv_conf()), {}, false);
  TRY(sandbox::write_in_place(directory + "/hostname", sandbox.hostname + "\n"));
  TRY(sandbox::write_in_place(directory + "/resolv.conf", sandbox::to_text(resolv)));
  return write_hosts(state, sandbox);
}

Status Engine::Impl::write_hosts(engine::State& state, const Sandbox& sandbox) {
  if (sandbox.kind == SandboxKind::kForeign) return {};
  sandbox::HostsFile hosts{.hostname = sandbox.hostname, .extra = {}, .addresses = {}};
  for (const auto& line : sandbox.extra_hosts) {
    const auto entry = TRY(sandbox::parse_add_host(line));
    hosts.extra.push_back(TRY(sandbox::resolve(entry, std::nullopt)));
  }
  for (const auto& endpoint : TRY(state.endpoints(sandbox.endpoints)))
    for (const auto& address : {endpoint.address4, endpoint.address6})
      if (address) hosts.addresses.push_back(address->ip());
  return sandbox::write_in_place(directory_of(sandbox) + "/hosts", sandbox::hosts_text(hosts));
}

Result<UniqueFd> Engine::Impl::make_files(const Sandbox& sandbox) {
  const auto directory = directory_of(sandbox);
  TRY(make_directory(directory));
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail_sys(errno, "lock {}", directory);
  for (const auto* file : {"hosts", "hostname", "resolv.conf"})
    TRY(sandbox::write_in_place(directory + "/" + file, ""));
  return fd;
}

void Engine::Impl::remove_stray_files(std::chrono::seconds youngest) {
  std::error_code error;
  Change look(*store);
  for (const auto& entry : fs::directory_iterator(run_path("sandboxes"), error)) {
    const auto id = entry.path().filename().string();
    if (look.state.sandbox(id)) continue;
    // Between being made and being locked it is young.
    if (fs::file_time_type::clock::now() - entry.last_write_time(error) < youngest) continue;
    const UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd && flock(fd.get(), LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), error);
  }
}

void Engine::Impl::remove_files(const Sandbox& sandbox) {
  std::error_code ignored;  // on a tmpfs, and of no use to anybody
  fs::remove_all(directory_of(sandbox), ignored);
}

}  // namespace berth
