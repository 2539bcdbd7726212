#include "engine/targets/find_netns.h"

#include <linux/netlink.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "base/result.h"
#include "dhcp/client.h"
#include "engine/state/state.h"
#include "kernel/netlink/link.h"
#include "kernel/netns/netns.h"

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

// /proc/<pid> of each process, until `found` says so.
void each_process(const std::function<bool(const fs::path&)>& found) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto name = entry.path().filename().string();
    if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }) &&
        found(entry.path()))
      return;
  }
}

std::string link_text(const fs::path& path) {
  std::error_code error;
  return fs::read_symlink(path, error).string();
}

// Does it have an interface that one of the endpoints was given?
Result<bool> has_interface_of(const std::string& netns, std::span<const Endpoint> endpoints) {
  auto socket = TRY(kernel::open_socket_in(TRY(kernel::Netns::open(netns)), NETLINK_ROUTE));
  for (const auto& link : TRY(kernel::list_links(socket)))
    if (std::ranges::find(endpoints, link.mac, [](const Endpoint& each) {
          return std::optional(each.mac);
        }) != endpoints.end())
      return true;
  return false;
}

// Has the process a mount of that namespace on `path`? proc_pid_mountinfo(5): the fourth field is
// the mounted object, the fifth where.
bool mounts(const fs::path& process, const std::string& netns, const std::string& path) {
  std::ifstream file(process / "mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, object, where;
    fields >> id >> parent >> device >> object >> where;
    if (object == netns && where == path) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> find_netns(State& state, const Sandbox& sandbox) {
  if (sandbox.netns_inode == 0) return std::nullopt;
  const auto netns = fmt::format("net:[{}]", sandbox.netns_inode);
  const auto endpoints = state.endpoints(sandbox.endpoints);
  std::set<std::string> seen;  // mount namespaces
  std::optional<std::string> found;
  each_process([&](const fs::path& process) {
    // A DHCP client of berth's is there for the endpoint alone.
    if (endpoints && link_text(process / "ns/net") == netns && !dhcp::is_client(process.string()) &&
        has_interface_of(process / "ns/net", *endpoints).value_or(false))
      found = (process / "ns/net").string();
    else if (seen.insert(link_text(process / "ns/mnt")).second &&
             mounts(process, netns, sandbox.netns_path))
      found = (process / "root").string() + sandbox.netns_path;
    return found.has_value();
  });
  return found;
}

}  // namespace berth::engine
