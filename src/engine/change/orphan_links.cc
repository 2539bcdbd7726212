#include "engine/change/orphan_links.h"

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/json_writer.h"
#include "base/result.h"
#include "engine/change/recovery.h"
#include "engine/change/transaction.h"
#include "engine/instance.h"
#include "kernel/netlink/link.h"
#include "plan/json.h"
#include "plan/whose.h"
#include "store/disk.h"

namespace berth::engine {
namespace {

// Before the name of a link that could not be deleted; its value is what tells it from another one.
constexpr std::string_view kLeft = "left/";

// With the namespace's cookie, a number that no other one has until the machine restarts (since
// Linux 5.14): a new namespace counts its links from the beginning, and bridges have the same MAC
// addresses.
Result<std::string> identity(const kernel::Socket& socket, const kernel::LinkInfo& link) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return fail_sys(errno, "read the cookie of the network namespace");
  return fmt::format("{} {} {}", cookie, link.index, link.mac ? link.mac->str() : "");
}

}  // namespace

void remember_orphan_links(Instance& instance, const plan::Plan& plan, store::WriteSet& writes) {
  const auto socket = instance.kernel.route();
  if (!socket) return;
  for (const auto& op : plan) {
    const auto* gone = std::get_if<plan::DeleteLink>(&op);
    if (!gone || !gone->ns.is_host()) continue;  // a sandbox's own interface goes with it
    const auto link = kernel::find_link(**socket, gone->name);
    const auto which = link && *link ? identity(**socket, **link) : Result<std::string>();
    if (which && !which->empty()) writes.push_back({std::string(kLeft) + gone->name.str(), *which});
  }
}

Result<plan::Plan> orphan_links(Instance& instance, Transaction& transaction) {
  plan::Plan plan;
  for (const auto& [key, which] : TRY(list_documents(instance, kLeft))) {
    transaction.erase(key);
    const auto name = IfName::parse(std::string_view(key).substr(kLeft.size()));
    if (!name) continue;
    auto& socket = *TRY(instance.kernel.route());
    const auto link = TRY(kernel::find_link(socket, *name));
    if (link && TRY(identity(socket, *link)) == which) plan.push_back(plan::DeleteLink{*name});
  }
  return plan;
}

}  // namespace berth::engine
