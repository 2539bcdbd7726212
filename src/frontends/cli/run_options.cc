#include "frontends/cli/run_options.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/result.h"

namespace berth::cli {

void declare(CLI::App& app, RunOptions& into) {
  add_flag(app, "-d,--detach", into.detach, "Go on in the background and print the sandbox's id");
  add_flag(app, "-i,--interactive", into.interactive, "Keep standard input open");
  add_flag(app, "-t,--tty", into.tty, "Give the process a terminal");
  add_flag(app, "--rm", into.auto_remove, "Remove the sandbox when its process ends");
  add_text(app, "--name", "NAME", into.name, "Name of the sandbox; else one is made up");
  add_text(app, "-h,--hostname", "NAME", into.hostname, "Host name in the sandbox; else its id");
  add_text(app, "--domainname", "NAME", into.domainname, "Domain name in the sandbox");
  add_list(app, "--network,--net", "NETWORK", into.networks,
           "Network to connect to; or host, none, container:NAME or ns:PATH [bridge]. "
           "NETWORK:KEY=VALUE,... with ip, ip6, mac, alias, link-local-ip, ifname, host_ifname, "
           "gw-priority, link, driver-opt");
  add_text(app, "--ip", "IP", into.ip,
           "IPv4 address on the first network; else the first free one of the range");
  add_text(app, "--ip6", "IP", into.ip6,
           "IPv6 address on the first network; else the first free one of the range");
  add_list(app, "--link-local-ip", "IP", into.link_local,
           "A further, link-local address on the first network");
  add_text(app, "--mac-address", "MAC", into.mac,
           "Hardware address; else one that begins with 02:42");
  add_list(app, "--network-alias", "NAME", into.aliases, "A further name within the network");
  add_list(app, "-p,--publish", "PORT", into.ports,
           "Publish a port: [hostIP:][hostPort:]containerPort[/tcp|udp|sctp], ranges as 80-82");
  add_flag(app, "-P,--publish-all", into.publish_all,
           "Publish the ports of --expose, each on any free port of the host");
  add_list(app, "--expose", "PORT", into.exposed,
           "Port for -P: containerPort[/tcp|udp|sctp], ranges as 80-82; alone it opens nothing");
  add_list(app, "--add-host", "NAME:IP", into.add_hosts,
           "Add a line to /etc/hosts; the IP may be host-gateway");
  add_list(app, "--link", "NAME[:ALIAS]", into.links,
           "Add a line to /etc/hosts for another sandbox on the same network");
  add_list(app, "--dns", "IP", into.dns, "Name server; else the host's");
  add_list(app, "--dns-search", "DOMAIN", into.dns_search,
           "Domain to search names in; else the host's, . for none");
  add_list(app, "--dns-opt,--dns-option", "OPTION", into.dns_options,
           "Option of resolv.conf; else the host's");
  add_list(app, "-l,--label", "KEY=VALUE", into.labels, "Set a label");
  add_list(app, "-e,--env", "KEY=VALUE", into.env,
           "Set an environment variable; KEY alone takes this shell's");
  add_list(app, "--env-file", "FILE", into.env_files,
           "Set the environment variables that are the lines of this file");
  add_text(
      app, "-u,--user", "USER[:GROUP]", into.user,
      "Run as this user, by name or number, of the sandbox's /etc/passwd and /etc/group [root]");
  add_text(app, "--entrypoint", "PROGRAM", into.entrypoint,
           "Run this program with COMMAND and ARG as its arguments");
  add_list(app, "-v,--volume", "DIR:DIR[:ro]", into.volumes,
           "Mount a directory or file of the host in the sandbox");
  add_flag(app, "--read-only", into.read_only, "Make the root file system read-only");
  add_flag(app, "--init", into.init, "Run an init that passes signals on and reaps processes");
  add_list(app, "--sysctl", "KEY=VALUE", into.sysctls,
           "Set a kernel setting of the sandbox's own namespaces, like net.ipv4.ip_forward=1");
  add_list(app, "--cap-add", "CAPABILITY", into.cap_add,
           "Give a capability beyond Docker's default set, like NET_ADMIN; or ALL");
  add_list(app, "--cap-drop", "CAPABILITY", into.cap_drop, "Take a capability away; or ALL");
  add_flag(app, "--privileged", into.privileged,
           "Give all capabilities, and let /proc/sys and /sys be written");
  add_list(app, "--security-opt", "OPTION", into.security,
           "no-new-privileges: no program gives more privileges than its caller has");
  add_text(app, "-w,--workdir", "DIR", into.workdir, "Working directory in the sandbox [/]");
  add_text(app, "--rootfs", "DIR", into.rootfs, "Root directory; else the host's file system");
  add_dry_run(app, into.dry_run);
}

namespace {

// -p, and with -P the ports of --expose that -p has not published.
Result<std::vector<PortSpec>> ports_of(const RunOptions& options) {
  auto ports = TRY(parse_ports(options.ports));
  const auto given = ports;
  for (const auto& text : options.exposed) {
    auto exposed = parse_port_spec(text);
    if (!exposed || text.find(':') != text.npos)
      return fail(ErrorKind::kInvalid,
                  "--expose {}: give a port of the container, like 80, 53/udp or 8000-8010", text);
    if (!options.publish_all) continue;
    for (int port = exposed->container_first; port <= exposed->container_last; ++port) {
      const auto publishes = [&](const PortSpec& each) {
        return each.protocol == exposed->protocol && each.container_first <= port &&
               port <= each.container_last;
      };
      if (std::ranges::any_of(given, publishes)) continue;
      auto one = *exposed;
      one.container_first = one.container_last = static_cast<Port>(port);
      ports.push_back(one);
    }
  }
  return ports;
}

Result<Confinement> confinement_of(const RunOptions& options) {
  Confinement confinement{.user = options.user,
                          .cap_add = options.cap_add,
                          .cap_drop = options.cap_drop,
                          .privileged = options.privileged,
                          .read_only = options.read_only,
                          .init = options.init,
                          .sysctls = TRY(parse_pairs("--sysctl", options.sysctls))};
  for (const auto& text : options.volumes) confinement.mounts.push_back(TRY(parse_volume(text)));
  for (const auto& option : options.security) {
    if (option != "no-new-privileges" && option != "no-new-privileges=true" &&
        option != "no-new-privileges:true")
      return fail(ErrorKind::kInvalid, "--security-opt {}: only no-new-privileges is known",
                  option);
    confinement.no_new_privileges = true;
  }
  return confinement;
}

}  // namespace

Result<BindMount> parse_volume(const std::string& text) {
  const auto refused = [&](std::string_view why) {
    return fail(ErrorKind::kInvalid, "-v {}: {}; give DIR:DIR or DIR:DIR:ro", text, why);
  };
  const auto colon = text.find(':');
  if (colon == text.npos) return refused("the place in the sandbox is missing");
  BindMount mount{.source = text.substr(0, colon), .target = text.substr(colon + 1)};
  if (const auto end = mount.target.find(':'); end != mount.target.npos) {
    const auto mode = mount.target.substr(end + 1);
    if (mode != "ro" && mode != "rw") return refused("there is no mode '" + mode + "'");
    mount.read_only = mode == "ro";
    mount.target.erase(end);
  }
  if (!mount.source.starts_with('/') && !mount.source.starts_with('.'))
    return refused("the source is no path (berth has no named volumes)");
  mount.source = std::filesystem::absolute(mount.source);
  return mount;
}

Result<std::vector<std::string>> read_env_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail_sys(errno, "--env-file {}", path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    line.erase(0, line.find_first_not_of(" \t"));
    if (line.empty() || line.starts_with('#')) continue;
    const auto key = line.substr(0, line.find('='));
    if (key.empty() || key.find_first_of(" \t") != key.npos)
      return fail(ErrorKind::kInvalid, "--env-file {}: '{}' is no KEY=VALUE or KEY", path, line);
    lines.push_back(std::move(line));
  }
  return lines;
}

Result<RunProcess> to_request(const RunOptions& options, std::vector<std::string> command) {
  RunProcess request;
  request.name = options.name;
  request.hostname = options.hostname;
  request.domainname = options.domainname;
  request.networks = TRY(networks_of(options));
  request.ports = TRY(ports_of(options));
  request.add_hosts = options.add_hosts;
  request.dns = options.dns;
  request.dns_search = options.dns_search;
  request.dns_options = options.dns_options;
  request.labels = TRY(parse_pairs("--label", options.labels));
  request.workdir = options.workdir;
  request.detach = options.detach;
  request.tty = options.tty;
  request.open_stdin = options.interactive;
  request.auto_remove = options.auto_remove;
  request.rootfs = options.rootfs;
  request.env = default_environment(options.tty);
  // The engine knows the user's, if none is given.
  std::erase_if(request.env, [](const auto& entry) { return entry.starts_with("HOME="); });
  for (const auto& path : options.env_files)
    TRY(add_environment(request.env, TRY(read_env_file(path))));
  TRY(add_environment(request.env, options.env));
  request.entrypoint = options.entrypoint;
  request.confinement = TRY(confinement_of(options));
  request.argv = std::move(command);
  return request;
}

Result<std::vector<Attachment>> networks_of(const RunOptions& options) {
  std::vector<Attachment> networks;
  for (const auto& text : options.networks) networks.push_back(TRY(parse_attachment(text)));
  if (networks.empty()) networks.push_back({.network = "bridge", .options = {}});
  for (auto& each : networks)
    if (each.network == "default") each.network = "bridge";  // Docker's word for it

  auto& first = networks.front().options;
  const auto not_twice = [](bool on_both, std::string_view option, std::string_view key) -> Status {
    if (!on_both) return {};
    return fail(ErrorKind::kInvalid,
                "conflicting options: {} is given, and {} of --network as well: give one", option,
                key);
  };
  TRY(not_twice(!options.ip.empty() && first.ip4, "--ip", "ip"));
  TRY(not_twice(!options.ip6.empty() && first.ip6, "--ip6", "ip6"));
  TRY(not_twice(!options.mac.empty() && first.mac, "--mac-address", "mac"));
  TRY(not_twice(!options.aliases.empty() && !first.aliases.empty(), "--network-alias", "alias"));
  TRY(not_twice(!options.links.empty() && !first.links.empty(), "--link", "link"));
  TRY(not_twice(!options.link_local.empty() && !first.link_local.empty(), "--link-local-ip",
                "link-local-ip"));
  if (!options.ip.empty()) first.ip4 = TRY(parse_optional<Ip>("--ip", options.ip));
  if (!options.ip6.empty()) first.ip6 = TRY(parse_optional<Ip>("--ip6", options.ip6));
  if (!options.mac.empty()) first.mac = TRY(parse_optional<Mac>("--mac-address", options.mac));
  if (!options.aliases.empty()) first.aliases = options.aliases;
  if (!options.links.empty()) first.links = options.links;
  if (!options.link_local.empty()) first.link_local = TRY(parse_link_local_ips(options.link_local));
  return networks;
}

std::vector<std::string> default_environment(bool tty) {
  std::vector<std::string> env = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"};
  if (tty) env.emplace_back("TERM=xterm");
  return env;
}

Status add_environment(std::vector<std::string>& env, std::span<const std::string> additions) {
  for (const auto& addition : additions) {
    const auto key = addition.substr(0, addition.find('='));
    if (key.empty())
      return fail(ErrorKind::kInvalid, "--env '{}': the name is missing; give KEY=VALUE or KEY",
                  addition);
    auto entry = addition;
    if (key == addition) {
      const char* value = std::getenv(key.c_str());
      if (value == nullptr) continue;
      entry = key + "=" + value;
    }
    std::erase_if(env, [&](const auto& other) { return other.starts_with(key + "="); });
    env.push_back(std::move(entry));
  }
  return {};
}

}  // namespace berth::cli
