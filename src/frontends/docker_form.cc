#include "frontends/docker_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace berth::frontends {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;  // nanoseconds
constexpr std::size_t kShortId = 12;             // digits
constexpr std::string_view kDefaultNetwork = "bridge";

template <typename T>
std::string text_or_empty(const std::optional<T>& value) {
  return value ? value->str() : "";
}

std::string mac_text(const Endpoint& endpoint) {
  return endpoint.mac == Mac() ? std::string() : endpoint.mac.str();
}

// Gateway, IPAddress and the like: one endpoint's addresses under Docker's names.
void add_addresses(Json& out, const Endpoint& endpoint) {
  const auto add = [&](const char* gateway_key, const std::optional<Ip>& gateway,
                       const char* ip_key, const char* prefix_key,
                       const std::optional<Cidr>& address) {
    out[gateway_key] = text_or_empty(gateway);
    out[ip_key] = address ? address->ip().str() : "";
    out[prefix_key] = address ? address->prefix() : 0;
  };
  add("Gateway", endpoint.gateway4, "IPAddress", "IPPrefixLen", endpoint.address4);
  add("IPv6Gateway", endpoint.gateway6, "GlobalIPv6Address", "GlobalIPv6PrefixLen",
      endpoint.address6);
  out["MacAddress"] = mac_text(endpoint);
}

Json labels_form(const Labels& labels) {
  Json out = Json::object();
  for (const auto& [key, value] : labels) out[key] = value;
  return out;
}

Json ipam_form(const Network& network) {
  Json config = Json::array();
  for (const auto& subnet : network.subnets) {
    Json entry = {{"Subnet", subnet.cidr.str()}};
    if (subnet.range) entry["IPRange"] = subnet.range->str();
    if (subnet.gateway) entry["Gateway"] = subnet.gateway->str();
    for (const auto& [name, ip] : subnet.aux) entry["AuxiliaryAddresses"][name] = ip.str();
    for (const auto& own : network.parent.host_addresses)  // as if it had been kept for the host
      if (own.network() == subnet.cidr) entry["AuxiliaryAddresses"]["host"] = own.ip().str();
    config.push_back(std::move(entry));
  }
  return {{"Driver", name(network.ipam)},
          {"Options", labels_form(network.ipam_options)},
          {"Config", std::move(config)}};
}

// podman's names of a network's static routes.
Json routes_form(const std::vector<Route>& routes) {
  Json out = Json::array();
  for (const auto& route : routes) {
    Json entry = {{"destination", route.destination.str()}};
    if (route.gateway) entry["gateway"] = route.gateway->str();
    if (!route.via.empty()) entry["via"] = route.via;
    if (route.metric != 0) entry["metric"] = route.metric;
    entry["route_type"] = name(route.kind);
    out.push_back(std::move(entry));
  }
  return out;
}

Json state_form(const Sandbox& sandbox) {
  const bool running = sandbox.state == SandboxState::kRunning;
  return {{"Status", name(sandbox.state)},
          {"Running", running},
          {"Paused", false},
          {"Restarting", false},
          {"OOMKilled", false},
          {"Dead", false},
          {"Pid", running ? sandbox.pid : 0},
          {"ExitCode", sandbox.exit_code},
          {"Error", ""},
          {"StartedAt", rfc3339(sandbox.started)},
          {"FinishedAt", rfc3339(sandbox.finished)}};
}

std::string mode_form(const Sandbox& sandbox, std::span<const Endpoint> endpoints) {
  if (sandbox.mode != NetworkMode::kNetworks) return network_mode(sandbox);
  if (!sandbox.first_network.empty()) return sandbox.first_network;
  return endpoints.empty() ? "none" : endpoints.front().network_name;
}

void add_port(Json& out, const PortMapping& port, const std::string& host_ip) {
  // A port of a routed network is none of the host's.
  out[fmt::format("{}/{}", port.container_port, name(port.protocol))].push_back(
      {{"HostIp", host_ip},
       {"HostPort", port.host_port == 0 ? "" : fmt::format("{}", port.host_port)}});
}

// What the sandbox was started with, open or not, and what has been published since. Asked for on
// every address of the host it is kept once for each family, and has no HostIp in Docker.
Json bindings_form(const Sandbox& sandbox, std::span<const Endpoint> endpoints) {
  Json out = Json::object();
  const auto has = [&](PortMapping port, Ip::Family family) {
    port.host_ip = Ip::from_number(family, 0);
    return std::ranges::find(sandbox.ports, port) != sandbox.ports.end();
  };
  for (const auto& port : sandbox.ports) {
    const bool everywhere =
        port.host_ip.is_unspecified() && has(port, Ip::Family::kV4) && has(port, Ip::Family::kV6);
    if (everywhere && !port.host_ip.is_v4()) continue;
    add_port(out, port, everywhere ? "" : port.host_ip.str());
  }
  for (const auto& endpoint : endpoints) {
    for (const auto& port : endpoint.ports) {
      const bool of_the_start = std::ranges::any_of(sandbox.ports, [&](const PortMapping& each) {
        return each.protocol == port.protocol && each.container_port == port.container_port &&
               (each.host_port == port.host_port || each.host_port == 0 || port.host_port == 0);
      });
      if (!of_the_start) add_port(out, port, port.host_ip.str());
    }
  }
  return out;
}

Json network_settings(const Sandbox& sandbox, std::span<const Endpoint> endpoints) {
  Json out = {{"Bridge", ""},
              {"SandboxID", sandbox.id},
              {"SandboxKey", sandbox.netns_path},
              {"Ports", ports_form(endpoints)}};
  const auto on_default = std::ranges::find(endpoints, kDefaultNetwork, &Endpoint::network_name);
  const bool found = on_default != endpoints.end();
  out["EndpointID"] = found ? on_default->id : "";
  add_addresses(out, found ? *on_default : Endpoint());
  out["Networks"] = Json::object();
  for (const auto& endpoint : endpoints)
    out["Networks"][endpoint.network_name] = endpoint_form(sandbox, endpoint);
  return out;
}

}  // namespace

std::string rfc3339(std::int64_t time) {
  if (time == 0) return "0001-01-01T00:00:00Z";
  const std::time_t seconds = time / kSecond;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  auto out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                  parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  if (const auto rest = time % kSecond; rest != 0) {
    out += fmt::format(".{:09}", rest);
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + "Z";
}

Json network_form(const Network& network, std::span<const NetworkMember> members) {
  Json containers = Json::object();
  for (const auto& [endpoint, sandbox_name] : members) {
    containers[endpoint.sandbox_id] = {{"Name", sandbox_name},
                                       {"EndpointID", endpoint.id},
                                       {"MacAddress", mac_text(endpoint)},
                                       {"IPv4Address", text_or_empty(endpoint.address4)},
                                       {"IPv6Address", text_or_empty(endpoint.address6)}};
  }
  Json out = {{"Name", network.name},
              {"Id", network.id},
              {"Created", rfc3339(network.created)},
              {"Scope", "local"},
              {"Driver", driver_name(network)},
              {"EnableIPv4", network.ipv4},
              {"EnableIPv6", network.ipv6},
              {"IPAM", ipam_form(network)},
              {"Internal", network.internal},
              {"Attachable", network.attachable},
              {"Ingress", false},
              {"ConfigFrom", {{"Network", network.config_from}}},
              {"ConfigOnly", network.config_only},
              {"Containers", std::move(containers)},
              {"Options", labels_form(network.options)},
              {"Labels", labels_form(network.labels)}};
  // Docker has none: no key where there are none.
  if (!network.link.routes.empty()) out["Routes"] = routes_form(network.link.routes);
  return out;
}

Json network_status_form(std::span<const SubnetUse> subnets) {
  Json by_subnet = Json::object();
  for (const auto& use : subnets) {
    // What nobody can have counts as in use.
    const auto in_use =
        use.in_use > UINT64_MAX - use.reserved ? UINT64_MAX : use.in_use + use.reserved;
    by_subnet[use.subnet.str()] = {{"IPsInUse", in_use}, {"DynamicIPsAvailable", use.available}};
  }
  return {{"IPAM", {{"Subnets", std::move(by_subnet)}}}};
}

Json ports_form(std::span<const Endpoint> endpoints) {
  Json out = Json::object();
  for (const auto& endpoint : endpoints)
    for (const auto& port : endpoint.ports) add_port(out, port, port.host_ip.str());
  return out;
}

Json endpoint_form(const Sandbox& sandbox, const Endpoint& endpoint) {
  const auto short_id = sandbox.id.substr(0, kShortId);
  Json out = {{"IPAMConfig", nullptr}, {"Links", nullptr}, {"Aliases", nullptr}};
  const auto& asked = endpoint.asked;
  if (asked.ip4) out["IPAMConfig"]["IPv4Address"] = asked.ip4->str();
  if (asked.ip6) out["IPAMConfig"]["IPv6Address"] = asked.ip6->str();
  for (const auto& address : asked.link_local)
    out["IPAMConfig"]["LinkLocalIPs"].push_back(address.ip().str());
  if (!asked.links.empty()) out["Links"] = asked.links;
  // Docker names sandboxes to one another on user-defined networks only.
  const bool has_address = endpoint.address4 || endpoint.address6;
  const bool named = has_address && endpoint.network_name != kDefaultNetwork;
  if (named) {
    out["Aliases"] = asked.aliases;
    out["Aliases"].push_back(short_id);
  }
  out["NetworkID"] = endpoint.network_id;
  out["EndpointID"] = endpoint.id;
  add_addresses(out, endpoint);
  out["GwPriority"] = asked.gw_priority;
  out["DriverOpts"] = nullptr;
  if (!asked.driver_options.empty()) out["DriverOpts"] = labels_form(asked.driver_options);
  out["DNSNames"] = nullptr;
  if (named) {
    std::vector<std::string> names = {sandbox.name};
    names.insert(names.end(), asked.aliases.begin(), asked.aliases.end());
    names.push_back(short_id);
    names.push_back(sandbox.hostname);
    out["DNSNames"] = Json::array();
    for (const auto& dns_name : names) {
      const auto& list = out["DNSNames"];
      if (!dns_name.empty() && std::find(list.begin(), list.end(), dns_name) == list.end())
        out["DNSNames"].push_back(dns_name);
    }
  }
  return out;
}

namespace {

Json list_or_null(const std::vector<std::string>& list) {
  return list.empty() ? Json() : Json(list);
}

Json binds_form(const std::vector<BindMount>& mounts) {
  Json out;
  for (const auto& each : mounts)
    out.push_back(each.source + ":" + each.target + (each.read_only ? ":ro" : ""));
  return out;
}

Json mounts_form(const std::vector<BindMount>& mounts) {
  Json out = Json::array();
  for (const auto& each : mounts)
    out.push_back({{"Type", "bind"},
                   {"Source", each.source},
                   {"Destination", each.target},
                   {"Mode", each.read_only ? "ro" : ""},
                   {"RW", !each.read_only},
                   {"Propagation", "rprivate"}});
  return out;
}

}  // namespace

Json sandbox_form(const Sandbox& sandbox, const SandboxDetails& details) {
  auto arguments = sandbox.argv;
  auto path = sandbox.entrypoint;
  if (path.empty() && !arguments.empty()) {
    path = arguments.front();
    arguments.erase(arguments.begin());
  }
  const auto mode = mode_form(sandbox, details.endpoints);
  const auto& confinement = sandbox.confinement;
  return {{"Id", sandbox.id},
          {"Created", rfc3339(sandbox.created)},
          {"Path", std::move(path)},
          {"Args", std::move(arguments)},
          {"State", state_form(sandbox)},
          {"Name", "/" + sandbox.name},
          {"HostnamePath", details.hostname_path},
          {"HostsPath", details.hosts_path},
          {"ResolvConfPath", details.resolv_conf_path},
          {"LogPath", details.log_path},
          {"HostConfig",
           {{"NetworkMode", mode},
            {"PortBindings", bindings_form(sandbox, details.endpoints)},
            {"AutoRemove", sandbox.auto_remove},
            {"Dns", sandbox.dns},
            {"DnsOptions", sandbox.dns_options},
            {"DnsSearch", sandbox.dns_search},
            {"ExtraHosts", sandbox.extra_hosts},
            {"Binds", binds_form(confinement.mounts)},
            {"CapAdd", list_or_null(confinement.cap_add)},
            {"CapDrop", list_or_null(confinement.cap_drop)},
            {"Privileged", confinement.privileged},
            {"ReadonlyRootfs", confinement.read_only},
            {"SecurityOpt", confinement.no_new_privileges ? Json{"no-new-privileges"} : Json()},
            {"Init", confinement.init},
            {"Sysctls", labels_form(confinement.sysctls)}}},
          {"Mounts", mounts_form(confinement.mounts)},
          {"Config",
           {{"Hostname", sandbox.hostname},
            {"Domainname", sandbox.domainname},
            {"User", confinement.user},
            {"Tty", sandbox.tty},
            {"Env", sandbox.env},
            {"Cmd", sandbox.argv},
            {"WorkingDir", sandbox.workdir},
            {"Entrypoint", sandbox.entrypoint.empty() ? Json() : Json{sandbox.entrypoint}},
            {"Labels", labels_form(sandbox.labels)}}},
          {"NetworkSettings", network_settings(sandbox, details.endpoints)}};
}

}  // namespace berth::frontends
