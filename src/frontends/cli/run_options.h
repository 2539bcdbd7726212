// What `run` is asked for, as a typed request.
#pragma once

#include <string>
#include <vector>

#include "berth/engine.h"
#include "frontends/cli/options.h"

namespace berth::cli {

struct RunOptions {
  std::string name, hostname, domainname, ip, ip6, mac, rootfs, workdir;
  std::vector<std::string> networks, link_local, aliases, ports, exposed, add_hosts, labels, env;
  std::vector<std::string> links, dns, dns_search, dns_options;
  std::string user, entrypoint;
  std::vector<std::string> env_files, volumes, sysctls, cap_add, cap_drop, security;
  bool privileged = false, read_only = false, init = false;
  bool detach = false, interactive = false, tty = false, auto_remove = false, publish_all = false;
  DryRun dry_run;
};

void declare(CLI::App& app, RunOptions& into);
[[nodiscard]] Result<RunProcess> to_request(const RunOptions& options,
                                            std::vector<std::string> command);

/// --network in all its forms, and --ip and the like, which go to the first of them.
[[nodiscard]] Result<std::vector<Attachment>> networks_of(const RunOptions& options);

/// A sandboxed process's environment before -e: PATH, HOME, and TERM with a terminal, as Docker's.
[[nodiscard]] std::vector<std::string> default_environment(bool tty);
/// Lines of K=V or K, as Docker's --env-file reads them; those that begin with # are comments.
[[nodiscard]] Result<std::vector<std::string>> read_env_file(const std::string& path);
/// SOURCE:TARGET[:ro|rw]; a source that begins with . is relative to this process's directory.
[[nodiscard]] Result<BindMount> parse_volume(const std::string& text);

/// Adds "K=V", or "K" for this process's own K if it has one; a later K replaces an earlier one.
[[nodiscard]] Status add_environment(std::vector<std::string>& env,
                                     std::span<const std::string> additions);

}  // namespace berth::cli
