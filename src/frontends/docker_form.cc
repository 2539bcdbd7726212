#include "frontends/docker_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace berth::frontends {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;  // nanoseconds
constexpr std::size_t kShortId = 12;             // digits
constexpr std::string_view kDefaultNetwork = "bridge";

bool has_address(const Endpoint& endpoint) {
  return endpoint.prefix > 0;
}

// The address with its prefix length where it is of `family`, else "".
std::string cidr_text(const Endpoint& endpoint, Ip::Family family) {
  if (!has_address(endpoint) || endpoint.ip.family() != family) return "";
  return Cidr(endpoint.ip, endpoint.prefix).str();
}

std::string mac_text(const Endpoint& endpoint) {
  return endpoint.mac == Mac() ? std::string() : endpoint.mac.str();
}

// Gateway, IPAddress and the like: one endpoint's addresses under Docker's names.
void add_addresses(Json& out, const Endpoint& endpoint) {
  const bool v4 = has_address(endpoint) && endpoint.ip.is_v4();
  const bool v6 = has_address(endpoint) && !endpoint.ip.is_v4();
  const auto gateway = endpoint.gateway ? endpoint.gateway->str() : std::string();
  out["Gateway"] = v4 ? gateway : "";
  out["IPAddress"] = v4 ? endpoint.ip.str() : "";
  out["IPPrefixLen"] = v4 ? endpoint.prefix : 0;
  out["IPv6Gateway"] = v6 ? gateway : "";
  out["GlobalIPv6Address"] = v6 ? endpoint.ip.str() : "";
  out["GlobalIPv6PrefixLen"] = v6 ? endpoint.prefix : 0;
  out["MacAddress"] = mac_text(endpoint);
}

Json ipam_form(const std::vector<Subnet>& subnets) {
  Json config = Json::array();
  for (const auto& subnet : subnets) {
    Json entry = {{"Subnet", subnet.cidr.str()}};
    if (subnet.range) entry["IPRange"] = subnet.range->str();
    entry["Gateway"] = subnet.gateway.str();
    for (const auto& [name, ip] : subnet.aux) entry["AuxiliaryAddresses"][name] = ip.str();
    config.push_back(std::move(entry));
  }
  return {{"Driver", "default"}, {"Options", Json::object()}, {"Config", std::move(config)}};
}

Json labels_form(const Labels& labels) {
  Json out = Json::object();
  for (const auto& [key, value] : labels) out[key] = value;
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

// "IP\tNAME", as in /etc/hosts, the way --add-host takes it: "NAME:IP".
Json extra_hosts_form(const std::vector<std::string>& lines) {
  Json out = Json::array();
  for (const auto& line : lines) {
    const auto tab = line.find('\t');
    if (tab != std::string::npos) out.push_back(line.substr(tab + 1) + ":" + line.substr(0, tab));
  }
  return out;
}

std::string network_mode(const Sandbox& sandbox, std::span<const Endpoint> endpoints) {
  if (!sandbox.host_network.empty()) return sandbox.host_network;
  return endpoints.empty() ? "none" : endpoints.front().network_name;
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
  const auto has_family = [&](Ip::Family family) {
    return std::ranges::any_of(
        network.subnets, [&](const Subnet& subnet) { return subnet.cidr.ip().family() == family; });
  };
  Json containers = Json::object();
  for (const auto& [endpoint, sandbox_name] : members) {
    containers[endpoint.sandbox_id] = {{"Name", sandbox_name},
                                       {"EndpointID", endpoint.id},
                                       {"MacAddress", mac_text(endpoint)},
                                       {"IPv4Address", cidr_text(endpoint, Ip::Family::kV4)},
                                       {"IPv6Address", cidr_text(endpoint, Ip::Family::kV6)}};
  }
  return {{"Name", network.name},
          {"Id", network.id},
          {"Created", rfc3339(network.created)},
          {"Scope", "local"},
          {"Driver", name(network.driver)},
          {"EnableIPv4", network.subnets.empty() || has_family(Ip::Family::kV4)},
          {"EnableIPv6", has_family(Ip::Family::kV6)},
          {"IPAM", ipam_form(network.subnets)},
          {"Internal", network.internal},
          {"Attachable", false},
          {"Ingress", false},
          {"ConfigFrom", {{"Network", ""}}},
          {"ConfigOnly", false},
          {"Containers", std::move(containers)},
          {"Options", labels_form(network.options)},
          {"Labels", labels_form(network.labels)}};
}

Json ports_form(std::span<const Endpoint> endpoints) {
  Json out = Json::object();
  for (const auto& endpoint : endpoints) {
    for (const auto& port : endpoint.ports) {
      out[fmt::format("{}/{}", port.container_port, name(port.protocol))].push_back(
          {{"HostIp", port.host_ip.str()}, {"HostPort", fmt::format("{}", port.host_port)}});
    }
  }
  return out;
}

Json endpoint_form(const Sandbox& sandbox, const Endpoint& endpoint) {
  const auto short_id = sandbox.id.substr(0, kShortId);
  Json out = {{"IPAMConfig", nullptr}, {"Links", nullptr}, {"Aliases", nullptr}};
  if (endpoint.requested_ip) {
    const auto* key = endpoint.requested_ip->is_v4() ? "IPv4Address" : "IPv6Address";
    out["IPAMConfig"] = {{key, endpoint.requested_ip->str()}};
  }
  // Docker names sandboxes to one another on user-defined networks only.
  const bool named = has_address(endpoint) && endpoint.network_name != kDefaultNetwork;
  if (named) {
    out["Aliases"] = endpoint.aliases;
    out["Aliases"].push_back(short_id);
  }
  out["NetworkID"] = endpoint.network_id;
  out["EndpointID"] = endpoint.id;
  add_addresses(out, endpoint);
  out["DriverOpts"] = nullptr;
  out["DNSNames"] = nullptr;
  if (named) {
    std::vector<std::string> names = {sandbox.name};
    names.insert(names.end(), endpoint.aliases.begin(), endpoint.aliases.end());
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

Json sandbox_form(const Sandbox& sandbox, const SandboxDetails& details) {
  Json arguments = Json::array();
  for (std::size_t i = 1; i < sandbox.argv.size(); ++i) arguments.push_back(sandbox.argv[i]);
  const auto mode = network_mode(sandbox, details.endpoints);
  return {{"Id", sandbox.id},
          {"Created", rfc3339(sandbox.created)},
          {"Path", sandbox.argv.empty() ? std::string() : sandbox.argv.front()},
          {"Args", std::move(arguments)},
          {"State", state_form(sandbox)},
          {"Name", "/" + sandbox.name},
          {"HostnamePath", details.hostname_path},
          {"HostsPath", details.hosts_path},
          {"ResolvConfPath", details.resolv_conf_path},
          {"LogPath", details.log_path},
          {"HostConfig",
           {{"NetworkMode", mode},
            {"PortBindings", ports_form(details.endpoints)},
            {"AutoRemove", sandbox.auto_remove},
            {"ExtraHosts", extra_hosts_form(sandbox.extra_hosts)}}},
          {"Config",
           {{"Hostname", sandbox.hostname},
            {"Cmd", sandbox.argv},
            {"Tty", sandbox.tty},
            {"Labels", labels_form(sandbox.labels)}}},
          {"NetworkSettings", network_settings(sandbox, details.endpoints)}};
}

}  // namespace berth::frontends
