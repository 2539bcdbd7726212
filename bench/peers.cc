#include "peers.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace berth::bench {
namespace {
namespace fs = std::filesystem;

void mount_in(const std::string& tree, const char* what, const char* type, unsigned long flags) {
  const auto target = tree + what;
  fs::create_directories(target);
  if (mount(what, target.c_str(), type, flags, nullptr) != 0)
    die(fmt::format("cannot mount {} in BERTH_PEERS_TREE {}: {}", what, tree,
                    std::strerror(errno)));
}

// What the programs in the tree must see: this network namespace's /proc and /sys, the namespaces
// and files that the benchmark makes (also those it will make: /run/netns is shared with the tree).
void prepare(const std::string& tree) {
  mount_in(tree, "/proc", "proc", 0);
  mount_in(tree, "/sys", "sysfs", 0);
  mount_in(tree, "/dev", nullptr, MS_BIND | MS_REC);
  mount_in(tree, fs::temp_directory_path().c_str(), nullptr, MS_BIND | MS_REC);
  if (mount(nullptr, "/run/netns", nullptr, MS_SHARED, nullptr) != 0)
    die(fmt::format("cannot share /run/netns: {}", std::strerror(errno)));
  mount_in(tree, "/run/netns", nullptr, MS_BIND | MS_REC);
}

// The first of `places`, or of PATH, that has the program; empty if none.
std::string find_program(const std::string& root, const std::string& name,
                         std::vector<std::string> places) {
  if (const char* path = std::getenv("PATH"); root.empty() && path != nullptr) {
    const std::string_view all(path);
    for (std::size_t begin = 0; begin <= all.size();) {
      const auto end = std::min(all.find(':', begin), all.size());
      places.emplace_back(all.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  for (const auto& place : places)
    if (access((root + place + "/" + name).c_str(), X_OK) == 0) return place + "/" + name;
  return {};
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Command in_tree(const std::string& root, std::vector<std::string> argv) {
  Command command{.argv = std::move(argv)};
  command.root = root;
  return command;
}

constexpr const char* kNetavarkSubnet = "10.89.0.";

}  // namespace

Peers find_peers() {
  const char* variable = std::getenv("BERTH_PEERS_TREE");
  const std::string tree = variable != nullptr ? variable : "";
  if (!tree.empty()) prepare(tree);

  Peers peers;
  const auto netavark = find_program(
      tree, "netavark", {"/usr/lib/podman", "/usr/libexec/podman", "/usr/local/libexec/podman"});
  if (!netavark.empty()) {
    peers.netavark = Netavark{.program = netavark, .root = tree, .version = {}};
    peers.netavark->version = first_line(output_of(in_tree(tree, {netavark, "--version"})));
  }
  const auto bridge = find_program(tree, "bridge", {"/usr/lib/cni", "/opt/cni/bin"});
  const auto portmap = find_program(tree, "portmap", {"/usr/lib/cni", "/opt/cni/bin"});
  // PATH has another `bridge`, iproute2's: the plugins are those that stand beside portmap.
  if (!portmap.empty() && fs::path(bridge).parent_path() == fs::path(portmap).parent_path()) {
    const auto directory = fs::path(portmap).parent_path().string();
    // Debian's builds do not know their own version, but dpkg does.
    const auto version = output_of(in_tree(
        tree, {"/bin/sh", "-c",
               "dpkg-query -W -f '${Version}' containernetworking-plugins 2>/dev/null || :"}));
    peers.cni = Cni{.directory = directory, .root = tree, .version = "CNI plugins " + version};
  }
  const auto missing = [](const char* what) {
    fmt::print(stderr,
               "\n*** NOT MEASURED: {} is not on this machine (nor in BERTH_PEERS_TREE, the root "
               "directory of a distribution that has it)\n\n",
               what);
  };
  if (!peers.netavark) missing("netavark");
  if (!peers.cni) missing("the CNI bridge plugin with portmap");
  return peers;
}

// ---- netavark -----------------------------------------------------------------------------------

std::string Netavark::address(int n) {
  return fmt::format("{}{}", kNetavarkSubnet, n);
}

Command Netavark::setup(const Attachment& attachment) const {
  const Json request = {
      {"container_id", attachment.id},
      {"container_name", attachment.id},
      {"port_mappings", Json::array({{{"container_port", 8080},
                                      {"host_ip", ""},
                                      {"host_port", attachment.host_port},
                                      {"protocol", "tcp"},
                                      {"range", 1}}})},
      {"networks",
       {{"bench",
         {{"static_ips", Json::array({attachment.address})}, {"interface_name", "eth0"}}}}},
      {"network_info",
       {{"bench",
         {{"name", "bench"},
          {"id", std::string(64, 'b')},
          {"driver", "bridge"},
          {"network_interface", "podman9"},
          {"subnets", Json::array({{{"subnet", std::string(kNetavarkSubnet) + "0/24"},
                                    {"gateway", std::string(kNetavarkSubnet) + "1"}}})},
          {"ipv6_enabled", false},
          {"internal", false},
          {"dns_enabled", false},
          {"ipam_options", {{"driver", "host-local"}}}}}}}};
  const auto config = run_dir() + "/netavark";
  fs::create_directories(config);
  auto command = in_tree(root, {program, "--config", config, "setup", attachment.netns});
  command.input = request.dump();
  command.env = {"NETAVARK_FW=nftables"};
  return command;
}

Command Netavark::teardown(const Attachment& attachment) const {
  auto command = setup(attachment);
  command.argv[3] = "teardown";
  return command;
}

// ---- CNI ----------------------------------------------------------------------------------------

namespace {

Json bridge_config() {
  return {{"cniVersion", "1.0.0"},
          {"name", "bench"},
          {"type", "bridge"},
          {"bridge", "cni9"},
          {"isGateway", true},
          {"ipMasq", true},
          {"ipam",
           {{"type", "host-local"},
            {"dataDir", scratch_dir() + "/cni"},
            {"ranges", Json::array({Json::array({{{"subnet", "10.88.0.0/16"}}})})},
            {"routes", Json::array({{{"dst", "0.0.0.0/0"}}})}}}};
}

Json portmap_config(const Attachment& attachment) {
  return {{"cniVersion", "1.0.0"},
          {"name", "bench"},
          {"type", "portmap"},
          {"capabilities", {{"portMappings", true}}},
          {"runtimeConfig",
           {{"portMappings", Json::array({{{"hostPort", attachment.host_port},
                                           {"containerPort", 8080},
                                           {"protocol", "tcp"}}})}}}};
}

Command plugin(const Cni& cni, const Attachment& attachment, const char* verb, const Json& config) {
  auto command = in_tree(cni.root, {cni.directory + "/" + config.at("type").get<std::string>()});
  command.input = config.dump();
  command.env = {fmt::format("CNI_COMMAND={}", verb), "CNI_CONTAINERID=" + attachment.id,
                 "CNI_NETNS=" + attachment.netns, "CNI_IFNAME=eth0", "CNI_PATH=" + cni.directory};
  return command;
}

}  // namespace

void Cni::add(const Attachment& attachment) const {
  const auto result = output_of(plugin(*this, attachment, "ADD", bridge_config()));
  auto portmap = portmap_config(attachment);
  portmap["prevResult"] = Json::parse(result);
  run(plugin(*this, attachment, "ADD", portmap));
}

void Cni::remove(const Attachment& attachment) const {
  run(plugin(*this, attachment, "DEL", portmap_config(attachment)));
  run(plugin(*this, attachment, "DEL", bridge_config()));
}

}  // namespace berth::bench
